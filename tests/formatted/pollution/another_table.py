"""Whether a damaged file is, byte for byte, the clean file of another table of the same contract.

A slow reader and a slow writer, which share nothing with the package, settle it. The reader takes the file
apart and stops at anything that a correct writer does not write. The writer then writes the *formatted* rows,
with the quotes that the file shows, and must give the same bytes. So nothing can be exempt in a file that
holds a record which disagrees with the others: the writer would have to write that record too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from pollution.tables import Field, Row, as_text

DELIMITERS = (",", ";", "\t", "|")
LINE_ENDS = ("\r\n", "\n", "\r")


@dataclass(frozen=True)
class Cell:
    """The text of a field, whether quotes stand around it, and the spaces after them."""

    text: str
    quoted: bool
    spaces: str = ""

    def written(self, quote: str) -> str:
        quoted = quote + self.text.replace(quote, quote * 2) + quote + self.spaces
        return quoted if self.quoted else self.text

    def holds(self, value: object, knows_null: bool = True) -> bool:
        """Whether it is the usual text of a value; a null is an empty field without quotes."""
        text = as_text(value)
        if not knows_null and not text:
            return self.text == ""
        if text is None:
            return self.text == "" and not self.quoted
        if isinstance(value, Decimal):
            return re.fullmatch(r"-?\d+(\.\d+)?", self.text) is not None and Decimal(self.text) == value
        return self.text == text and (text != "" or self.quoted)


Record = tuple[Cell, ...]


def is_clean_file(
    text: str,
    fields: Sequence[Field],
    rows: Sequence[Row],
    delimiter: str | None = None,
    quote: str = '"',
    trailing: Sequence[bool] = (False, True),
    bad: Sequence[str] = (),
    knows_null: bool = True,
    spaced: bool = False,
) -> bool:
    r"""Whether some way of writing CSV makes exactly this text of exactly these rows.

    Parameters
    ----------
    text : the whole file, without a byte order mark.
    fields : the contract's.
    rows : what was formatted, in the file's order.
    delimiter : the one that the settings name; else any usual one will do.
    quote : the one that the settings name; empty for none.
    trailing : whether every row may end in a delimiter that the header lacks.
    bad : records of the file that are no rows because of a value: a null, a text where a number belongs.
    knows_null : whether the reader knows a null from an empty text.
    spaced : whether spaces may follow a closing quote.

    Examples
    --------
    >>> id_name = [Field("id", "int"), Field("name")]
    >>> is_clean_file('id,name\n1,"a,b"\n', id_name, [(1, "a,b")])
    True

    A record with another number of fields is no part of a clean file, whatever was formatted:

    >>> is_clean_file('id,name\n1,tea\n2,,cake\n', id_name, [(1, "tea")])
    False

    Nor is one whose fields depend on how its quotes are read:

    >>> is_clean_file('id,name,note\n1,2" x 4",y\n', [Field("id"), Field("name"), Field("note")],
    ...               [("1", '2" x 4"', "y")])
    True
    >>> is_clean_file('id,name,note\n1,2"a,b",\n', [Field("id"), Field("name"), Field("note")],
    ...               [("1", '2"a', 'b"')])
    False
    """
    return any(
        _is_written(text, fields, rows, bad, _Style(sign, quote, end, extra, knows_null, spaced))
        for sign in ([delimiter] if delimiter else DELIMITERS)
        for end in LINE_ENDS
        for extra in trailing
    )


@dataclass(frozen=True)
class _Style:
    delimiter: str
    quote: str
    end: str
    trailing: bool
    knows_null: bool
    spaced: bool


def _is_written(
    text: str, fields: Sequence[Field], rows: Sequence[Row], bad: Sequence[str], style: _Style
) -> bool:
    first, body = "", text
    stated = re.match(r'("?sep=(.)"?)' + re.escape(style.end), text)
    if stated and stated.group(2) == style.delimiter:
        first, body = stated.group(), text[stated.end() :]
    records = read_strictly(body, style.delimiter, style.quote, style.end, spaced=style.spaced)
    if not records:
        return False
    blank = (Cell("", False),)
    begun = next((place for place, record in enumerate(records) if record != blank), 0)
    header, records = records[begun], records[begun + 1 :]
    names = [cell.text for cell in header]
    if any(names.count(one.name) > 1 or (one.name not in names and not one.optional) for one in fields):
        return False
    width = len(header) + style.trailing
    left, turned_away = list(reversed(rows)), list(bad)
    written = [""] * begun + [_written(header, style)]
    for record in records:
        if width > 1 and record == blank:
            written.append("")
            continue
        if len(record) != width or (style.trailing and record[-1] != blank[0]):
            return False
        if not _has_one_reading(record, style):
            return False
        of_row = _of_row(record, names, fields, left[-1], style) if left else None
        if of_row is not None:
            left.pop()
            written.append(_written(of_row, style))
            continue
        if _written(record, style) not in turned_away:
            return False
        turned_away.remove(_written(record, style))
        written.append(_written(record, style))
    whole = first + style.end.join(written)
    return (
        not left
        and not turned_away
        and _has_one_reading(header, style)
        and text in (whole, whole + style.end)
    )


def _of_row(
    record: Record, names: Sequence[str], fields: Sequence[Field], row: Row, style: _Style
) -> Record | None:
    """The record with the row's own texts, and the cells that no field reads; None for another row."""
    values = dict(zip((field.name for field in fields), row, strict=True))
    if any(value is not None for name, value in values.items() if name not in names):
        return None
    cells = []
    for place, cell in enumerate(record):
        name = names[place] if place < len(names) else ""
        if name in values and not cell.holds(values[name], style.knows_null):
            return None
        text = as_text(values[name]) or "" if name in values else cell.text
        cells.append(replace(cell, text=cell.text if isinstance(values.get(name), Decimal) else text))
    return tuple(cells)


