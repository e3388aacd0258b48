"""Write a file so that what has its name is always whole."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write_whole(file: Path, text: str) -> None:
    """Write a text beside its place and rename it; to a pipe or a device it is written at once.

    When it can't be written, the error names the file, and one that was there before is as it was.
    """
    target = file.resolve()
    if target.exists() and not target.is_file() and not target.is_dir():
        target.write_text(text, encoding="utf-8")
        return
    new = target.with_name(
        f".{os.getpid()}.new"
    )  # not after the file: that may have the longest name there is
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(target)
    except BaseException as error:
        with suppress(OSError):
            new.unlink()
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(file)) from error
        raise
