"""exp and log(1 + exp) for inner loops: the compiler makes vector instructions of a loop over them."""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped, unused-ignore]
from numba import types
from numba.extending import intrinsic

from backbone.analysis.kernels.compiled import exact


def _power_of_two_code(typing: Any, exponent: Any) -> Any:
    """2.0**exponent for a whole number from -1022 to 1023, made by placing the bits of its exponent."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        long = ir.IntType(64)
        integer = builder.fptosi(arguments[0], ir.IntType(32))  # every vector unit can convert to 32 bits
        biased = builder.add(integer, ir.Constant(ir.IntType(32), 1023))
        bits = builder.shl(builder.zext(biased, long), ir.Constant(long, 52))
        return builder.bitcast(bits, ir.DoubleType())

    return types.float64(types.float64), code


_power_of_two: Any = intrinsic(_power_of_two_code)

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01  # its last bits are 0, so that its product with an exponent is exact
_LN2_LOW = 1.90821492927058770002e-10
_C2, _C3, _C4, _C5, _C6, _C7 = (1 / math.factorial(n) for n in range(2, 8))
_C8, _C9, _C10, _C11, _C12, _C13 = (1 / math.factorial(n) for n in range(8, 14))


@exact
def exp(x: float) -> float:
    """The exponential, within 1 unit in the last place.

    Parameters
    ----------
    x : outside of -708 to 708 the result is that of the nearer end, so it is never 0 or infinite.

    Examples
    --------
    >>> from backbone.analysis.kernels.exponential import exp
    >>> exp(1.0), exp(-1e9) > 0.0
    (2.718281828459045, True)

    References
    ----------
    W. J. Cody and W. Waite, Software Manual for the Elementary Functions (1980), chapter 6: the reduction by
    a multiple of ln 2 in two parts. The rest is Taylor's polynomial.
    """
    x = min(max(x, -708.0), 708.0)
    k = math.floor(x * _LOG2_E + 0.5)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    s = _C13 * r + _C12
    s = s * r + _C11
    s = s * r + _C10
    s = s * r + _C9
    s = s * r + _C8
    s = s * r + _C7
    s = s * r + _C6
    s = s * r + _C5
    s = s * r + _C4
    s = s * r + _C3
    s = s * r + _C2
    result: float = ((s * r + 1.0) * r + 1.0) * _power_of_two(k)
    return result


@exact
def softplus(x: float) -> float:
    """log(1 + exp(x)) without overflow and without loss of small results.

    Examples
    --------
    >>> from backbone.analysis.kernels.exponential import softplus
    >>> round(softplus(0.0), 14), softplus(800.0), round(softplus(-40.0) * 1e18, 12)
    (0.69314718055995, 800.0, 4.248354255292)

    References
    ----------
    log(1 + v) = 2 artanh(v / (2 + v)), by the series of artanh; its argument is at most 1/3.
    """
    v = exp(-abs(x))
    u = v / (2.0 + v)
    u2 = u * u
    s = 1.0 / 33.0
    s = s * u2 + 1.0 / 31.0
    s = s * u2 + 1.0 / 29.0
    s = s * u2 + 1.0 / 27.0
    s = s * u2 + 1.0 / 25.0
    s = s * u2 + 1.0 / 23.0
    s = s * u2 + 1.0 / 21.0
    s = s * u2 + 1.0 / 19.0
    s = s * u2 + 1.0 / 17.0
    s = s * u2 + 1.0 / 15.0
    s = s * u2 + 1.0 / 13.0
    s = s * u2 + 1.0 / 11.0
    s = s * u2 + 1.0 / 9.0
    s = s * u2 + 1.0 / 7.0
    s = s * u2 + 1.0 / 5.0
    s = s * u2 + 1.0 / 3.0
    s = s * u2 + 1.0
    return max(x, 0.0) + 2.0 * u * s
