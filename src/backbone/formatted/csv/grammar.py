"""How the records of a CSV file are written: which are accepted, since there is one way to read them.

- Every record has as many fields as `columns` says; another number is a reason for quarantine.
- A field is quoted when it begins with a quote, or with one space and a quote; spaces may follow the closing
  quote. So DuckDB's `read_csv` takes them in its strict mode.
- A quote anywhere else, in an unquoted field, is an ordinary character (inches: `5" pipe`). A reader that
  took it for the beginning of a quoted text would see the same fields if such quotes come in pairs, or stand
  in the last field. Elsewhere it would see others, and the record is not accepted.
- A blank line is no record, except in a file of one column, where it is a record with an empty value.
- Lines end in LF or CR LF, or in CR alone throughout (`line_end`); the other sign is only good inside quotes.

NUL bytes and invalid UTF-8 are ordinary bytes here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from backbone.engines.duckdb.raw_file import MAX_RECORD
from backbone.errors import SettingsError
from backbone.formatted.csv.passed_over import Beginning

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
    line_end : the last byte of every line, LF (10) or CR (13).
    body : byte offset at which the records begin, after byte order mark, skipped lines and header.
    body_line : physical line number, from 1, at `body`.
    max_record : bytes of the longest record, its line ending included; `split` calls a longer one broken.
    beginnings : how lines begin that are no records and are passed over.

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
    line_end: int = LF
    body: int = 0
    body_line: int = 1
    max_record: int = MAX_RECORD
    beginnings: tuple[Beginning, ...] = ()

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

    @property
    def eol(self) -> bytes:
        """The last byte of every line."""
        return bytes([self.line_end])

    @cached_property
    def pattern(self) -> Pattern:
        """The compiled expressions of this grammar."""
        return Pattern.of(self)


@dataclass(frozen=True)
class Pattern:
    """Regular expressions of a grammar; none of them ever backtracks into a matched field."""

    run: re.Pattern[bytes]  # as many accepted records without a quote in an unquoted field as there are
    lines: re.Pattern[bytes]  # as many accepted records as there are, each on a line of its own
    one: re.Pattern[
        bytes
    ]  # one accepted record with its line ending, which only the end of the file may omit
    lexical: re.Pattern[bytes]  # one record of any number of fields
    plainly: re.Pattern[bytes]  # fields without a quote in an unquoted one, as many as there are
    plain: re.Pattern[bytes]  # one field that isn't quoted
    quoted: re.Pattern[bytes]  # one quoted field
    opening: re.Pattern[bytes]  # the beginning of a quoted field

    @staticmethod
    def of(grammar: Grammar) -> Pattern:
        comma = re.escape(grammar.delimiter.encode())
        text = rb"[^" + comma + rb"\r\n]*+"
        if grammar.quote is None:
            opening = quoted = short = rb"(?!)"
            bare = paired = last = text
        else:
            quote = re.escape(grammar.quote.encode())
            space, spaces = (b"", b"") if grammar.delimiter == " " else (b" ?+", b" *+")
            opening = space + quote
            quoted = opening + _inside(grammar, quote, b"") + quote + spaces
            short = opening + _inside(grammar, quote, rb"\r\n") + quote + spaces
            letters = rb"[^" + comma + quote + rb"\r\n]*+"
            bare = letters
            paired = rb"(?!" + opening + rb")" + letters + rb"(?:" + (quote + letters) * 2 + rb")*+"
            last = rb"(?!" + opening + rb")" + text
        end = rb"\r" if grammar.line_end == CR else rb"\r?\n"
        final = rb"(?:" + end + (rb"|\Z)" if grammar.line_end == CR else rb"|\r?\Z)")

        passed = b"|".join(beginning.pattern for beginning in grammar.beginnings)
        none_passed = rb"(?!" + passed + rb")" if passed else b""

        def record(field: bytes, last: bytes) -> bytes:
            others = str(grammar.columns - 1).encode()
            return (
                none_passed + rb"(?:(?:" + field + rb")" + comma + rb"){" + others + rb"}+(?:" + last + rb")"
            )

        strict = record(quoted + rb"|" + bare, quoted + rb"|" + bare)
        line = record(short + rb"|" + paired, short + rb"|" + last)
        some = rb"(?:" + quoted + rb"|" + last + rb")"
        more = rb"(?:" + comma + some + rb"){0," + str(2 * grammar.columns + 8).encode() + rb"}+"
        return Pattern(
            run=re.compile(rb"(?:(?:" + strict + rb")?+" + end + rb")*+"),
            lines=re.compile(rb"(?:(?:" + line + rb")?+" + end + rb")*+"),
            one=re.compile(record(quoted + rb"|" + paired, quoted + rb"|" + last) + final),
            lexical=re.compile(some + more + final),
            plainly=re.compile(
                rb"(?:"
                + quoted
                + rb"|"
                + bare
                + rb")(?:"
                + comma
                + rb"(?:"
                + quoted
                + rb"|"
                + bare
                + rb"))*+"
            ),
            plain=re.compile(text),
            quoted=re.compile(quoted),
            opening=re.compile(opening),
        )


def _inside(grammar: Grammar, quote: bytes, refused: bytes) -> bytes:
    """What stands between the quotes of a field, without the bytes of `refused`."""
    if grammar.escape is None:
        return rb"[^" + quote + refused + rb"]*+"
    if grammar.escape == grammar.quote:
        return rb"(?:[^" + quote + refused + rb"]++|" + quote + quote + rb")*+"
    escape = re.escape(grammar.escape.encode())
    escaped = rb"[^" + refused + rb"]" if refused else rb"[\x00-\xff]"
    return rb"(?:[^" + quote + escape + refused + rb"]++|" + escape + escaped + rb")*+"
