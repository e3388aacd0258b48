"""Unexpected errors: a short one for the reader, and the whole traceback in a log of the project.

One file's fault is that file's failure, expected or not. So whoever works on many files catches
`Exception` around each, lets through what ends the run, and turns the rest into an error that can be
listed beside the others:

    except Exception as error:
        if ends_run(error):
            raise
        failures[name] = as_failure(where, error, project, "Nothing of it is formatted.")
"""

from __future__ import annotations

import errno
import traceback
from datetime import UTC, datetime
from pathlib import Path

from backbone.errors import BackboneError, EngineFailed, ProjectLocked, Unexpected
from backbone.home import HOME

LOG = HOME / "errors.log"
LARGEST_LOG = 8_000_000  # bytes; a larger log makes room for a new one
NO_RESOURCES = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
)  # of the disk, the memory, or the process: the next file would fail in the same way


def ends_run(error: BaseException) -> bool:
    """Whether an error is no fault of one file: an interrupt, memory, the project's storage, its lock.

    `EngineFailed` counts as such, since the engine reports memory and disk with it. An engine that
    can't open the file itself raises it too, so open a file before an engine reads it.

    Examples
    --------
    >>> ends_run(OSError(errno.ENOSPC, "No space left on device")), ends_run(MemoryError())
    (True, True)
    >>> ends_run(PermissionError(errno.EACCES, "Permission denied")), ends_run(ValueError("year 0"))
    (False, False)
    """
    if not isinstance(error, Exception) or isinstance(error, MemoryError | ProjectLocked | EngineFailed):
        return True
    return isinstance(error, OSError) and error.errno in NO_RESOURCES


def as_failure(where: str, error: Exception, project: Path, state: str) -> BackboneError:
    """Any error of one file as one that can be listed: itself, the system's answer, or `unexpected`."""
    if isinstance(error, BackboneError):
        return error
    if isinstance(error, OSError) and error.errno is not None:
        return BackboneError(
            where,
            f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else ""),
            state,
            "mend the access to it, and run again",
        )
    return unexpected(where, error, project, state)


def unexpected(where: str, error: BaseException, project: Path, state: str) -> Unexpected:
    """An unexpected error, named; its traceback is appended to the project's log.

    Parameters
    ----------
    where : the file, source or table that was being worked on.
    error : what was raised.
    project : the project's folder, which holds `.backbone/errors.log`.
    state : in which state the data was left.
    """
    place = f"the traceback is at the end of {LOG}"
    try:
        _append(project / LOG, where, error)
    except OSError as failed:
        place = f"the traceback could not be written to {LOG}: {failed.strerror or failed}"
    text = " ".join(str(error).split())[:300]
    return Unexpected(
        where,
        f"an unexpected error: {type(error).__name__}{f': {text}' if text else ''} ({place})",
        state,
        "report it with that traceback, which may quote values of your data",
    )


def _append(log: Path, where: str, error: BaseException) -> None:
    log.parent.mkdir(exist_ok=True)
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_suffix(".log.old"))
    lines = "".join(traceback.format_exception(error))
    with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {where}\n{lines}\n")
