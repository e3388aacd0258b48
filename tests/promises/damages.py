"""Ways in which a file can be damaged."""

from __future__ import annotations

import random
from pathlib import Path


def gone(file: Path) -> None:
    file.unlink()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def longer(file: Path) -> None:
    with file.open("ab") as opened:
        opened.write(b"and more")


def garbage(file: Path) -> None:
    file.write_bytes(random.Random(0).randbytes(file.stat().st_size))
