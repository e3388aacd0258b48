"""Whatever goes wrong with one file is a refusal of that file; what concerns the run ends it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from backbone.error_log import NO_RESOURCES, as_failure, ends_run
from backbone.errors import BackboneError, BatchRefused, EngineFailed

STATE = "Nothing of it is formatted; it stays in persistent landing."
# What an engine says when the machine is at its end, and not when it can't read a file.
SPENT = ("Out of Memory", *(os.strerror(number) for number in (*NO_RESOURCES, errno.EIO)))


def ends_formatting(error: BaseException) -> bool:
    """Whether an error is no fault of the file in hand: an interrupt, memory, the project's storage.

    Examples
    --------
    >>> ends_formatting(EngineFailed("engine", "IO Error: No space left on device"))
    True
    >>> ends_formatting(EngineFailed("engine", "IO Error: Could not read enough bytes from file a.parquet"))
    False
    """
    if isinstance(error, EngineFailed):
        cause = error.__cause__
        is_spent = isinstance(cause, OSError | MemoryError) and ends_run(cause)
        return is_spent or any(text in error.problem for text in SPENT)
    return ends_run(error)


def as_refusal(where: str, error: Exception, project: Path) -> BackboneError:
    """An error of one file as what the run reports of it; the traceback of an unexpected one is logged."""
    if isinstance(error, EngineFailed):
        return BatchRefused(
            where,
            f"expected a file that can be read, found that it can't be: {error.problem}",
            STATE,
            "have the file delivered again: its next version takes this one's place",
        )
    return as_failure(where, error, project, STATE)


def as_end(where: str, error: Exception) -> BackboneError:
    """What ends the run, with what to do about it."""
    if isinstance(error, BackboneError):
        return error
    memory = isinstance(error, MemoryError)
    found = "the memory is used up" if memory else f"{getattr(error, 'strerror', None) or error}"
    return EngineFailed(
        where,
        found,
        "The run has ended; what was published before stays, and nothing is half done.",
        "free some memory, or lower [engine] memory_limit in backbone.toml, and run again"
        if memory
        else "free disk space, or mend the storage, and run again",
    )
