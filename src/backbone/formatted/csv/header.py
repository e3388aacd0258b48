"""How a CSV file is laid out: its line ends, delimiter and header, and where its records begin."""

from __future__ import annotations

import codecs
import csv
import mmap
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from backbone.engines.duckdb.raw_file import MAX_RECORD
from backbone.errors import BatchRefused
from backbone.formatted.binding import fold_name, source_of
from backbone.formatted.csv.grammar import CR, LF, Grammar, Pattern
from backbone.formatted.csv.passed_over import BEFORE_HEADER, COMMENT, beginnings_of
from backbone.source_settings import USUAL_DELIMITERS, SourceSettings

SEPARATOR = re.compile(rb'"?sep=([^"\r\n\x80-\xff])"?')
RECORDS_SEEN = 100
MOST_BEFORE = 100_000  # lines before the header


@dataclass(frozen=True)
class Layout:
    """Where the records of a file begin, and what stands before them.

    Attributes
    ----------
    names : the header's fields; of a file without a header, none.
    delimiter : what stands between fields.
    body, body_line, line_end : as in `Grammar`.
    passed : lines before the one that begins as `skip_until` says.
    comments : lines before the header that are comments.
    header_rows : its rows, where there are several; `names` are joined from them.
    """

    names: tuple[str, ...]
    delimiter: str
    body: int
    body_line: int
    line_end: int = LF
    passed: int = 0
    comments: int = 0
    header_rows: tuple[tuple[str, ...], ...] = ()

    @property
    def passed_lines(self) -> Counter[str]:
        """How many lines before the header were passed over, by kind."""
        return Counter({BEFORE_HEADER: self.passed, COMMENT: self.comments})

    def grammar(self, settings: SourceSettings, columns: int) -> Grammar:
        """How the records are written."""
        quote = settings.quote or None
        escape = (settings.escape if settings.escape is not None else quote) or None
        return Grammar(
            self.delimiter,
            quote,
            escape,
            columns,
            self.line_end,
            body=self.body,
            body_line=self.body_line,
            beginnings=beginnings_of(settings, self.delimiter, self.line_end),
        )


def read_layout(path: Path, wanted: Collection[str], settings: SourceSettings, where: str) -> Layout:
    r"""Read what stands before the records of a file.

    A byte order mark is passed over, then the lines of `skip`, those before `skip_until`, then comments, a
    line `sep=;` (which names the delimiter), and blank lines. Where neither that line nor the settings name
    the delimiter, it is the one that gives most of the wanted names; of equal ones, most names that nearly
    are.

    Parameters
    ----------
    path : an uncompressed file that is not empty.
    wanted : the names of the columns to find.

    Raises
    ------
    BatchRefused
        When the header can't be read: a quote that isn't closed; no line begins as `skip_until` says.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_bytes(b'sep=;\nid;"long\nname"\n1;2\n')
    >>> found = read_layout(path, ["id"], SourceSettings(), "a.csv")
    >>> found.names, found.delimiter, found.body, found.body_line, found.line_end
    (('id', 'long\nname'), ';', 21, 4, 10)
    """
    with path.open("rb") as file:
        line_end = _line_end(file, settings.quote)
        begin = len(codecs.BOM_UTF8) if file.read(3) == codecs.BOM_UTF8 else 0
        line = 1
        for _ in range(settings.skip):
            begin, line = _after(file, begin, line, line_end)
        begin, line, passed = _found(file, begin, line, line_end, settings.skip_until, where)
        comments = 0
        while settings.comment is not None and _begins(file, begin, settings.comment):
            begin, line = _after(file, begin, line, line_end)
            comments += 1
        before = Layout((), ",", begin, line, line_end, passed, comments)
        file.seek(begin)
        delimiter = settings.delimiter
        stated = SEPARATOR.fullmatch(next(_lines(file, line_end, 16), b"").rstrip(b"\r\n"))
        if stated:
            delimiter = delimiter or stated.group(1).decode()
            begin, line = _after(file, begin, line, line_end)
            before = replace(before, body=begin, body_line=line)
        if not settings.header:
            return replace(before, delimiter=delimiter or ",")
        best: Layout | None = None
        unreadable: csv.Error | None = None
        for sign in (delimiter,) if delimiter else USUAL_DELIMITERS:
            try:
                found = _header(file, sign, settings, replace(before, delimiter=sign))
            except csv.Error as error:  # a quoted name is followed by the delimiter, and by no other sign
                unreadable = unreadable or error
                continue
            if best is None or _matches(found.names, wanted, settings) > _matches(
                best.names, wanted, settings
            ):
                best = found
    if best is None:
        raise BatchRefused(
            where,
            f"line {line}: the header can't be read ({unreadable})",
            "Nothing of the file is formatted.",
            "mend the first lines of the file, or say how it is written: delimiter, quote, escape, skip",
        )
    return best


