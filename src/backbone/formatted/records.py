"""Where the records of a CSV file begin and end, told independently of the engine that parses it.

DuckDB parses the file; this module only counts, splits and locates. It works on the plain bytes of a file
on disk, in bounded memory, and follows what DuckDB's `read_csv` takes for a record in its strict mode:

- A field is quoted when it begins with a quote, or with one space and a quote; spaces may follow the closing
  quote. A quote anywhere else in an unquoted field is an ordinary character.
- Empty fields beyond the last column (`a,b,c,` for three columns) are dropped, and the record is good.
- A blank line is no record, except in a file of one column, where it is a record with an empty value.
- A carriage return outside quotes is only good as a part of a line ending.

NUL bytes and invalid UTF-8 are ordinary bytes here.
"""

from __future__ import annotations

import contextlib
import csv
import mmap
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backbone.errors import BatchRefused, SettingsError

CHUNK = 1 << 19
"""Bytes looked at in one go by `count_records` and `locate`."""

MAX_RECORD = 2_000_000
"""Bytes of the longest record; DuckDB's own default (`max_line_size`)."""

_BOM = b"\xef\xbb\xbf"
_LF, _CR, _SPACE = 10, 13, 32

Positions = NDArray[np.int64]


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
    def pattern(self) -> _Pattern:
        """The compiled expressions of this grammar."""
        return _Pattern.of(self)


@dataclass(frozen=True)
class _Pattern:
    """Regular expressions of a grammar; none of them ever backtracks into a matched field."""

    run: re.Pattern[bytes]  # as many whole records and blank lines as there are
    one: re.Pattern[bytes]  # one record with its line ending, which only the end of the file may omit
    lexical: re.Pattern[bytes]  # one record of a different number of fields
    plain: re.Pattern[bytes]  # one field that isn't quoted
    quoted: re.Pattern[bytes]  # one quoted field
    opening: re.Pattern[bytes]  # the beginning of a quoted field
    line_ends: re.Pattern[bytes]  # a quoted field (group 1) or the carriage return of a line ending

    @staticmethod
    def of(grammar: Grammar) -> _Pattern:
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
        return _Pattern(
            run=re.compile(rb"(?:(?:" + record + rb")?+\r?\n)*+"),
            one=re.compile(record + rb"(?:\r?\n|\r?\Z)"),
            lexical=re.compile(some + rb"(?:\r?\n|\r?\Z)"),
            plain=re.compile(text),
            quoted=re.compile(quoted),
            opening=re.compile(opening),
            line_ends=re.compile(rb"(" + starts + rb")|\r(?=\n|\Z)"),
        )


class _Unclear(Exception):
    """A quote inside an unquoted field: the parity of quotes says nothing."""


@dataclass
class _Chunk:
    """A stretch of the file in memory; two bytes that precede it come first."""

    data: bytearray
    view: NDArray[np.uint8]
    size: int
    offset: int  # of view[2] in the file

    def has(self, byte: int) -> bool:
        return byte >= 0 and self.data.find(byte, 2, self.size + 2) >= 0


def _chunks(path: Path, body: int, chunk: int) -> Iterator[_Chunk]:
    """Read the file from `body` on; the one buffer is reused."""
    data = bytearray(chunk + 2)
    data[:2] = b"\n\n"
    view = np.frombuffer(data, dtype=np.uint8)
    window = memoryview(data)[2:]
    with path.open("rb", buffering=0) as file:
        file.seek(body)
        offset = body
        while size := file.readinto(window):
            yield _Chunk(data, view[: size + 2], size, offset)
            data[:2] = data[size : size + 2]
            offset += size


def _ends(chunk: _Chunk, grammar: Grammar, odd: int) -> tuple[Positions, Positions, int]:
    """Positions in `view` of all newlines, and of those that end a record or a blank line; the new parity."""
    view = chunk.view
    newline = view == _LF
    newline[:2] = False
    if not chunk.has(grammar.quote_byte):
        newlines = np.flatnonzero(newline)
        return newlines, newlines[:0] if odd else newlines, odd
    quote = view == grammar.quote_byte
    quote[:2] = False
    marks = np.flatnonzero(newline | quote)
    quotes = quote[marks]
    inside = (np.cumsum(quotes, dtype=np.int32) + odd) & 1 == 1
    opened = marks[quotes & inside]
    before, comma = view[opened - 1], ord(grammar.delimiter)
    clear = (before == comma) | (before == _LF) | (before == grammar.quote_byte)
    if not clear.all():
        odd_ones = opened[~clear]
        earlier = view[odd_ones - 2]
        if not ((view[odd_ones - 1] == _SPACE) & ((earlier == comma) | (earlier == _LF))).all():
            raise _Unclear
    return marks[~quotes], marks[~quotes & ~inside], int(inside[-1])


