"""What docs/csv-pollution.md says of Backbone's outcomes, as numbers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pollution.exempt import PROOFS
from pollution.outcome import KINDS

PAGE = Path(__file__).parents[3] / "docs" / "csv-pollution.md"
SPLIT = " · "


def totals() -> Counter[str]:
    """Files by outcome; those of other readers are not here."""
    return _counted(next(cells for cells in _table("totals") if cells[0] == "Backbone"))


def by_table() -> dict[str, Counter[str]]:
    """Files by outcome, for each clean table."""
    return {cells[0]: _counted(cells) for cells in _table("tables")}


def by_family() -> dict[str, Counter[str]]:
    """Files by outcome, for each way to damage them."""
    found = {}
    for family, files, outcomes, *_ in _table("families"):
        numbers = map(_number, outcomes.split(SPLIT))
        found[family] = Counter(dict(zip(KINDS, numbers, strict=True)))
        assert found[family].total() == _number(files), family
    return found


def by_proof() -> Counter[str]:
    """Exempt files by proof."""
    return Counter({proof: _number(files) for proof, files in _table("proofs")})


def exempt_kinds() -> dict[str, Counter[str]]:
    """Exempt files by proof, for each kind."""
    return {
        family: Counter(dict(zip(PROOFS, map(_number, numbers.split(SPLIT)), strict=True)))
        for family, numbers, *_ in _table("exempt")
    }


def _counted(cells: list[str]) -> Counter[str]:
    name, files, *numbers = cells
    counts = Counter(dict(zip(KINDS, map(_number, numbers), strict=True)))
    assert counts.total() == _number(files), name
    return counts


def _table(name: str) -> list[list[str]]:
    """The cells of a generated table, without its heading; a pipe in a cell has a backslash before it."""
    part = PAGE.read_text(encoding="utf-8").partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def _number(text: str) -> int:
    return int(text.replace(",", ""))
