"""The text of a record, given by its ordinal."""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path

import numpy as np

from backbone.errors import BatchRefused
from backbone.formatted.csv.grammar import CR, LF, Grammar
from backbone.formatted.csv.lines import NONE, Positions
from backbone.formatted.csv.records import CHUNK, Unclear, chunks, record_ends

Spans = tuple[Positions, Positions]


def texts(path: Path, grammar: Grammar, rows: Positions, chunk: int = CHUNK) -> list[str]:
    r"""The text of some records of a well-formed file.

    Parameters
    ----------
    path : an uncompressed file; of a split, the cleaned one with `body=0` in its grammar.
    grammar : how its records are written.
    rows : shape (n,), ordinals of the wanted records, from 0, sorted and unique.
    chunk : bytes in memory at a time.

    Returns
    -------
    Of each its text without the line ending; bytes that aren't UTF-8 are replaced.

    Raises
    ------
    BatchRefused
        When the file has fewer records, or isn't well-formed.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_bytes(b'1,"x\ny"\n\n2,z')
    >>> texts(path, Grammar(columns=2), np.array([0, 1]))
    ['1,"x\ny"', '2,z']
    """
    rows = np.asarray(rows, dtype=np.int64)
    if rows.size and (rows[0] < 0 or not (np.diff(rows) > 0).all()):
        raise ValueError("rows must be sorted, unique and not negative")
    found: Spans | None = None
    if grammar.parity_tells:
        with contextlib.suppress(Unclear):
            found = _places_by_parity(path, grammar, rows, chunk)
    starts, stops = found or _places_by_pattern(path, grammar, rows)
    if starts.size < rows.size:
        raise BatchRefused(
            str(path),
            f"record {int(rows[starts.size])} was asked for, and well-formed records end before it",
            "Nothing was changed.",
            "split the file into good records and broken lines first",
        )
    with path.open("rb") as file:
        return [
            os.pread(file.fileno(), stop - start, start).decode("utf-8", "replace")
            for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
        ]


def _places_by_parity(path: Path, grammar: Grammar, rows: Positions, chunk: int) -> Spans:
    """Start and stop (before the line ending) of the wanted records that exist."""
    places: list[Spans] = []
    done = records = odd = 0
    start = size = grammar.body
    last = grammar.eol * 2
    for part in chunks(path, grammar, chunk):
        if done == rows.size:
            break
        found = record_ends(part, grammar, odd)
        odd = found.odd
        last, size = bytes(part.data[part.size : part.size + 2]), part.offset + part.size
        ends = found.ends
        if ends.size:
            stops = ends + (part.offset - 2)
            after = stops + 1
            if grammar.line_end == LF:
                stops = stops - (part.view[ends - 1] == CR)
            starts = np.concatenate(([start], after[:-1]))
            kept = None if grammar.columns == 1 else np.flatnonzero(stops > starts)
            count = ends.size if kept is None else kept.size
            until = int(np.searchsorted(rows, records + count))
            if until > done:
                wanted = rows[done:until] - records
                wanted = wanted if kept is None else kept[wanted]
                places.append((starts[wanted], stops[wanted]))
                done = until
            records += count
            start = int(after[-1])
    if (
        done < rows.size
        and rows[done] == records
        and not odd
        and last[-1:] != grammar.eol
        and last != b"\n\r"
    ):
        returned = grammar.line_end == LF and last[-1] == CR
        places.append((np.array([start]), np.array([size - returned])))
    return _joined(places)


def _places_by_pattern(path: Path, grammar: Grammar, rows: Positions) -> Spans:
    """The same, record by record: slower, and right for every grammar."""
    places: list[tuple[int, int]] = []
    size = path.stat().st_size
    position, record = grammar.body, 0
    wanted = rows.tolist()
    one = grammar.pattern.one
    with path.open("rb") as source:
        if position >= size:
            return NONE, NONE
        with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data:
            while position < size and len(places) < len(wanted):
                if grammar.columns > 1:
                    if data[position] == grammar.line_end:
                        position += 1
                        continue
                    if grammar.line_end == LF and data[position : position + 2] in (b"\r\n", b"\r"):
                        position += 2
                        continue
                found = one.match(data, position, min(position + grammar.max_record, size))
                if found is None:
                    break
                if record == wanted[len(places)]:
                    text = found.group().removesuffix(grammar.eol).removesuffix(b"\r")
                    places.append((position, position + len(text)))
                position, record = found.end(), record + 1
    columns = np.array(places, dtype=np.int64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]


def _joined(places: list[Spans]) -> Spans:
    if not places:
        return NONE, NONE
    starts, stops = zip(*places, strict=True)
    return np.concatenate(starts), np.concatenate(stops)