def count_records(path: Path, grammar: Grammar, chunk: int = CHUNK) -> int | None:
    r"""Number of records in a file, by the parity of its quotes, or None when that can't tell.

    Parameters
    ----------
    path : an uncompressed file.
    grammar : how its records are written; the number of `columns` only matters in that a blank line is a
        record when there is one column.
    chunk : bytes in memory at a time.

    Returns
    -------
    None when a character other than the quote escapes quotes, when a quote is never closed or stands inside
    an unquoted field, and when all line endings are lone carriage returns.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_bytes(b'1,"x\ny"\n\n2,z')
    >>> count_records(path, Grammar(columns=2))
    2
    >>> _ = path.write_bytes(b'1,"x\n2,z')
    >>> count_records(path, Grammar(columns=2)) is None
    True
    """
    path = Path(path)
    if not grammar.parity_tells:
        return None
    records = odd = 0
    newlines = returns = False
    last = b"\n\n"
    for part in _chunks(path, grammar.body, chunk):
        view, has_return = part.view, part.has(_CR) or part.data[1] == _CR
        returns = returns or has_return
        last = bytes(part.data[part.size : part.size + 2])
        if part.has(grammar.quote_byte):
            try:
                every, ends, odd = _ends(part, grammar, odd)
            except _Unclear:
                return None
            newlines = newlines or bool(every.size)
            records += ends.size
            if grammar.columns > 1:
                before = view[ends - 1]
                records -= int(np.count_nonzero(before == _LF))
                if has_return:
                    records -= int(np.count_nonzero((before == _CR) & (view[ends - 2] == _LF)))
            continue
        newline = view == _LF
        found = int(np.count_nonzero(newline[2:]))
        newlines = newlines or bool(found)
        if odd:
            continue
        records += found
        if grammar.columns > 1:
            records -= int(np.count_nonzero(newline[2:] & newline[1:-1]))
            if has_return:
                return_ = view[1:-1] == _CR
                records -= int(np.count_nonzero(newline[2:] & return_ & newline[:-2]))
    if odd or (returns and not newlines):
        return None
    return records + int(last[-1:] != b"\n" and last != b"\n\r")


@dataclass(frozen=True, slots=True)
class Broken:
    """A physical line that is no record, or the several lines of one record with the wrong number of fields.

    Attributes
    ----------
    line : physical line number, from 1, in the original file.
    raw : its bytes without the line ending.
    reason : what is wrong with it, as the end of a sentence that begins with "line 7".
    """

    line: int
    raw: bytes
    reason: str


@dataclass(frozen=True)
class Split:
    """A malformed file taken apart.

    Attributes
    ----------
    broken : the lines that are no records, in order.
    segments : shape (k,), the 0-based lines of the cleaned file at which a stretch without gaps begins.
    origins : shape (k,), the physical line numbers, from 1, of the same lines in the original file.
    good_bytes : size of the cleaned file.
    """

    broken: list[Broken]
    segments: Positions
    origins: Positions
    good_bytes: int

    def original_lines(self, lines: Positions) -> Positions:
        """Line numbers in the original file of lines of the cleaned file, both from 1.

        Examples
        --------
        >>> split = Split([], np.array([0, 10]), np.array([2, 15]), 99)
        >>> split.original_lines(np.array([1, 10, 11])).tolist()
        [2, 11, 15]
        """
        zero_based = np.asarray(lines, dtype=np.int64) - 1
        if not zero_based.size:
            return zero_based
        segment = np.searchsorted(self.segments, zero_based, side="right") - 1
        return self.origins[segment] + (zero_based - self.segments[segment])


