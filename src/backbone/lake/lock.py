"""One writer per project at a time: an operating-system lock, released when its process dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import RawIOBase
from pathlib import Path

from backbone.errors import ProjectLocked
from backbone.storage_refused import refusals

LOCK_FILE = "lock"


@contextmanager
def project_lock(
    project: Path, wait_s: float = 3600.0, on_wait: Callable[[str], None] = lambda holder: None
) -> Iterator[None]:
    """Hold the project's write lock.

    Parameters
    ----------
    project : the folder that holds the lock's file.
    wait_s : seconds to wait for another run before giving up.
    on_wait : called once, with what is known of the holder, when there is something to wait for.

    Raises
    ------
    ProjectLocked
        When another process still holds the lock after `wait_s`.
    StorageRefused
        When the lock's file can't be made or opened.
    """
    with _opened(project / LOCK_FILE) as file:
        deadline = time.monotonic() + wait_s
        reported = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                file.seek(0)
                holder = file.read().decode(errors="replace").strip() or "another process"
                if time.monotonic() >= deadline:
                    raise ProjectLocked(
                        str(project),
                        f"{holder} is writing to this project, and was for the {wait_s:.0f} s waited",
                        "Nothing was changed.",
                        "wait for it to end, or end it: the next run completes what it leaves half done",
                    ) from None
                if not reported:
                    on_wait(holder)
                    reported = True
                time.sleep(0.05)
        with suppress(OSError):  # a full disk: who waits will not read whom for
            file.truncate(0)
            file.write(f"process {os.getpid()}\n".encode())
        yield


def is_locked(project: Path) -> bool:
    """Whether somebody holds the lock now; nobody is kept waiting for the answer.

    Parameters
    ----------
    project : the folder that holds the lock's file.
    """
    try:
        with (project / LOCK_FILE).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _opened(path: Path) -> RawIOBase:
    with refusals("Nothing was changed."):
        path.parent.mkdir(exist_ok=True)
        return path.open("ab+", buffering=0)
