"""Scratch folders whose processes have died."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def remove_abandoned(scratch: Path) -> None:
    """Remove what dead runs and readers left; a reader's folder ends in its process's number."""
    for folder in scratch.glob("*"):
        process = folder.name.rpartition("-")[2]
        if not (process.isdigit() and _is_alive(int(process))):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
