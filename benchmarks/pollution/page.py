"""The outcomes as Markdown tables, and the exempt kinds with an example each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from pollution.outcome import EXEMPT, KINDS
from pollution.polluted import Polluted
from pollution.reading import Reading

Outcomes = Mapping[str, Mapping[str, Counter[str]]]  # tool, family, kind of outcome
SHOWN = 160  # characters of an example's text


def totals(outcomes: Outcomes) -> str:
    """One line for each tool."""
    lines = [f"| | files | {' | '.join(KINDS)} |", "|---" * (len(KINDS) + 2) + "|"]
    for tool, by_family in outcomes.items():
        counts: Counter[str] = Counter()
        for one in by_family.values():
            counts += one
        numbers = " | ".join(f"{counts[kind]:,}" for kind in KINDS)
        lines.append(f"| {tool} | {counts.total():,} | {numbers} |")
    return "\n".join(lines)


def families(outcomes: Outcomes) -> str:
    """One line for each family of damage: the silent files of each tool, of how many."""
    names = list(dict.fromkeys(family for by_family in outcomes.values() for family in by_family))
    lines = [f"| what was done | files | {' | '.join(outcomes)} |", "|---" * (len(outcomes) + 2) + "|"]
    for family in names:
        cells = []
        for by_family in outcomes.values():
            counts = by_family.get(family, Counter())
            cells.append(" · ".join(f"{counts[kind]:,}" for kind in KINDS) if counts else "–")
        files = max(by_family[family].total() for by_family in outcomes.values() if family in by_family)
        lines.append(f"| {family} | {files:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def exempt(files: Iterable[tuple[Polluted, Reading, str]]) -> str:
    """Each exempt kind with the shortest file of it, and what is formatted besides the clean rows."""
    shortest: dict[str, tuple[Polluted, Reading]] = {}
    for one, reading, kind in files:
        if kind != EXEMPT:
            continue
        known = shortest.get(one.family)
        if known is None or len(one.text) < len(known[0].text):
            shortest[one.family] = one, reading
    lines = ["| kind | example | formatted |", "|---|---|---|"]
    for family, (one, reading) in shortest.items():
        other = [row for row in reading.rows if row not in one.table.rows]
        read = " ".join(_shown(row) for row in other[:2]) or "fewer rows"
        lines.append(f"| {family} | {one.kind}: {_code(one.text)} | {read} |")
    return "\n".join(lines)


def _shown(row: tuple[object, ...]) -> str:
    return _code(", ".join("null" if value is None else str(value) for value in row))


def _code(text: str) -> str:
    """A text in one cell of a table, control characters escaped."""
    written = json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("|", "\\|")
    return f"`{written[:SHOWN]}{'…' if len(written) > SHOWN else ''}`"


def write_between(page: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->` in a page."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{page} has no place for {name}")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
