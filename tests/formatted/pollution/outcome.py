"""What became of a damaged file, judged by the clean rows and by the lines of the file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pollution.another_table import read_strictly
from pollution.exempt import (
    REST,
    VALUES,
    WHOLE,
    declared,
    expected,
    is_another_table,
    rest_is_another_table,
    stands_alone,
)
from pollution.polluted import Polluted
from pollution.reading import Reading
from pollution.tables import Line, Row

EXACT, QUARANTINED, REFUSED, EXEMPT, SILENT = "exact", "quarantined", "refused", "exempt", "silent"
KINDS = (EXACT, QUARANTINED, REFUSED, EXEMPT, SILENT)


@dataclass(frozen=True)
class Outcome:
    """How a file ended (one of `KINDS`): what is wrong where it is silent, the proof where it is exempt."""

    kind: str
    problem: str = ""
    proof: str = ""


def outcome(file: Polluted, reading: Reading) -> Outcome:
    """Judge what was made of a file.

    exact : the clean rows are formatted, nothing else is, and nothing was turned away.
    quarantined : every formatted row is a clean row, as often at most; each line of the file belongs either
        to a formatted row or to what was turned away, with a reason.
    refused : nothing of the file is formatted.
    exempt : the file, or what is left without the lines in quarantine, is the clean file of another table; in
        the second case each formatted row that is not a clean row is what one line says by itself.
    silent : anything else.
    """
    if reading.crashed:
        return Outcome(SILENT, f"crashed: {reading.refused}")
    if reading.refused is not None:
        return Outcome(REFUSED)
    counted = len(reading.rows) + len(reading.quarantined)
    if reading.counted is not None and reading.counted != counted:
        return Outcome(SILENT, f"{reading.counted} rows counted, {counted} accounted for")
    if not all(reasons and all(reasons) for _, reasons in reading.quarantined):
        return Outcome(SILENT, "quarantined without a reason")
    formatted, clean = Counter(reading.rows), Counter(file.rows)
    wrong = formatted - clean
    problem = _unaccounted(file, reading) if not wrong else f"not a clean row: {next(iter(wrong))!r}"
    if not problem:
        return Outcome(QUARANTINED if reading.quarantined or formatted != clean else EXACT)
    if is_another_table(file, reading):
        return Outcome(EXEMPT, proof=VALUES if reading.quarantined else WHOLE)
    if rest_is_another_table(file, reading) and not _unaccounted(file, reading, alone=True):
        return Outcome(EXEMPT, proof=REST)
    return Outcome(SILENT, problem)


def _unaccounted(file: Polluted, reading: Reading, alone: bool = False) -> str:
    """What is wrong with the account of the file's lines; empty when each is in exactly one place.

    The lines of the rows that were formatted and the lines that were turned away make the file. Blank lines
    count for nothing. A row may be another than the clean one where its line stands `alone`.
    """
    body = [line for line in file.lines if line.role in ("row", "foreign")]
    left = Counter(_physical("".join(line.text for line in body)))
    for raw, _ in reading.quarantined:
        away = Counter(_physical(raw))
        if away - left:
            return f"quarantined, and not in the file: {next(iter(away - left))!r}"
        left -= away
    wanted = Counter(reading.rows)
    rows = expected(file) if alone else list(file.table.rows)
    for other in (False, True) if alone else (False,):
        for line in body:
            lines = Counter(_physical(line.text))
            if lines - left:
                continue
            row = _other_row(file, line, wanted, rows) if other else _clean_row(rows, line, wanted)
            if row is not None:
                wanted[row] -= 1
                left -= lines
    for part in (part for line in body if alone for part in _parts(file, line)):
        lines = Counter([part.record])
        row = None if lines - left else _other_row(file, part, wanted, rows)
        if row is not None:
            wanted[row] -= 1
            left -= lines
    if alone and len(file.table.fields) == 1:
        wanted.pop((None,), None)  # of one column, a blank line is a null
    wanted = +wanted
    if wanted:
        return f"formatted, and its lines were turned away: {next(iter(wanted))!r}"
    return f"neither formatted nor quarantined: {next(iter(left))!r}" if left else ""


def _clean_row(rows: Sequence[Row], line: Line, wanted: Counter[Row]) -> Row | None:
    row = None if line.row is None else rows[line.row]
    return row if row is not None and wanted[row] > 0 else None


def _other_row(file: Polluted, line: Line, wanted: Counter[Row], rows: Sequence[Row]) -> Row | None:
    return next((row for row in +wanted if stands_alone(file, line, row, rows)), None)


def _parts(file: Polluted, line: Line) -> list[Line]:
    """The physical lines of a damaged record that may be read as records of their own.

    Of a text over several lines whose quotes are damaged, each line is a record if it has all its fields and
    nothing says otherwise. A quote says otherwise, in the line itself or, for the first one, in those after
    it; in a table of one column it says nothing. Where all quotes are in their places, the text is one.
    """
    quote = declared(file)[1]
    if quote and len(read_strictly(line.record, file.table.delimiter, quote, "\n") or []) == 1:
        return []
    first, *others = re.split(r"\r\n|\r|\n", line.record)

    def says_nothing(text: str) -> bool:
        return not quote or quote not in text or len(file.table.fields) == 1

    parts = [first] if others and says_nothing("".join(others)) else []
    parts += [text for text in others if text and says_nothing(text)]
    whole = [replace(line, cells=(text,), delimiters=()) for text in parts[:1] if text == first]
    return whole + [Line("foreign", (text,), ()) for text in parts]


def _physical(text: str) -> list[str]:
    """The lines of a text, however they end; blank ones are left out."""
    return [line for line in re.split(r"[\r\n]+", text) if line]
