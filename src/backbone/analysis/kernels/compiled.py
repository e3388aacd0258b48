"""How the kernels are compiled, and the few scalar functions that their inner loops are made of.

The floating-point flags allow what turns a sum over rows into vector instructions (another order of the
terms, a multiplication fused with an addition) and nothing that assumes there is no NaN or infinity: the
kernels look for both. The order of the terms depends on the number of rows alone, so equal groups still give
equal bits.

Compiled code is kept in `__pycache__` beside the source. Numba does not renew it when a function it calls
from another file has changed, so whatever is older than the newest of these files is forgotten here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped, unused-ignore]
from numba import types
from numba.extending import intrinsic

Floats = npt.NDArray[np.float64]

P = ParamSpec("P")
R = TypeVar("R")

LANES = 8  # float64 in a vector instruction; columns are filled up to a multiple of these

_FLAGS = {"reassoc", "contract", "nsz", "arcp"}


def _forget_stale(folder: Path) -> None:
    newest = max(source.stat().st_mtime for source in folder.glob("*.py"))
    for index in (folder / "__pycache__").glob("*.nbi"):
        with suppress(OSError):  # another process may do the same, or the folder be read-only
            if index.stat().st_mtime < newest:
                index.unlink()


_forget_stale(Path(__file__).parent)


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function so that it lets go of the interpreter's lock and is kept on disk."""
    result: Callable[P, R] = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=_FLAGS)(
        function
    )
    return result


def _exact(function: Callable[P, R]) -> Callable[P, R]:
    """As `inlined`, its own sums left in the order in which they are written."""
    result: Callable[P, R] = numba.njit(
        nogil=True, cache=_kept(function), error_model="numpy", fastmath={"contract"}, forceinline=True
    )(function)
    return result


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """As `compiled`, and made part of each function that calls it; for what is called in one place."""
    result: Callable[P, R] = numba.njit(
        nogil=True, cache=_kept(function), error_model="numpy", fastmath=_FLAGS, forceinline=True
    )(function)
    return result


def _kept(function: Callable[P, R]) -> bool:
    """Whether compiled code may stay on disk: not under another name of the module, which it would hold."""
    return function.__module__.startswith("backbone.")


def _power_of_two_code(typing: Any, exponent: Any) -> Any:
    """2.0**exponent for a whole number from -1022 to 1023, made by placing the bits of its exponent."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        long = ir.IntType(64)
        whole = builder.fptosi(arguments[0], ir.IntType(32))  # every vector unit can convert to 32 bits
        biased = builder.add(whole, ir.Constant(ir.IntType(32), 1023))
        bits = builder.shl(builder.zext(biased, long), ir.Constant(long, 52))
        return builder.bitcast(bits, ir.DoubleType())

    return types.float64(types.float64), code


def _pointer_code(typing: Any, address: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), code


def _sum_of_products(builder: Any, addresses: Any, end: Any) -> Any:
    """Σ of the products of columns, whose length is a multiple of LANES.

    What a compiler makes of such a loop takes longer to get going than to go through a small group.
    """
    long, double = ir.IntType(64), ir.DoubleType()
    lanes = ir.VectorType(double, LANES)
    start, nothing = ir.Constant(long, 0), ir.Constant(lanes, [0.0] * LANES)
    columns = [builder.inttoptr(address, double.as_pointer()) for address in addresses]
    before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.cbranch(builder.icmp_signed(">", end, start), loop, after)

    builder.position_at_end(loop)
    row, total = builder.phi(long), builder.phi(lanes)
    places = [builder.bitcast(builder.gep(column, [row]), lanes.as_pointer()) for column in columns]
    product, *others = (builder.load(place, align=8) for place in places)
    for values in others:
        product = builder.fmul(product, values, flags=["contract"])
    added = builder.fadd(product, total, flags=["contract"])
    following = builder.add(row, ir.Constant(long, LANES))
    row.add_incoming(start, before)
    row.add_incoming(following, loop)
    total.add_incoming(nothing, before)
    total.add_incoming(added, loop)
    builder.cbranch(builder.icmp_signed("<", following, end), loop, after)

    builder.position_at_end(after)
    result = builder.phi(lanes)
    result.add_incoming(nothing, before)
    result.add_incoming(added, loop)
    name = f"llvm.vector.reduce.fadd.v{LANES}f64"
    across = builder.module.globals.get(name) or ir.Function(
        builder.module, ir.FunctionType(double, [double, lanes]), name
    )
    return builder.call(across, [ir.Constant(double, 0.0), result], fastmath=["reassoc"])


def _dot_code(typing: Any, a: Any, b: Any, length: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _sum_of_products(builder, arguments[:2], arguments[2])

    return types.float64(types.int64, types.int64, types.int64), code


def _dot3_code(typing: Any, a: Any, b: Any, c: Any, length: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _sum_of_products(builder, arguments[:3], arguments[3])

    return types.float64(types.int64, types.int64, types.int64, types.int64), code


_power_of_two: Any = intrinsic(_power_of_two_code)
_pointer: Any = intrinsic(_pointer_code)
dot: Any = intrinsic(_dot_code)  # of two columns given by their addresses, and of three
dot3: Any = intrinsic(_dot3_code)


@inlined
def vector(address: int, length: int) -> Floats:
    """The float64 at an address.

    Between compiled functions an address costs nothing; an array is counted by whom it is held, and a number
    of them as arguments took longer than the work on a small group.
    """
    found: Floats = numba.carray(_pointer(address), length, np.float64)  # type: ignore[attr-defined, unused-ignore]
    return found


@inlined
def matrix(address: int, rows: int, columns: int) -> Floats:
    """The float64 at an address, row by row."""
    found: Floats = numba.carray(_pointer(address), (rows, columns), np.float64)  # type: ignore[attr-defined, unused-ignore]
    return found


_LOG2_E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01  # its last bits are 0, so that its product with an exponent is exact
_LN2_LOW = 1.90821492927058770002e-10
_C2, _C3, _C4, _C5, _C6, _C7 = (1 / math.factorial(n) for n in range(2, 8))
_C8, _C9, _C10, _C11, _C12, _C13 = (1 / math.factorial(n) for n in range(8, 14))


@_exact
def exp(x: float) -> float:
    """The exponential, within 1 unit in the last place; a loop over it becomes vector instructions.

    Parameters
    ----------
    x : outside of -708 to 708 the result is that of the nearer end, so it is never 0 or infinite.

    Examples
    --------
    >>> from backbone.analysis.kernels.compiled import exp
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


@_exact
def softplus(x: float) -> float:
    """log(1 + exp(x)) without overflow and without loss of small results, by vector instructions too.

    Examples
    --------
    >>> from backbone.analysis.kernels.compiled import softplus
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


def address(values: npt.NDArray[np.float64]) -> int:
    """Where an array's values lie in memory; the array must outlive the use."""
    return int(values.ctypes.data)
