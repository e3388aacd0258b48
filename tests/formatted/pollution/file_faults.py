"""Damage to a file as a whole: its signs, line ends and encoding, and lines that are no rows."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from pollution.line_faults import NAMES, SIGNS
from pollution.polluted import Polluted
from pollution.tables import Line, Table

NUL = "\0"


def _every(lines: Iterable[Line], change: Callable[[str], str]) -> tuple[Line, ...]:
    """The same change to every cell."""
    return tuple(replace(line, cells=tuple(map(change, line.cells))) for line in lines)


def _foreign(text: str) -> Line:
    return Line("foreign", (text,), ())


def _layout(text: str) -> Line:
    return Line("layout", (text,), ())


def _is_quoted(cell: str) -> bool:
    return len(cell) >= 2 and cell[0] == cell[-1] == '"'


def signs(table: Table) -> Iterator[Polluted]:
    """Another quote, escape or delimiter throughout."""
    lines = table.lines()

    def requoted(quote: str) -> Callable[[str], str]:
        def change(cell: str) -> str:
            if not _is_quoted(cell):
                return cell
            return quote + cell[1:-1].replace('""', '"').replace(quote, quote * 2) + quote

        return change

    def escaped(escape: str) -> Callable[[str], str]:
        return lambda cell: (
            f'"{cell[1:-1].replace(chr(34) * 2, escape + chr(34))}"' if _is_quoted(cell) else cell
        )

    for name, quote, declared in (("'", "'", 'quote = "\'"'), ("NUL", NUL, ""), ("none", "", 'quote = ""')):
        kind, changed = f"quote changed to {name}", _every(lines, requoted(quote))
        if quote:
            everywhere = _every(changed, lambda cell, q=quote: cell if cell[:1] == q else q + cell + q)  # type: ignore[misc]
            yield Polluted(f"every field in {name} quotes", "file", table, everywhere)
        yield Polluted(kind, "file", table, changed)
        if declared:
            yield Polluted(f"{kind}, declared", "file", table, changed, settings=declared)
    for name, escape, declared in (
        ("a backslash", "\\", 'escape = "\\\\"'),
        ("NUL", NUL, ""),
        ("none", "", ""),
    ):
        changed = _every(lines, escaped(escape))
        yield Polluted(f"escape changed to {name}", "file", table, changed)
        if declared:
            yield Polluted(f"escape changed to {name}, declared", "file", table, changed, settings=declared)
    for sign in (*SIGNS, NUL):
        if sign == table.delimiter:
            continue
        name = NAMES.get(sign, "NUL")
        changed = tuple(replace(line, delimiters=(sign,) * len(line.delimiters)) for line in lines)
        yield Polluted(f"delimiter changed to {name}", "file", table, changed)
        if sign != NUL:
            written = "\\t" if sign == "\t" else sign
            declared = f'delimiter = "{written}"'
            other = replace(table, delimiter=sign)
            right = tuple(other.lines())
            yield Polluted(f"delimiter changed to {name}, declared", "file", table, right, settings=declared)
            yield Polluted(f"another writer's file, with {name}", "file", table, right)


def line_ends(table: Table) -> Iterator[Polluted]:
    """Other line ends, also within quotes; doubled, mixed and missing ones; blank lines."""
    lines = table.lines()

    def ended(*ends: str) -> list[Line]:
        return [replace(line, end=ends[n % len(ends)]) for n, line in enumerate(lines)]

    for name, ends in (
        ("CR LF", ("\r\n",)),
        ("CR", ("\r",)),
        ("CR CR LF", ("\r\r\n",)),
        ("LF CR", ("\n\r",)),
        ("doubled LF", ("\n\n",)),
        ("LF and CR LF mixed", ("\n", "\r\n")),
        ("CR LF and LF mixed", ("\r\n", "\n")),
        ("LF and CR mixed", ("\n", "\r")),
        ("CR and LF mixed", ("\r", "\n")),
    ):
        changed = ended(*ends)
        yield Polluted(f"line ends {name}", "file", table, tuple(changed))
        without = (*changed[:-1], replace(changed[-1], end=""))
        yield Polluted(f"line ends {name}, none at the end", "file", table, without)
    for name, end in (("CR LF", "\r\n"), ("CR", "\r")):
        inside = _every(ended(end), lambda cell, e=end: cell.replace("\n", e))  # type: ignore[misc]
        yield Polluted(f"line ends {name}, within quotes too", "file", table, inside)
    yield Polluted("no line end at the end", "file", table, (*lines[:-1], replace(lines[-1], end="")))
    half = len(lines) // 2
    for name, blank in (("blank line", ""), ("line of spaces", "  "), ("line of delimiters", "")):
        text = (
            lines[0].delimiters[0] * len(lines[0].delimiters)
            if "delim" in name and len(table.fields) > 1
            else blank
        )
        one = _foreign(text)
        for place, at in (
            ("first", 0),
            ("after the header", 1),
            ("in the middle", half),
            ("last", len(lines)),
        ):
            yield Polluted(f"{name} added", place, table, (*lines[:at], one, *lines[at:]))


def encodings(table: Table) -> Iterator[Polluted]:
    """Byte order marks and other encodings, as they come and declared."""
    lines = tuple(table.lines())
    yield Polluted("UTF-8 with a byte order mark", "file", table, lines, mark=codecs.BOM_UTF8)
    for name, encoding, mark in (
        ("UTF-16 with a mark", "utf-16-le", codecs.BOM_UTF16_LE),
        ("UTF-16, other order, with a mark", "utf-16-be", codecs.BOM_UTF16_BE),
        ("UTF-16 without a mark", "utf-16-le", b""),
        ("Latin-1", "latin-1", b""),
    ):
        declared = "utf-16" if mark else encoding
        yield Polluted(name, "file", table, lines, encoding, mark)
        yield Polluted(f"{name}, declared", "file", table, lines, encoding, mark, f'encoding = "{declared}"')


def headers(table: Table) -> Iterator[Polluted]:
    """Lines before the header, no header, several of them, and `sep=`."""
    lines = table.lines()
    header, rows = lines[0], lines[1:]
    width, comma = len(header.cells), table.delimiter
    for name, above in (
        ("a title", ["Export of January"]),
        ("two lines", ["Export of January", "by the till"]),
        ("a title as wide", [comma.join(["Export"] + [""] * (width - 1))]),
        ("a group row", [comma.join(f"group {n // 2}" for n in range(width))]),
        ("a comment", ["# exported by the till"]),
    ):
        damaged = (*map(_foreign, above), *lines)
        yield Polluted(f"preamble: {name}", "first", table, damaged)
        skipped = (*map(_layout, above), *lines)
        yield Polluted(f"preamble: {name}, skipped", "first", table, skipped, settings=f"skip = {len(above)}")
    yield Polluted("no header", "file", table, tuple(rows))
    yield Polluted("no header, declared", "file", table, tuple(rows), settings="header = false")
    again = replace(header, role="foreign")
    half = len(lines) // 2
    for place, at in (("first", 0), ("second", 1), ("in the middle", half), ("last", len(lines))):
        damaged = (*lines[:at], again, *lines[at:])
        if at == 0:
            damaged = (header, again, *rows)
        yield Polluted("header repeated", place, table, damaged)
    shouted = replace(again, cells=tuple(cell.upper() for cell in header.cells))
    yield Polluted(
        "header repeated in capitals", "in the middle", table, (*lines[:half], shouted, *lines[half:])
    )
    for name, cells in (
        ("units", tuple("-" for _ in header.cells)),
        ("types", tuple("text" for _ in header.cells)),
        ("the second half of the names", tuple(cell[:1] for cell in header.cells)),
    ):
        yield Polluted(
            f"second header row: {name}", "second", table, (header, replace(again, cells=cells), *rows)
        )
    for sign in SIGNS:
        other = replace(table, delimiter=sign)
        damaged = (_layout(f"sep={sign}"), *other.lines())
        yield Polluted(f"first line sep=, with {NAMES[sign]}", "first", table, damaged)
        if sign != comma:
            wrong = (_layout(f"sep={sign}"), *lines)
            yield Polluted(f"first line sep= of another sign, {NAMES[sign]}", "first", table, wrong)


def other_lines(table: Table) -> Iterator[Polluted]:
    """Footers, and a second table below."""
    lines, comma = table.lines(), table.delimiter
    width = len(lines[0].cells)
    for name, text in (
        ("a word", "Total"),
        ("a sentence", f"{len(table.rows)} rows exported"),
        ("a comment", "# end"),
        ("a rule", "-----"),
        ("a total", comma.join(["Total", *[""] * (width - 2), "42"][:width])),
        ("numbers", comma.join(["42"] * width)),
        ("empty fields and a word", comma.join([""] * (width - 1) + ["end"])),
        ("too many delimiters", "Total" + comma * width),
    ):
        yield Polluted(f"footer: {name}", "last", table, (*lines, _foreign(text)))
        cut = (*lines, replace(_foreign(text), end=""))
        yield Polluted(f"footer: {name}, no line end", "last", table, cut)
    below = [("fewer", width - 1), ("as many", width), ("more", width + 1)]
    for name, count in below:
        if count < 1:
            continue
        second = [_foreign(comma.join(f"other {n}" for n in range(count)))]
        second += [_foreign(comma.join(str(10 * row + n) for n in range(count))) for row in (1, 2)]
        yield Polluted(f"second table with {name} columns", "below", table, (*lines, *second))
        apart = (*lines, _foreign(""), *second)
        yield Polluted(f"second table with {name} columns, after a blank line", "below", table, apart)
        texts = [_foreign(comma.join(f"w{row}{n}" for n in range(count))) for row in (1, 2)]
        apart = (*lines, _foreign(""), second[0], *texts)
        yield Polluted(f"second table of text with {name} columns, after a blank line", "below", table, apart)
    again = [replace(lines[0], role="foreign"), *lines[1:]]
    yield Polluted("the table twice", "below", table, (*lines, *again))
    yield Polluted("the table twice, after a blank line", "below", table, (*lines, _foreign(""), *again))


def sizes(table: Table) -> Iterator[Polluted]:
    """Files with fewer rows or bytes, or columns."""
    lines = table.lines()
    header, rows, comma = lines[0], lines[1:], table.delimiter
    yield Polluted("header only", "file", table, (header,))
    yield Polluted("header only, no line end", "file", table, (replace(header, end=""),))
    yield Polluted("empty file", "file", table, ())
    yield Polluted("a line end only", "file", table, (_layout(""),))
    yield Polluted("one data row", "file", table, (header, rows[0]))
    last = rows[-1]
    for name, count in (("a third", 3), ("a half", 2)):
        left = last.record[: len(last.record) // count]
        cut = Line("row", (left,), (), "", last.row)
        yield Polluted(f"cut off after {name} of the last row", "last", table, (*lines[:-1], cut))
    cut = Line("row", (last.record[:-1],), (), "", last.row)
    yield Polluted("cut off before the last character", "last", table, (*lines[:-1], cut))

    def less(line: Line, place: int) -> Line:
        cells = (*line.cells[:place], *line.cells[place + 1 :])
        return replace(line, cells=cells or ("",), delimiters=line.delimiters[1:])

    def more(line: Line, place: int) -> Line:
        cell = f"extra{place}" if line.role == "header" else "9"
        return replace(
            line,
            cells=(*line.cells[:place], cell, *line.cells[place:]),
            delimiters=(*line.delimiters, comma),
        )

    for name, change, places in (
        ("less", less, range(len(header.cells))),
        ("more", more, range(len(header.cells) + 1)),
    ):
        for place in places:
            if name == "less" and len(header.cells) == 1:
                continue
            where = f"field {place + 1}"
            changed = [change(line, place) for line in lines]
            yield Polluted(f"one column {name}, header", where, table, (changed[0], *rows))
            yield Polluted(f"one column {name}, rows", where, table, (header, *changed[1:]))
            yield Polluted(f"one column {name}, header and rows", where, table, tuple(changed))


def in_the_file(table: Table) -> Iterator[Polluted]:
    """All of the above, and the clean file."""
    yield Polluted("clean", "file", table, tuple(table.lines()))
    for part in (signs, line_ends, encodings, headers, other_lines, sizes):
        yield from part(table)
