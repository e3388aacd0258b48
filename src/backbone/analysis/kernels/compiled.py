"""How the kernels are compiled.

The floating-point flags allow what turns a sum over rows into vector instructions (another order of the
terms, a multiplication fused with an addition) and nothing that assumes there is no NaN or infinity: the
kernels look for both. The order of the terms depends on the number of rows alone, so equal groups still give
equal bits. Compiled, `isfinite` is no use: it subtracts a number from itself, which these flags make 0.

Compiled code is kept in `__pycache__` beside the source. Numba does not renew it when a function it calls
from another file has changed, so whatever is older than the newest of these files is forgotten here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

P = ParamSpec("P")
R = TypeVar("R")

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
    return _compile(function, fastmath=_FLAGS)


def exact(function: Callable[P, R]) -> Callable[P, R]:
    """As `inlined`, its own sums left in the order in which they are written."""
    return _compile(function, fastmath={"contract"}, forceinline=True)


def as_written(function: Callable[P, R]) -> Callable[P, R]:
    """As `compiled`, every operation done as it is written, for what others compute bit by bit."""
    return _compile(function)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """As `compiled`, and made part of each function that calls it; for what is called in one place."""
    return _compile(function, fastmath=_FLAGS, forceinline=True)


def _compile(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    """Compile a function; where it can't be kept on disk, each process does so anew."""
    result: Callable[P, R]
    if _may_cache(function):
        with suppress(RuntimeError):  # neither the folder of the source nor one of the user's can be written
            result = numba.njit(nogil=True, cache=True, error_model="numpy", **options)(function)
            return result
    result = numba.njit(nogil=True, error_model="numpy", **options)(function)
    return result


def _may_cache(function: Callable[P, R]) -> bool:
    """Whether compiled code may stay on disk: not under another name of the module, which it would hold."""
    return function.__module__.startswith("backbone.")
