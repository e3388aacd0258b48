"""What became of a damaged file, judged by the clean rows and by the lines of the file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pollution.another_table import DELIMITERS, Record, is_clean_file, read_strictly
from pollution.polluted import Polluted
from pollution.reading import Reading
from pollution.tables import Line, Row, Table

EXACT, QUARANTINED, REFUSED, EXEMPT, SILENT = "exact", "quarantined", "refused", "exempt", "silent"
WAYS = (("'", None), ("\0", None), ('"', "\\"), ('"', "\0"), ("", None))
KINDS = (EXACT, QUARANTINED, REFUSED, EXEMPT, SILENT)


@dataclass(frozen=True)
class Outcome:
    """How a file ended (one of `KINDS`), and what is wrong with it where it is silent."""

    kind: str
    problem: str = ""


def outcome(file: Polluted, reading: Reading) -> Outcome:
    """Judge what was made of a file.

    exact : the clean rows are formatted, nothing else is, and nothing was turned away.
    quarantined : every formatted row is a clean row, as often at most; each line of the file belongs either
        to a formatted row or to what was turned away, with a reason.
    refused : nothing of the file is formatted.
    exempt : the file is the clean file of another table (`is_another_table`); or each formatted row that is
        not a clean row is what one line of the file says by itself (`stands_alone`).
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
        return Outcome(EXEMPT)
    if not _unaccounted(file, reading, alone=True):
        return Outcome(EXEMPT)
    return Outcome(SILENT, problem)


def is_another_table(file: Polluted, reading: Reading) -> bool:
    """Whether it is the clean file of the rows that were read, and of rows that the contract turns away."""
    text = file.text
    if file.settings.startswith("skip"):
        text = "".join(line.text for line in file.lines if line.role != "layout")
    bad = [raw for raw, _ in reading.quarantined]
    return is_clean_file(text, file.table.fields, reading.rows, *_declared(file), bad=bad)


def stands_alone(file: Polluted, line: Line, row: Row, rows: Sequence[Row]) -> bool:
    """Whether one line, put among the clean ones, makes the clean file of a table that has this row.

    `rows` are the clean rows (`expected`). A line that stood for one of them differs from it in one text at
    most, so that no field is in the place of another. And no other usual way of writing CSV reads the whole
    file without a fault, and this line as another row: a file in single quotes is not a file of texts with
    apostrophes.
    """
    changed = list(range(len(row)))
    if line.row is not None:
        before = rows[line.row]
        changed = [place for place in changed if before[place] != row[place]]
        if [file.table.fields[place].kind for place in changed] != ["str"]:
            return False
    plain = replace(file.table, header_cells=0, row_cells=0)
    if not any(_is_clean_among(file, table, line, row, rows) for table in dict.fromkeys([file.table, plain])):
        return False
    return not _read_otherwise(file, line, changed)


def _is_clean_among(file: Polluted, table: Table, line: Line, row: Row, clean: Sequence[Row]) -> bool:
    delimiter, quote = _declared(file)
    others = [
        (other, values)
        for other, values in zip(table.lines()[1:], clean, strict=True)
        if other.row != line.row and (quote or '"' not in other.record)
    ]
    header = _header(file) if table is file.table else table.lines()[0]
    text = "".join(one.text for one in (header, *(other for other, _ in others), replace(line, end="\n")))
    trailing = [table.row_cells > table.header_cells]
    rows = [*(values for _, values in others), row]
    return is_clean_file(text, table.fields, rows, delimiter, quote, trailing)


def expected(file: Polluted) -> list[Row]:
    """The clean rows, with nulls in the optional columns that the file's header does not name."""
    names = {text for record in _records(_header(file)) for text in _texts(record)}
    lacking = [field.optional and field.name not in names for field in file.table.fields]
    return [
        tuple(None if lacks else value for lacks, value in zip(lacking, row, strict=True))
        for row in file.table.rows
    ]


def _header(file: Polluted) -> Line:
    found = next((line for line in file.lines if line.role == "header"), None)
    return replace(found, end="\n") if found else file.table.lines()[0]


def _records(line: Line) -> list[Record]:
    """The line by the delimiter that it has most often."""
    delimiter = Counter(sign for sign in line.delimiters if sign).most_common(1)
    return read_strictly(line.record, delimiter[0][0] if delimiter else ",", '"', "\n") or []


def _read_otherwise(file: Polluted, line: Line, changed: Sequence[int]) -> bool:
    """Whether another way of writing explains the whole file, and reads the changed fields as others."""
    header = _records(_header(file))
    names = set(_texts(header[0])) if header else set()

    def read(text: str, delimiter: str, quote: str, escape: str | None) -> list[list[str]]:
        return [_texts(record) for record in read_strictly(text, delimiter, quote, "\n", escape) or []]

    usual = read(line.record, file.table.delimiter, '"', None)
    for quote, escape in WAYS:
        for delimiter in DELIMITERS:
            if len(names) == 1 and not (quote and quote + "\n" in file.text.replace("\r", "\n")):
                continue  # every text is a table of one column
            records = read(file.text, delimiter, quote, escape)
            if not records or len({*map(len, records)}) > 1 or not names <= {*records[0]}:
                continue
            other = read(line.record, delimiter, quote, escape)
            if [len(record) for record in other] != [len(record) for record in usual]:
                return True
            if any(
                one[place] != two[place] for one, two in zip(other, usual, strict=True) for place in changed
            ):
                return True
    return False


def _texts(record: Record) -> list[str]:
    return [cell.text for cell in record]


def _declared(file: Polluted) -> tuple[str | None, str]:
    """The delimiter and the quote that the settings name."""
    found = dict(re.findall(r"^(delimiter|quote) = [\"'](.*)[\"']$", file.section, re.MULTILINE))
    return found.get("delimiter", "").replace("\\t", "\t") or None, found.get("quote", '"')


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
    quote = _declared(file)[1]
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
