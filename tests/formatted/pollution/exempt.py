"""Proofs that no reader can know a file to be damaged: its bytes are the clean file of another table.

Three proofs, the widest last:

- `WHOLE`: the file is the clean file of the rows that were formatted.
- `VALUES`: it is the clean file of those rows and of rows that the contract turned away for a value.
- `REST`: without the lines in quarantine, it is the clean file of the rows that were formatted. And each row
  that is not a clean row is what one line says by itself (`stands_alone`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pollution.another_table import DELIMITERS, Record, is_clean_file, read_strictly
from pollution.polluted import Polluted
from pollution.reading import Reading
from pollution.tables import Line, Row, Table

WHOLE, VALUES, REST = "whole", "values", "rest"
PROOFS = (WHOLE, VALUES, REST)
WAYS = (("'", None), ("\0", None), ('"', "\\"), ('"', "\0"), ("", None))


def is_another_table(file: Polluted, reading: Reading) -> bool:
    """Whether it is the clean file of the rows that were read, and of rows that the contract turns away."""
    bad = [raw for raw, _ in reading.quarantined]
    return is_clean_file(
        _text(file),
        file.table.fields,
        reading.rows,
        *declared(file),
        bad=bad,
        knows_null=reading.knows_null,
    )


def rest_is_another_table(file: Polluted, reading: Reading) -> bool:
    """Whether the header and the accepted lines, byte for byte, are the clean file of the rows read.

    Spaces may follow a closing quote, as in a line that gives its clean row in spite of them.
    """
    trailing = {False, file.table.row_cells > file.table.header_cells}
    turned_away = [raw for raw, _ in reading.quarantined]
    return any(
        is_clean_file(
            rest,
            file.table.fields,
            reading.rows,
            *declared(file),
            trailing=sorted(trailing),
            knows_null=reading.knows_null,
            spaced=True,
        )
        for rest in (_without(file, turned_away, end) for end in (r"\r?\n", r"\r"))
        if rest is not None
    )


def _text(file: Polluted) -> str:
    """The file's text without the lines that its settings skip."""
    if file.settings.startswith("skip"):
        return "".join(line.text for line in file.lines if line.role != "layout")
    return file.text


def _without(file: Polluted, turned_away: Sequence[str], end: str) -> str | None:
    """The file's text without some of its records, which come in its order; None where it has them not.

    `end` is the pattern of its line ends.
    """
    text = _text(file)
    header = next((line.record for line in file.lines if line.role == "header"), "")
    place = text.index(header) + len(header)
    for record in turned_away:
        found = re.compile(rf"(?<![^\r\n]){re.escape(record)}(?:{end}|\Z)").search(text, place)
        if found is None:
            return None
        place = found.start()
        text = text[:place] + text[found.end() :]
    return text


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
    delimiter, quote = declared(file)
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


def declared(file: Polluted) -> tuple[str | None, str]:
    """The delimiter and the quote that the settings name."""
    found = dict(re.findall(r"^(delimiter|quote) = [\"'](.*)[\"']$", file.section, re.MULTILINE))
    return found.get("delimiter", "").replace("\\t", "\t") or None, found.get("quote", '"')
