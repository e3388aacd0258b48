"""Arrays of the compiled functions, handed on as addresses.

Between compiled functions an address costs nothing, while the holders of an array are counted, and handing a
dozen of them on took longer than the work on a small group. What lies at an address must be held by the
caller as long as it is in use.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped, unused-ignore]
from numba import types
from numba.extending import intrinsic

from backbone.analysis.kernels.compiled import Floats, inlined

_LINE = 64  # bytes


class Memory:
    """Arrays that stay in memory as long as their addresses are in use."""

    def __init__(self) -> None:
        self._arrays: list[npt.NDArray[Any]] = []

    def of(self, values: npt.NDArray[Any]) -> int:
        """The address of an array's values, or of those of a copy without gaps."""
        self._arrays.append(np.ascontiguousarray(values))
        return int(self._arrays[-1].ctypes.data)

    def numbers(self, values: npt.NDArray[Any]) -> int:
        """The same, as float64; a column that is that already is not copied."""
        return self.of(np.asarray(values, dtype=np.float64))

    def integers(self, values: npt.NDArray[Any]) -> int:
        """The same, as int64."""
        return self.of(np.asarray(values, dtype=np.int64))

    def empty(self, *shape: int) -> int:
        """The address of zeros, where a line of the cache begins."""
        room = np.zeros(math.prod(shape) + _LINE // 8)
        self._arrays.append(room)
        return -(-int(room.ctypes.data) // _LINE) * _LINE


def _pointer_code(typing: Any, address: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), code


_pointer: Any = intrinsic(_pointer_code)
_array: Any = vars(numba)["carray"]


@inlined
def vector(address: int, length: int) -> Floats:
    """The float64 at an address."""
    found: Floats = _array(_pointer(address), length, np.float64)
    return found


@inlined
def matrix(address: int, rows: int, columns: int) -> Floats:
    """The float64 at an address, row by row."""
    found: Floats = _array(_pointer(address), (rows, columns), np.float64)
    return found


@inlined
def integers(address: int, length: int) -> npt.NDArray[np.int64]:
    """The int64 at an address."""
    found: npt.NDArray[np.int64] = _array(_pointer(address), length, np.int64)
    return found


@inlined
def octets(address: int, length: int) -> npt.NDArray[np.uint8]:
    """The bytes at an address."""
    found: npt.NDArray[np.uint8] = _array(_pointer(address), length, np.uint8)
    return found
