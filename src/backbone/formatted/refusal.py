"""Whatever goes wrong with one file is a refusal of that file; what concerns the run ends it."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from backbone.dataset import Batch
from backbone.error_log import NO_RESOURCES, as_failure, ends_run
from backbone.errors import ENGINE, BackboneError, BatchRefused, EngineFailed, OutOfMemory

STATE = "Nothing of it is formatted; it stays in persistent landing."
# What the system says when it is at its end, and not when a file can't be read; an engine passes it on in a
# text without the number.
SPENT = tuple(os.strerror(number) for number in (*NO_RESOURCES, errno.EIO))


def ends_formatting(error: BaseException) -> bool:
    """Whether an error is no fault of the file in hand: an interrupt, memory, the project's storage.

    Examples
    --------
    >>> ends_formatting(EngineFailed("engine", "IO Error: No space left on device"))
    True
    >>> ends_formatting(OutOfMemory("engine", "failed to pin block of size 256.0 KiB"))
    True
    >>> ends_formatting(EngineFailed("engine", "IO Error: Could not read enough bytes from file a.parquet"))
    False
    """
    if isinstance(error, EngineFailed):
        cause = error.__cause__
        is_spent = isinstance(cause, OSError | MemoryError) and ends_run(cause)
        return is_spent or isinstance(error, OutOfMemory) or any(text in error.problem for text in SPENT)
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


def named(dataset: str, batches: Sequence[Batch]) -> str:
    """A table with the files that are worked on."""
    match batches:
        case []:
            return dataset
        case [one]:
            return f"{dataset}, batch {one.batch} ({one.name})"
        case [first, *_, last]:
            return f"{dataset}, {len(batches):,} files ({first.name} to {last.name})"
    raise AssertionError


def as_end(where: str, error: Exception, *, of_files: bool = False) -> BackboneError:
    """What ends the run: where it happened, and what to do about it.

    Parameters
    ----------
    where : the file in hand, the files that one statement reads, or the table; an error that names its
        place already keeps it.
    of_files : whether smaller files would help.
    """
    if isinstance(error, BackboneError) and error.where != ENGINE:
        return error
    state = "The run has ended, and nothing of it is formatted; what was published before stays."
    split = ", or have it delivered in smaller files," if of_files else ""
    if isinstance(error, OutOfMemory):
        step = f"raise [engine] memory_limit in backbone.toml{split} and run again"
        return OutOfMemory(where, f"the engine's memory is used up: {error.problem}", state, step)
    if isinstance(error, MemoryError):
        step = f"free some memory, or lower [engine] memory_limit in backbone.toml{split} and run again"
        return OutOfMemory(where, "the memory is used up", state, step)
    found = error.problem if isinstance(error, EngineFailed) else getattr(error, "strerror", None) or error
    step = "free disk space, or mend the storage, and run again"
    return EngineFailed(where, str(found), state, step)
