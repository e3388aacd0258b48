"""How the records of a CSV file are written, following what DuckDB's `read_csv` takes in its strict mode.

- A field is quoted when it begins with a quote, or with one space and a quote; spaces may follow the closing
  quote. A quote anywhere else in an unquoted field is an ordinary character.
- Empty fields beyond the last column (`a,b,c,` for three columns) are dropped, and the record is good.
- A blank line is no record, except in a file of one column, where it is a record with an empty value.
- A carriage return outside quotes is only good as a part of a line ending.

NUL bytes and invalid UTF-8 are ordinary bytes here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from backbone.errors import SettingsError

MAX_RECORD = 2_000_000
"""Bytes of the longest record; DuckDB's own default (`max_line_size`)."""

LF, CR, SPACE = 10, 13, 32


@dataclass(frozen=True)
class Grammar:
    r"""How the records of one file are written.

    Parameters
    ----------
    delimiter : one ASCII character between fields.
    quote : one ASCII character around fields, or None.
    escape : what makes a quote inside a quoted field literal: the quote itself, another ASCII character, or
        None when nothing does.
    columns : fields in each record.
    body : byte offset at which the records begin, after byte order mark, skipped lines and header.
    body_line : physical line number, from 1, at `body`.
    max_record : bytes of the longest record, its line ending included; `split` calls a longer one broken.

    Examples
    --------
    >>> Grammar(columns=3).delimiter
    ','
    >>> Grammar(delimiter="·")
    Traceback (most recent call last):
    ...
    backbone.errors.SettingsError: delimiter: expected one ASCII character, found '·'.
    Next: rewrite the file with another delimiter
    """

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = '"'
    columns: int = 1
    body: int = 0
    body_line: int = 1
    max_record: int = MAX_RECORD

    def __post_init__(self) -> None:
        for name in ("delimiter", "quote", "escape"):
            sign: str | None = getattr(self, name)
            if sign is None and name != "delimiter":
                continue
            if sign is None or len(sign) != 1 or not sign.isascii() or sign in "\r\n":
                raise SettingsError(
                    name,
                    f"expected one ASCII character, found {sign!r}",
                    next_step=f"rewrite the file with another {name}",
                )
        if self.delimiter in (self.quote, self.escape if self.quote else None):
            raise SettingsError("delimiter", f"{self.delimiter!r} is also the quote or the escape")
        if self.columns < 1:
            raise SettingsError("columns", f"expected at least 1, found {self.columns}")

    @property
    def quote_byte(self) -> int:
        """The quote's code, or -1."""
        return ord(self.quote) if self.quote else -1

    @property
    def parity_tells(self) -> bool:
        """Whether a newline lies in a quoted field exactly when an odd number of quotes precedes it."""
        return self.quote is None or self.escape in (None, self.quote)

    @cached_property
    def pattern(self) -> Pattern:
        """The compiled expressions of this grammar."""
        return Pattern.of(self)


@dataclass(frozen=True)
class Pattern:
    """Regular expressions of a grammar; none of them ever backtracks into a matched field."""

    run: re.Pattern[bytes]  # as many whole records and blank lines as there are
    one: re.Pattern[bytes]  # one record with its line ending, which only the end of the file may omit
    lexical: re.Pattern[bytes]  # one record of a different number of fields
    plain: re.Pattern[bytes]  # one field that isn't quoted
    quoted: re.Pattern[bytes]  # one quoted field
    opening: re.Pattern[bytes]  # the beginning of a quoted field
    line_ends: re.Pattern[bytes]  # a quoted field (group 1) or the carriage return of a line ending

    @staticmethod
    def of(grammar: Grammar) -> Pattern:
        comma = re.escape(grammar.delimiter.encode())
        text = rb"[^" + comma + rb"\r\n]*+"
        if grammar.quote is None:
            opening = quoted = rb"(?!)"
            field, empty, starts = text, b"", rb"(?!)"
        else:
            quote = re.escape(grammar.quote.encode())
            space, spaces = (b"", b"") if grammar.delimiter == " " else (b" ?+", b" *+")
            if grammar.escape is None:
                inside = rb"[^" + quote + rb"]*+"
            elif grammar.escape == grammar.quote:
                inside = rb"(?:[^" + quote + rb"]++|" + quote + quote + rb")*+"
            else:
                escape = re.escape(grammar.escape.encode())
                inside = rb"(?:[^" + quote + escape + rb"]++|" + escape + rb"[\x00-\xff])*+"
            opening = space + quote
            quoted = opening + inside + quote + spaces
            first = rb"[^" + comma + quote + rb" \r\n]"
            field = rb"(?:" + first + text + rb"|" + quoted + rb"|(?!" + opening + rb")" + text + rb")"
            empty = rb"(?:" + quote + quote + rb")?+"
            starts = rb"(?:(?<=[" + comma + rb"\n])|\A)" + quoted
        others = rb"(?:" + comma + field + rb"){"
        beyond = rb"(?:" + comma + empty + rb")*+"
        record = field + others + str(grammar.columns - 1).encode() + rb"}+" + beyond
        some = field + others + b"0," + str(2 * grammar.columns + 8).encode() + rb"}+"
        return Pattern(
            run=re.compile(rb"(?:(?:" + record + rb")?+\r?\n)*+"),
            one=re.compile(record + rb"(?:\r?\n|\r?\Z)"),
            lexical=re.compile(some + rb"(?:\r?\n|\r?\Z)"),
            plain=re.compile(text),
            quoted=re.compile(quoted),
            opening=re.compile(opening),
            line_ends=re.compile(rb"(" + starts + rb")|\r(?=\n|\Z)"),
        )
