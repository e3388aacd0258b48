"""Read a JSON file record by record, as a stream of Arrow batches.

Every record of the file is in the stream once, in order. One with a problem has no values. What is in it
decides nothing about others, but where the end of a record can't be known: see `json_elements.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbone.formatted.json.blocks import Block, Extent, Place
from backbone.formatted.json.columns import text_column, value_columns
from backbone.formatted.json.elements import element_blocks
from backbone.formatted.json.grammar import read_objects
from backbone.formatted.json.keys import find_values
from backbone.formatted.json.layout import ARRAY, LINES, layout_of
from backbone.formatted.json.lines import line_blocks
from backbone.formatted.json.problems import GOOD, KEY_TWICE, LONGEST_RECORD, SHOWN, key_twice, reasons
from backbone.formatted.json.tokens import Bytes

CHUNK = 1 << 21
"""Bytes read in one go."""

MOST_NAMES = 1_000
"""Names of other fields that are remembered."""

THREADS = 2


def _keep_freed_memory() -> None:
    """Let the allocator of the C library reuse blocks of some MB, a third of the time of this reader.

    It gives blocks back to the system when they are larger than any freed before (32 MB at most).
    """
    np.empty(31 << 20, dtype=np.uint8)


@dataclass(frozen=True)
class _Read:
    """The records of a block; which of the wanted fields they have, and the names and paths of others."""

    batch: pa.RecordBatch
    present: set[int]
    others: set[str]
    nested: set[tuple[str, ...]]


class JsonRecords:
    r"""The records of a JSON file: JSON lines, an array, or objects over several lines.

    Parameters
    ----------
    path : an uncompressed file in UTF-8.
    wanted : names of fields of the top objects.
    paths : of wanted values in objects within the record, by the keys that lead to them.
    also : whether a name is one of those to find, too: they are collected in `matched`.
    chunk : bytes read in one go; about six such pieces are in memory at a time.
    longest : bytes of the longest record.

    Attributes
    ----------
    records, good : how many records were given so far, and how many of them have no problem.
    present : which of the wanted fields some record has, if only as a null; by position. The paths follow.
    others : names of fields that are there and not wanted, in the order in which they were met; in objects
        that paths lead into, with the keys before them, as in `address.street`.
    matched : those of which `also` is true; they are not among the others.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.json"
    >>> _ = path.write_text('[{"id": 1.10, "more": {"id": 2}},\n {"id": NaN}]')
    >>> records = pa.Table.from_batches(JsonRecords(path, ["id"]).batches())
    >>> records.select(["line", "c0"]).to_pylist()
    [{'line': 1, 'c0': '1.10'}, {'line': 2, 'c0': None}]
    >>> records["problem"][1].as_py()
    'the element is not valid JSON: a value is no JSON number, true, false or null'
    """

    def __init__(
        self,
        path: Path,
        wanted: Sequence[str],
        *,
        paths: Sequence[tuple[str, ...]] = (),
        also: Callable[[str], bool] | None = None,
        chunk: int = CHUNK,
        longest: int = LONGEST_RECORD,
    ) -> None:
        self.records = self.good = 0
        self.present: set[int] = set()
        self.others: dict[str, None] = {}
        self.matched: dict[str, None] = {}
        self._paths = tuple(paths)
        self._also = also
        self._path, self._wanted, self._longest = path, tuple(wanted), longest
        self._layout = layout_of(path, longest)
        self._extent = Extent(self._layout.newline, chunk, longest)
        self._reasons = pa.array(reasons(self._layout.kind, longest), pa.string())

    @property
    def schema(self) -> pa.Schema:
        """The columns of the batches.

        _row : int64, the position of the record, from 0.
        line : int64, the physical line on which the record begins, from 1.
        start, stop : int64, where its text is in the file, in bytes.
        problem : string, null or why it is quarantined.
        text : string, its text as in the file; the beginning of one that is too long.
        c0, c1, … : string, the value of each wanted field: a text without quotes and escapes, anything else
        as it is written; null where it is absent or JSON's null.
        n0, n1, … : bool, whether that value is a number. The values of paths follow those of the fields.
        x0, x1, … : bool, whether a value that is no object stands in the way of each path.
        """
        fields = [(name, pa.int64()) for name in ("_row", "line", "start", "stop")]
        fields += [("problem", pa.string()), ("text", pa.string_view())]
        fields += [(f"c{field}", pa.string_view()) for field in range(self._fields)]
        fields += [(f"n{field}", pa.bool_()) for field in range(self._fields)]
        fields += [(f"x{path}", pa.bool_()) for path in range(len(self._paths))]
        return pa.schema(fields)

    @property
    def _fields(self) -> int:
        return len(self._wanted) + len(self._paths)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All records, in at least one batch.

        Raises
        ------
        NotUtf8
            When the file is in another encoding.
        """
        yield self._empty()
        _keep_freed_memory()
        waiting: deque[Future[_Read]] = deque()
        with ThreadPoolExecutor(THREADS) as pool:
            for part in self._blocks():
                waiting.append(pool.submit(self._batch, part))
                if len(waiting) > THREADS:
                    yield self._counted(waiting.popleft().result())
            while waiting:
                yield self._counted(waiting.popleft().result())

    def head(self, size: int) -> bytes:
        """The file from its first record on, so many bytes of it."""
        with self._path.open("rb") as file:
            file.seek(self._layout.at)
            return file.read(size)

    def _blocks(self) -> Iterator[Callable[[], Block]]:
        place = Place(self._layout.at, self._layout.line)
        if self._layout.kind == LINES:
            return line_blocks(self._path, place, self._extent)
        return element_blocks(self._path, place, self._extent, self._layout.kind == ARRAY)

    def _empty(self) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in self.schema], schema=self.schema)

    def _counted(self, found: _Read) -> pa.RecordBatch:
        batch = found.batch
        rows = np.arange(self.records, self.records + batch.num_rows)
        batch = batch.set_column(0, "_row", pa.array(rows))
        self.records += batch.num_rows
        self.good += batch["problem"].null_count
        self.present = self.present | found.present  # a new set: other threads read the one before
        others = {name for name in found.others if not self._is_step((name,))}
        for name in sorted(others.difference(self.others, self.matched)):
            if self._also is not None and self._also(name):
                self.matched[name] = None
            elif len(self.others) < MOST_NAMES:
                self.others[name] = None
        for path in sorted(found.nested):
            if len(self.others) < MOST_NAMES:
                self.others[".".join(path)] = None
        return batch

    def _batch(self, make: Callable[[], Block]) -> _Read:
        block = make()
        count, fields = block.start.size, self._fields
        problem = block.problem.copy()
        first = np.full((fields, count), -1, dtype=np.int64)
        last, others, twice, tokens = first, set[str](), dict[int, str](), block.tokens
        present, nested = set[int](), set[tuple[str, ...]]()
        blocked = np.zeros((len(self._paths), count), dtype=np.bool_)
        read = np.flatnonzero(problem == GOOD)
        if tokens is not None and read.size:
            objects = read_objects(block.view, tokens, block.lo, block.hi)
            values = find_values(block.view, objects, self._wanted, self._paths)
            ends = [(values.first, values.last)]
            if values.nested is not None:
                ends.append((values.nested.first, values.nested.last))
            problem[read] = objects.problem
            good = objects.problem[objects.record] == GOOD
            rows = read[objects.record[good]]
            last = first.copy()
            first[:, rows] = np.concatenate([begin for begin, _ in ends])[:, good]
            last[:, rows] = np.concatenate([end for _, end in ends])[:, good]
            if values.nested is not None:
                blocked[:, rows] = values.nested.blocked[:, good]
                nested = {path for path in values.nested.others if not self._is_step(path)}
            absent = {*range(fields)} - self.present  # of what is known to be there nothing is asked
            present = {field for field in absent if (first[field] >= 0).any()}
            tokens, others = objects.tokens, values.others
            twice = {int(read[number]): name for number, name in values.twice.items()}
        columns = [block.line, block.line, block.start + block.offset, block.stop + block.offset]
        arrays = [pa.array(column, pa.int64()) for column in columns]
        arrays += [self._problems(problem, twice), self._text(block)]
        if tokens is None or not tokens.at.size:
            arrays += [pa.nulls(count, pa.string_view()) for _ in range(fields)]
            arrays += [pa.array(np.zeros(count, dtype=np.bool_)) for _ in range(fields)]
        else:
            pairs = [value_columns(block.view, tokens, first[field], last[field]) for field in range(fields)]
            arrays += [*(value for value, _ in pairs), *(number for _, number in pairs)]
        arrays += [pa.array(flags) for flags in blocked]
        return _Read(pa.RecordBatch.from_arrays(arrays, schema=self.schema), present, others, nested)

    def _is_step(self, path: tuple[str, ...]) -> bool:
        """Whether a path is one of those that are wanted, or leads to one."""
        return any(path == wanted[: len(path)] for wanted in self._paths)

    def _problems(self, problem: Bytes, twice: dict[int, str]) -> pa.Array:
        if not problem.any():
            return pa.nulls(problem.size, pa.string())
        found = self._reasons.take(pa.array(problem))
        named = np.flatnonzero(problem == KEY_TWICE)
        if named.size:
            texts = pa.array([key_twice(twice[row]) for row in named.tolist()], pa.string())
            found = pc.replace_with_mask(found, pa.array(problem == KEY_TWICE), texts)
        return found

    def _text(self, block: Block) -> pa.Array:
        size = block.stop - block.start
        for row in np.flatnonzero(size > self._longest).tolist():
            shown, begin = min(SHOWN, self._longest), int(block.start[row])
            while shown and block.text[begin + shown] & 0xC0 == 0x80:  # in the middle of a character
                shown -= 1
            size[row] = shown
        return text_column(block.text, block.start, size)
