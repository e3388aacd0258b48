"""Damage to delimiters and quotes: of one line, of a column in all lines, of the header alone."""

from __future__ import annotations

from collections.abc import Iterator

from pollution.polluted import Polluted
from pollution.tables import Line, Table

SIGNS = (" ", ",", ";", "\t", "|", ":")
NAMES = {" ": "a space", ",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a pipe", ":": "a colon"}
Edit = tuple[str, str]  # what is done, and to which field


def edits(line: Line, delimiter: str) -> dict[Edit, Line]:
    """Every way to damage a line by one delimiter or quote, and a few by several of them."""
    found: dict[Edit, Line] = {}
    others = [sign for sign in SIGNS if sign != delimiter]
    last = len(line.cells) - 1
    for place in range(last):
        after = f"after field {place + 1}"
        found["delimiter removed", after] = line.with_delimiter(place, "")
        for sign in others:
            found[f"delimiter replaced by {NAMES[sign]}", after] = line.with_delimiter(place, sign)
    for place, cell in enumerate(line.cells):
        at = f"field {place + 1}"
        half = len(cell) // 2
        found["delimiter added", f"before {at}"] = line.with_cell(place, delimiter + cell)
        if half:
            halves = cell[:half] + delimiter + cell[half:]
            found["delimiter added", f"in the middle of {at}"] = line.with_cell(place, halves)
            halves = cell[:half] + '"' + cell[half:]
            found["quote added", f"in the middle of {at}"] = line.with_cell(place, halves)
        found["quote added", f"before {at}"] = line.with_cell(place, '"' + cell)
        found["quote added", f"after {at}"] = line.with_cell(place, cell + '"')
        found["quotes added", f"around {at}"] = line.with_cell(place, f'"{cell}"')
        if len(cell) >= 2 and cell[0] == cell[-1] == '"':
            found["opening quote removed", at] = line.with_cell(place, cell[1:])
            found["closing quote removed", at] = line.with_cell(place, cell[:-1])
            found["both quotes removed", at] = line.with_cell(place, cell[1:-1])
            inner = cell[1:-1].find('""') + 1
            if inner:
                found["one of two quotes removed", at] = line.with_cell(
                    place, cell[:inner] + cell[inner + 1 :]
                )
            spaced = line.with_cell(place, " " + cell)
            found["space added", f"before {at}"] = spaced
            found["space added", f"after {at}"] = line.with_cell(place, cell + " ")
    found["delimiter added", "at the end"] = line.with_cell(last, line.cells[last] + delimiter)
    for sign in others if last else ():
        replaced = Line(line.role, line.cells, (sign,) * last, line.end, line.row)
        found[f"every delimiter replaced by {NAMES[sign]}", "all fields"] = replaced
    return found


def in_one_line(table: Table) -> Iterator[Polluted]:
    """Every edit of every line, one at a time."""
    lines = table.lines()
    for number, line in enumerate(lines):
        scope = "header" if line.role == "header" else "one row"
        which = "header" if line.row is None else f"row {line.row + 1}"
        for (kind, place), edited in edits(line, table.delimiter).items():
            damaged = (*lines[:number], edited, *lines[number + 1 :])
            yield Polluted(f"{kind}, {scope}", f"{which}, {place}", table, damaged, row=line.row)


def in_a_column(table: Table) -> Iterator[Polluted]:
    """Every edit, done to all rows at once: with the header and without it."""
    lines = table.lines()
    edited = [edits(line, table.delimiter) for line in lines]
    keys = dict.fromkeys(key for one in edited[1:] for key in one)
    for kind, place in keys:
        rows = [one.get((kind, place), line) for one, line in zip(edited[1:], lines[1:], strict=True)]
        for scope, header in (
            ("all rows", lines[0]),
            ("header and rows", edited[0].get((kind, place), lines[0])),
        ):
            yield Polluted(f"{kind}, {scope}", place, table, (header, *rows))