def _begins(file: IO[bytes], place: int, text: str) -> bool:
    """Whether the file goes on so from a place."""
    file.seek(place)
    return file.read(len(text.encode())) == text.encode()


def _found(
    file: IO[bytes], begin: int, line: int, line_end: int, text: str | None, where: str
) -> tuple[int, int, int]:
    """The place and number of the first line that begins with a text, and how many lines are before it."""
    if text is None:
        return begin, line, 0
    file.seek(begin)
    passed = 0
    for raw in _lines(file, line_end, MAX_RECORD):
        if raw.startswith(text.encode()):
            return begin, line + passed, passed
        if passed == MOST_BEFORE:
            break
        begin, passed = begin + len(raw), passed + 1
    raise BatchRefused(
        where,
        f"expected a line that begins with skip_until = {text!r}, found none in {passed:,} lines",
        "Nothing of the file is formatted.",
        f"mend skip_until in [sources.{source_of(where)}], or have the file delivered again",
    )


def _matches(names: Collection[str], wanted: Collection[str], settings: SourceSettings) -> tuple[int, int]:
    """How many of the wanted names are there: exactly, and at least nearly; those of unpivot too."""
    nearly = {fold_name(name) for name in wanted}.intersection(map(fold_name, names))
    found = set(names).intersection(wanted)
    cells = 0 if settings.unpivot is None else len(settings.unpivot.of(tuple(names), found))
    return len(found) + cells, len(nearly)


def ends_in_delimiter(path: Path, grammar: Grammar, *, closed: bool = False) -> bool:
    r"""Whether most of the first hundred records have one more field than `columns`, which is empty.

    It is a column, and no delimiter too many, where one of them has something in it. And where the last
    column is empty without it in several, and in more than a fifth, the others may hold a delimiter that
    quotes should enclose. Neither is asked where the header ends in a delimiter too.

    Parameters
    ----------
    closed : whether it does.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_bytes(b'1,2,\n3,4,\n5,6\n')
    >>> ends_in_delimiter(path, Grammar(columns=2))
    True
    """
    with path.open("rb") as file:
        if grammar.body >= path.stat().st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            records, ending, filled, without = 0, 0, 0, 0
            comma = grammar.delimiter.encode()
            quoted_empty = comma + 2 * (grammar.quote or "").encode()
            exact, wider = grammar.pattern, replace(grammar, columns=grammar.columns + 1).pattern
            passed = [re.compile(beginning.pattern) for beginning in grammar.beginnings]
            position = grammar.body
            while position < len(data) and records < RECORDS_SEEN:
                stop = min(position + grammar.max_record, len(data))
                if any(pattern.match(data, position) for pattern in passed):
                    position = data.find(grammar.eol, position, stop) + 1 or stop
                    continue
                found = exact.lexical.match(data, position, stop)
                end = found.end() if found else data.find(grammar.eol, position, stop) + 1 or stop
                text = data[position:end].rstrip(b"\r\n")
                if text or grammar.columns == 1:
                    records += 1
                    if _is_one(wider, data, position, end):
                        is_empty = text.endswith(comma) or (closed and text.endswith(quoted_empty))
                        ending += is_empty
                        filled += not is_empty
                    else:
                        without += text.endswith(comma) and _is_one(exact, data, position, end)
                position = end
    may_be_column = filled or (without >= 2 and 5 * without > records)
    return 2 * ending > records and (closed or not may_be_column)


def _is_one(pattern: Pattern, data: mmap.mmap, start: int, stop: int) -> bool:
    found = pattern.one.match(data, start, stop)
    return found is not None and found.end() == stop