def split(path: Path, grammar: Grammar, cleaned: Path) -> Split:
    r"""Copy the good records of a file to `cleaned`, and list the lines that are none.

    Where no record begins, one physical line is broken and the next one is tried: a quote that is never
    closed costs one line. A record over several lines that only has the wrong number of fields is broken as
    a whole, unless one of its lines is a good record without any quote.

    Parameters
    ----------
    path : an uncompressed file.
    grammar : how its records should be written.
    cleaned : overwritten; every line ending outside quotes becomes a newline (read it with
        `new_line='\n'`), blank lines stay, and a last record that lacks its newline gets one.

    Returns
    -------
    The broken lines in memory; the good bytes never are.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.csv").write_bytes(b'1,"x\n2,y\n3,z,3')
    >>> for line in split(folder / "a.csv", Grammar(columns=2), folder / "b.csv").broken:
    ...     print(line.line, line.raw, line.reason)
    1 b'1,"x' a quoted field is not closed
    3 b'3,z,3' has 3 fields, expected 2
    >>> (folder / "b.csv").read_bytes()
    b'2,y\n'
    """
    path = Path(path)
    size = path.stat().st_size
    broken: list[Broken] = []
    segments: list[int] = []
    origins: list[int] = []
    good_bytes = good_lines = 0
    position, line = grammar.body, grammar.body_line
    adjoins = False  # whether the record at `position` follows the one written last
    with path.open("rb") as source, Path(cleaned).open("wb") as target:
        if position >= size:
            none = np.empty(0, dtype=np.int64)
            return Split(broken, none, none, 0)
        data = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
        with data:
            while position < size:
                stop = _good_until(data, grammar, position, size)
                if stop > position:
                    good = _with_newlines(data[position:stop], grammar)
                    if not adjoins:
                        segments.append(good_lines)
                        origins.append(line)
                    target.write(good)
                    lines = good.count(b"\n")
                    good_bytes += len(good)
                    good_lines += lines
                    line += lines
                    position, adjoins = stop, True
                    continue
                stop = _broken_until(data, grammar, position, size)
                raw = data[position:stop]
                record = raw.removesuffix(b"\n").removesuffix(b"\r")
                broken.append(Broken(line, record, _reason(record, grammar)))
                line += raw.count(b"\n")
                position, adjoins = stop, False
    return Split(broken, np.array(segments, dtype=np.int64), np.array(origins, dtype=np.int64), good_bytes)


def _good_until(data: mmap.mmap, grammar: Grammar, position: int, size: int) -> int:
    """Where the good records from `position` on end, at most `max_record` bytes further."""
    limit = min(position + grammar.max_record, size)
    found = grammar.pattern.run.match(data, position, limit)
    stop = found.end() if found else position
    if stop == position and limit == size:
        last = grammar.pattern.one.match(data, position, size)
        if last and last.end() == size:
            return size
        if grammar.columns > 1 and size - position == 1 and data[position] == _CR:
            return size
    return stop


def _broken_until(data: mmap.mmap, grammar: Grammar, position: int, size: int) -> int:
    """Where the broken line, or the record of several lines with the wrong number of fields, ends."""
    stop = data.find(b"\n", position) + 1 or size
    if grammar.quote is None:
        return stop
    limit = min(position + grammar.max_record, size)
    found = grammar.pattern.lexical.match(data, position, limit)
    if not found or found.end() <= stop or (limit < size and data[found.end() - 1] != _LF):
        return stop
    inner, quote = stop, grammar.quote.encode()
    while inner < found.end():
        following = data.find(b"\n", inner) + 1 or size
        alone = grammar.pattern.one.match(data, inner, following)
        if alone and alone.end() == following and data.find(quote, inner, following) < 0:
            return stop
        inner = following
    return found.end()


def _with_newlines(good: bytes, grammar: Grammar) -> bytes:
    """The same records, each ended by a newline alone."""
    if b"\r" in good:
        if grammar.quote is None or grammar.quote.encode() not in good:
            good = good.replace(b"\r\n", b"\n")
        else:
            try:
                good = _without_returns(good, grammar)
            except _Unclear:
                good = grammar.pattern.line_ends.sub(rb"\1", good)
        good = good.removesuffix(b"\r")
    return good if good.endswith(b"\n") else good + b"\n"


def _without_returns(good: bytes, grammar: Grammar) -> bytes:
    """The same, by the parity of quotes."""
    if not grammar.parity_tells:
        raise _Unclear
    data = bytearray(b"\n\n" + good)
    view = np.frombuffer(data, dtype=np.uint8)
    _, ends, _ = _ends(_Chunk(data, view, len(good), 0), grammar, 0)
    kept = np.ones(view.size, dtype=np.bool_)
    kept[ends - 1] = view[ends - 1] != _CR
    kept[:2] = False
    return view[kept].tobytes()


