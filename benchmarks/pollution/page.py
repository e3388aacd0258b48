"""The outcomes as Markdown tables, and the exempt kinds with an example each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from pollution.exempt import PROOFS
from pollution.outcome import EXEMPT, KINDS, Outcome
from pollution.polluted import Polluted
from pollution.reading import Reading

Outcomes = Mapping[str, Mapping[str, Counter[str]]]  # tool, family, kind of outcome
Judged = Sequence[tuple[Polluted, Reading, Outcome]]
SHOWN = 160  # characters of an example's text


def totals(outcomes: Outcomes) -> str:
    """One line for each tool."""
    return _counted("", {tool: sum(each.values(), Counter()) for tool, each in outcomes.items()})


def by_table(judged: Judged) -> str:
    """One line for each clean table."""
    counts: dict[str, Counter[str]] = {}
    for one, _, found in judged:
        counts.setdefault(one.table.name, Counter())[found.kind] += 1
    return _counted("clean table", counts)


def _counted(what: str, counts: Mapping[str, Counter[str]]) -> str:
    lines = [f"| {what} | files | {' | '.join(KINDS)} |", "|---" * (len(KINDS) + 2) + "|"]
    for name, by_kind in counts.items():
        numbers = " | ".join(f"{by_kind[kind]:,}" for kind in KINDS)
        lines.append(f"| {name} | {by_kind.total():,} | {numbers} |")
    return "\n".join(lines)


def families(outcomes: Outcomes) -> str:
    """One line for each family of damage: its files, and each tool's outcomes."""
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


def proofs(judged: Judged) -> str:
    """How many files are exempt by each proof."""
    counts = Counter(found.proof for *_, found in judged if found.kind == EXEMPT)
    lines = ["| proof | exempt files |", "|---|---|"]
    return "\n".join([*lines, *(f"| {proof} | {counts[proof]:,} |" for proof in PROOFS)])


def exempt(judged: Judged) -> str:
    """Each exempt kind: its files by proof, the shortest one, and which rows of it are no clean rows."""
    kinds: dict[str, list[tuple[Polluted, Reading, Outcome]]] = {}
    for one, reading, found in judged:
        if found.kind == EXEMPT:
            kinds.setdefault(one.family, []).append((one, reading, found))
    lines = [f"| kind | {' · '.join(PROOFS)} | example | formatted |", "|---|---|---|---|"]
    for family, alike in kinds.items():
        counts = Counter(found.proof for *_, found in alike)
        numbers = " · ".join(f"{counts[proof]:,}" for proof in PROOFS)
        one, reading, _ = min(alike, key=lambda each: len(each[0].text))
        other = [row for row in reading.rows if row not in one.table.rows]
        read = " ".join(_shown(row) for row in other[:2]) or "fewer rows"
        lines.append(f"| {family} | {numbers} | {one.kind}: {_code(one.text)} | {read} |")
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