def newline_before(path: Path, body: int) -> str:
    """How the line before the records ends, or the first one where there is none before."""
    with path.open("rb") as file:
        if body >= 2:
            file.seek(body - 2)
            return r"\r\n" if file.read(2) == b"\r\n" else r"\n"
        return r"\r\n" if file.readline(65536).endswith(b"\r\n") else r"\n"


def _header(file: IO[bytes], delimiter: str, settings: SourceSettings, layout: Layout) -> Layout:
    """The first records that are not blank, and where they end; no names for a file without one."""
    quote = settings.quote or None
    escape = settings.escape if settings.escape is not None else quote
    doubled = escape == quote
    file.seek(layout.body)
    body, line = layout.body, layout.body_line

    def texts() -> Iterator[str]:
        nonlocal body, line
        for raw in _lines(file, layout.line_end, MAX_RECORD):
            if body - layout.body >= MAX_RECORD:
                return
            body += len(raw)
            line += raw[-1] == layout.line_end
            yield raw.decode("utf-8", "replace")

    reader = csv.reader(
        texts(),
        delimiter=delimiter,
        quotechar=quote,
        quoting=csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL,
        doublequote=doubled,
        escapechar=None if doubled or quote is None else escape or None,
        strict=True,
    )
    rows, begin = list[list[str]](), layout.body
    for fields in reader:
        if fields:
            at = file.tell()
            _refuse_two_readings(file, replace(layout, body=begin), body, settings)
            file.seek(at)
            rows.append([name.strip() for name in fields] if settings.trim else fields)
        begin = body
        if len(rows) == settings.header_rows:
            break
    layout = replace(layout, body=body, body_line=line)
    if len(rows) < 2:
        return replace(layout, names=tuple(rows[0]) if rows else ())
    width = max(map(len, rows))
    padded = tuple((*row, *[""] * (width - len(row))) for row in rows)
    names = tuple(" ".join(filter(None, map(str.strip, parts))) for parts in zip(*padded, strict=True))
    return replace(layout, names=names, header_rows=padded)


def _refuse_two_readings(file: IO[bytes], layout: Layout, stop: int, settings: SourceSettings) -> None:
    """Raise where a name that is not quoted has a quote: the names could be told apart in two ways."""
    if not settings.quote:
        return
    file.seek(layout.body)
    text = file.read(stop - layout.body).strip(b"\r\n")
    if settings.quote.encode() in text and not layout.grammar(settings, 1).pattern.plainly.fullmatch(text):
        raise csv.Error('a name has a quote inside; quote = "" takes quotes as text')


def _line_end(file: IO[bytes], quote: str) -> int:
    """CR where the first line end outside quotes is a CR that no LF follows; else LF. The file is rewound."""
    file.seek(0)
    start = file.read(65536)
    if b"\r" in start.replace(b"\r\n", b""):
        while b"\n" not in start[-65536:] and len(start) < MAX_RECORD and (more := file.read(65536)):
            start += more
        sign = re.escape(quote.encode()) if quote else b"(?!)"
        outside = re.sub(sign + rb"[^" + sign + rb"]*+" + sign, b"", start) if quote else start
        found = re.search(rb"[\r\n]", outside)
        if found and found.group() == b"\r" and outside[found.end() : found.end() + 1] != b"\n":
            file.seek(0)
            return CR
    file.seek(0)
    return LF


def _lines(file: IO[bytes], line_end: int, longest: int) -> Iterator[bytes]:
    """The lines from here on, each with its ending; a longer one in pieces."""
    if line_end == LF:
        while raw := file.readline(longest):
            yield raw
        return
    rest = b""
    while True:
        cut = rest.find(b"\r") + 1 or (longest if len(rest) >= longest else 0)
        if cut:
            yield rest[:cut]
            rest = rest[cut:]
        elif more := file.read(min(longest, 65536)):
            rest += more
        else:
            break
    if rest:
        yield rest


def _after(file: IO[bytes], begin: int, line: int, line_end: int) -> tuple[int, int]:
    """The place and number of the line after the one that begins here."""
    file.seek(begin)
    for raw in _lines(file, line_end, MAX_RECORD):
        begin += len(raw)
        if raw[-1] == line_end:
            return begin, line + 1
    return begin, line
