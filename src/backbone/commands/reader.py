"""The name under which a command that only reads keeps its scratch files."""

from __future__ import annotations

import os


def reader_name() -> str:
    """A name of this process alone, so that commands that run at the same time share no scratch folder."""
    return f"reader-{os.getpid()}"
