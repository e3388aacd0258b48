"""Cases of SQL and what becomes of it, beside each other in `fixtures`."""

from __future__ import annotations

from pathlib import Path

FIXTURES = Path(__file__).parent / "fixtures"


def cases(file: str) -> list[list[str]]:
    """The blocks of a fixture file, each the parts of one case, between lines of `---`."""
    blocks = (FIXTURES / file).read_text(encoding="utf-8").split("\n---\n")
    return [block.strip("\n").split("\n--> ") for block in blocks if block.strip()]