def _written(record: Record, style: _Style) -> str:
    return style.delimiter.join(cell.written(style.quote) for cell in record)


def read_strictly(
    text: str, delimiter: str, quote: str, end: str, escape: str | None = None, spaced: bool = False
) -> list[Record] | None:
    r"""The records of a text, one character at a time; None where a correct writer wrote no such text.

    Parameters
    ----------
    escape : what stands before a quote that is part of a text; None for the quote itself, empty where nothing
        does and a quote closes the text when a delimiter or a line end follows.
    spaced : whether spaces may follow a closing quote.

    Examples
    --------
    >>> read_strictly('a,"b"\n', ",", '"', "\n")
    [(Cell(text='a', quoted=False, spaces=''), Cell(text='b', quoted=True, spaces=''))]
    >>> read_strictly('a,"b"c\n', ",", '"', "\n") is None
    True
    >>> read_strictly('a,"b"c"\n', ",", '"', "\n", escape="")
    [(Cell(text='a', quoted=False, spaces=''), Cell(text='b"c', quoted=True, spaces=''))]
    """
    records: list[Record] = []
    record: list[Cell] = []
    place = 0
    while place < len(text) or record:
        if quote and text.startswith(quote, place):
            found = _quoted(text, place + 1, delimiter, quote, end, quote if escape is None else escape)
            if found is None:
                return None
            value, place = found
            begun = place
            while spaced and text.startswith(" ", place):
                place += 1
            record.append(Cell(value, True, text[begun:place]))
        else:
            stop = place
            while stop < len(text) and text[stop] not in (delimiter, "\r", "\n"):
                stop += 1
            record.append(Cell(text[place:stop], False))
            place = stop
        if place == len(text) or text.startswith(end, place):
            records.append(tuple(record))
            record = []
            place += len(end)
        elif text.startswith(delimiter, place):
            place += len(delimiter)
        else:
            return None
    return records


def _quoted(
    text: str, place: int, delimiter: str, quote: str, end: str, escape: str
) -> tuple[str, int] | None:
    """The text that begins behind a quote, and the place behind the quote that closes it."""
    value = ""
    while place < len(text):
        sign, following = text[place], text[place + 1 : place + 2]
        if escape and sign == escape and following == quote:
            value, place = value + quote, place + 2
        elif sign == quote and (escape or not following or text.startswith((delimiter, end), place + 1)):
            return value, place + 1
        else:
            value, place = value + sign, place + 1
    return None


def _has_one_reading(record: Record, style: _Style) -> bool:
    """Whether the record has the same fields for a reader to whom every quote opens or closes a text."""
    quote = style.quote
    if not quote or not any(quote in cell.text and not cell.quoted for cell in record):
        return True
    fields, inside = 1, False
    for sign in _written(record, style):
        if sign == quote:
            inside = not inside
        elif sign == style.delimiter and not inside:
            fields += 1
    return fields == len(record)
