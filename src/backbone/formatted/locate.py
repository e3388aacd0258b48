"""The line and the text of a record, given by its ordinal."""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path

import numpy as np
import pyarrow as pa

from backbone.errors import BatchRefused
from backbone.formatted.grammar import CR, LF, Grammar
from backbone.formatted.records import CHUNK, Positions, Unclear, chunks, record_ends
from backbone.formatted.split import Split


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
    rows = np.asarray(rows, dtype=np.int64)
    if rows.size and (rows[0] < 0 or not (np.diff(rows) > 0).all()):
        raise ValueError("rows must be sorted, unique and not negative")
    found: tuple[Positions, Positions, Positions] | None = None
    if grammar.parity_tells:
        with contextlib.suppress(Unclear):
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
    for part in chunks(path, grammar.body, chunk):
        if done == rows.size:
            break
        every, ends, odd = record_ends(part, grammar, odd)
        last, size = bytes(part.data[part.size : part.size + 2]), part.offset + part.size
        if ends.size:
            stops = ends - (part.view[ends - 1] == CR) + (part.offset - 2)
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
            (np.array([start]), np.array([size - (last[-1] == CR)]), np.array([start_line])),
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
                    if data[position] == LF:
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