def _reason(raw: bytes, grammar: Grammar) -> str:
    """What is wrong with a broken line."""
    pattern, fields, position = grammar.pattern, 1, 0
    if len(raw) >= grammar.max_record:
        return f"is longer than {grammar.max_record:,} bytes"
    if b"\r" not in raw and (grammar.quote is None or grammar.quote.encode() not in raw):
        return f"has {raw.count(grammar.delimiter.encode()) + 1} fields, expected {grammar.columns}"
    while True:
        quoted = pattern.opening.match(raw, position) is not None
        found = (pattern.quoted if quoted else pattern.plain).match(raw, position)
        if found is None:
            return "a quoted field is not closed"
        position = found.end()
        if position == len(raw):
            return f"has {fields} fields, expected {grammar.columns}"
        if raw[position] != ord(grammar.delimiter):
            return "text after a closing quote" if quoted else "a carriage return outside quotes"
        position += 1
        fields += 1


def locate(
    path: Path, grammar: Grammar, rows: Positions, split: Split | None = None, chunk: int = CHUNK
) -> pa.Table:
    r"""Line number and text of some records of a well-formed file.

    Parameters
    ----------
    path : an uncompressed file, or the cleaned file of a split with `body=0` and `body_line=1` in its
        grammar.
    grammar : how its records are written.
    rows : shape (n,), ordinals of the wanted records, from 0, sorted and unique.
    split : where the lines of a cleaned file come from, so that `line` speaks of the original file.
    chunk : bytes in memory at a time.

    Returns
    -------
    row int64, line int64 (physical, from 1, where the record begins), raw string (without the line ending;
    bytes that aren't UTF-8 are replaced).

    Raises
    ------
    BatchRefused
        When the file has fewer records, or isn't well-formed.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_bytes(b'1,"x\ny"\n\n2,z')
    >>> locate(path, Grammar(columns=2), np.array([0, 1])).to_pylist()
    [{'row': 0, 'line': 1, 'raw': '1,"x\ny"'}, {'row': 1, 'line': 4, 'raw': '2,z'}]
    """
    path = Path(path)
    rows = np.asarray(rows, dtype=np.int64)
    if rows.size and (rows[0] < 0 or not (np.diff(rows) > 0).all()):
        raise ValueError("rows must be sorted, unique and not negative")
    found: tuple[Positions, Positions, Positions] | None = None
    if grammar.parity_tells:
        with contextlib.suppress(_Unclear):
            found = _places_by_parity(path, grammar, rows, chunk)
    starts, stops, lines = found or _places_by_pattern(path, grammar, rows)
    if starts.size < rows.size:
        raise BatchRefused(
            str(path),
            f"record {int(rows[starts.size])} was asked for, and well-formed records end before it",
            "Nothing was changed.",
            "split the file into good records and broken lines first",
        )
    if split is not None:
        lines = split.original_lines(lines)
    with path.open("rb") as file:
        raw = [
            os.pread(file.fileno(), stop - start, start).decode("utf-8", "replace")
            for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
        ]
    return pa.table({"row": rows, "line": lines, "raw": pa.array(raw, pa.string())})


def _places_by_parity(
    path: Path, grammar: Grammar, rows: Positions, chunk: int
) -> tuple[Positions, Positions, Positions]:
    """Start, stop (before the line ending) and line of the wanted records that exist."""
    places: list[tuple[Positions, Positions, Positions]] = []
    done = records = odd = 0
    start, start_line, line = grammar.body, grammar.body_line, grammar.body_line
    last, size = b"\n\n", grammar.body
    for part in _chunks(path, grammar.body, chunk):
        if done == rows.size:
            break
        every, ends, odd = _ends(part, grammar, odd)
        last, size = bytes(part.data[part.size : part.size + 2]), part.offset + part.size
        if ends.size:
            stops = ends - (part.view[ends - 1] == _CR) + (part.offset - 2)
            after = ends + (part.offset - 1)
            starts = np.concatenate(([start], after[:-1]))
            kept = None if grammar.columns == 1 else np.flatnonzero(stops > starts)
            count = ends.size if kept is None else kept.size
            until = int(np.searchsorted(rows, records + count))
            if until > done:
                wanted = rows[done:until] - records
                wanted = wanted if kept is None else kept[wanted]
                begun = starts[wanted]
                lines = np.searchsorted(every, begun - (part.offset - 2)) + line
                lines[begun == start] = start_line
                places.append((begun, stops[wanted], lines))
                done = until
            records += count
            start = int(after[-1])
            start_line = line + int(np.searchsorted(every, ends[-1])) + 1
        line += every.size
    if done < rows.size and rows[done] == records and not odd and last[-1:] != b"\n" and last != b"\n\r":
        places.append(
            (np.array([start]), np.array([size - (last[-1] == _CR)]), np.array([start_line])),
        )
    return _joined(places)


def _places_by_pattern(
    path: Path, grammar: Grammar, rows: Positions
) -> tuple[Positions, Positions, Positions]:
    """The same, record by record: slower, and right for every grammar."""
    places: list[tuple[int, int, int]] = []
    size = path.stat().st_size
    position, line, record = grammar.body, grammar.body_line, 0
    wanted = rows.tolist()
    one = grammar.pattern.one
    with path.open("rb") as source:
        if position >= size:
            return _joined([])
        with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data:
            while position < size and len(places) < len(wanted):
                if grammar.columns > 1:
                    if data[position] == _LF:
                        position, line = position + 1, line + 1
                        continue
                    if data[position : position + 2] in (b"\r\n", b"\r"):
                        position, line = position + 2, line + 1
                        continue
                found = one.match(data, position, min(position + grammar.max_record, size))
                if found is None:
                    break
                stop = found.end()
                raw = data[position:stop]
                if record == wanted[len(places)]:
                    text = raw.removesuffix(b"\n").removesuffix(b"\r")
                    places.append((position, position + len(text), line))
                line += raw.count(b"\n")
                position, record = stop, record + 1
    columns = np.array(places, dtype=np.int64).reshape(-1, 3)
    return columns[:, 0], columns[:, 1], columns[:, 2]


def _joined(places: list[tuple[Positions, Positions, Positions]]) -> tuple[Positions, Positions, Positions]:
    if not places:
        none = np.empty(0, dtype=np.int64)
        return none, none, none
    starts, stops, lines = zip(*places, strict=True)
    return np.concatenate(starts), np.concatenate(stops), np.concatenate(lines)


def header_end(
    path: Path, delimiter: str = ",", quote: str | None = '"', skip: int = 0, escape: str | None = '"'
) -> tuple[list[str], int, int]:
    r"""Read the header record of a file.

    Parameters
    ----------
    path : an uncompressed file; a UTF-8 byte order mark is passed over.
    delimiter, quote, escape : as in `Grammar`.
    skip : physical lines before the header; blank lines after those are passed over as well.

    Returns
    -------
    The fields, and `body` and `body_line` for a `Grammar`; `([], 0, 1)` for an empty file.

    Raises
    ------
    BatchRefused
        When the header can't be read: a quote that isn't closed, lone carriage returns.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_bytes(b'# export\nid,"long\nname"\n1,2\n')
    >>> header_end(path, skip=1)
    (['id', 'long\nname'], 24, 4)
    """
    path = Path(path)
    doubled = escape == quote
    with path.open("rb") as file:
        body, line = 0, 1
        if file.read(len(_BOM)) == _BOM:
            body = len(_BOM)
        file.seek(body)
        for _ in range(skip):
            while passed := file.readline(MAX_RECORD):
                body += len(passed)
                if passed.endswith(b"\n"):
                    line += 1
                    break

        def texts() -> Iterator[str]:
            nonlocal body, line
            while len(raw := file.readline(MAX_RECORD)) and body < limit:
                body += len(raw)
                line += raw.endswith(b"\n")
                yield raw.decode("utf-8", "replace")

        limit = body + MAX_RECORD
        reader = csv.reader(
            texts(),
            delimiter=delimiter,
            quotechar=quote,
            quoting=csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL,
            doublequote=doubled,
            escapechar=None if doubled or quote is None else escape,
            strict=True,
        )
        try:
            for fields in reader:
                if fields:
                    return fields, body, line
        except csv.Error as error:
            raise BatchRefused(
                str(path),
                f"line {line}: the header can't be read ({error})",
                "Nothing of the file is formatted.",
                "mend the first lines of the file, or its quote and delimiter in the contract",
            ) from error
    return [], body, line
