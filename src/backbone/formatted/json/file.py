"""A JSON file: its records, read here and turned into the contract's columns by the engine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from backbone.contracts.contract import Column, quote_literal
from backbone.engines.duckdb.raw_file import RawFile
from backbone.errors import BatchRefused
from backbone.formatted.binding import (
    MOST_COLUMNS,
    UNTOUCHED,
    empty_file,
    found_names,
    one_of,
    path_of,
    refuse_lookalikes,
    refuse_other_cells,
    wanted_names,
)
from backbone.formatted.conform import ConformSql, RawColumn, Refusal, conform_sql, with_given
from backbone.formatted.json.blocks import NotUtf8
from backbone.formatted.json.reader import CHUNK, JsonRecords
from backbone.formatted.json.wrapping import refuse_unknown_records
from backbone.formatted.parse_result import ParseResult
from backbone.formatted.plain import refuse_if_not_utf8
from backbone.formatted.unpivot_sql import Cells, unpivot_sql
from backbone.source_settings import SourceSettings

FIRST = 1 << 16
"""Bytes of a file that are read in one go to find the keys of its first records."""


class JsonFile:
    """An uncompressed JSON file, to be read once.

    Attributes
    ----------
    records : how many were read so far.

    Raises
    ------
    BatchRefused
        When it is empty.
    """

    def __init__(
        self,
        plain: Path,
        fields: Sequence[Column],
        settings: SourceSettings,
        where: str,
        given: Sequence[str | None] = (),
        cells: Sequence[str] = (),
    ) -> None:
        if plain.stat().st_size == 0:
            raise empty_file(where, "have the file delivered again; `[]` is a table without rows")
        self._names = wanted_names(fields, settings)
        self._wanted = (*(name for names in self._names for name in names), *cells)
        self._paths = nested_paths(self._names)
        self._plain, self._fields, self._settings, self._where = plain, fields, settings, where
        self._given, self._cells = given, cells
        self._reader = _records(plain, self._wanted, settings, self._paths)

    @property
    def records(self) -> int:
        return self._reader.records

    @property
    def more_cells(self) -> tuple[str, ...]:
        """Keys that become rows and were not read, as they were not known before."""
        return tuple(self._reader.matched)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The records as in `JsonRecords`, with the texts of given fields as `g0`, `g1` and so on.

        Raises
        ------
        BatchRefused
            When its bytes are not UTF-8; at the end, unless there are more cells, when a name in it differs
            only in case from one that no record has, no record has any of the contract's keys, or records
            have two keys of one field.
        """
        try:
            for batch in self._reader.batches():
                for i, text in enumerate(self._given):
                    same = pa.repeat(pa.scalar(text, pa.string()), batch.num_rows)
                    batch = batch.append_column(f"g{i}", same)
                yield batch
        except NotUtf8:
            refuse_if_not_utf8(self._plain, self._where)
            raise
        count = len(self._cells) + len(self.more_cells)
        if count > MOST_COLUMNS:
            raise BatchRefused(
                self._where,
                f"expected at most {MOST_COLUMNS:,} keys that become rows, found {count:,}",
                UNTOUCHED,
                "write a narrower pattern, or have it delivered with a record for each value",
            )
        if self.more_cells:
            return
        self._refuse_two_places()
        present = self._present
        found_names(self._names, present, self._fields, self._where)
        refuse_lookalikes(self._absent, self._reader.others, self._fields, self._settings, self._where)
        named = zip(self._names, self._fields, strict=True)
        required = [names for names, column in named if names and not column.optional]
        refuse_unknown_records(self._reader, self._every_name, required, self._where)
        if self._settings.unpivot is not None and self._reader.good:
            there = [*(name for name in self._wanted if name in present), *self._reader.others]
            refuse_other_cells(present.intersection(self._cells), there, self._settings.unpivot, self._where)

    @property
    def _every_name(self) -> tuple[str, ...]:
        """The name of each column of the reader; those of paths are there twice."""
        return (*self._wanted, *map(".".join, self._paths))

    @property
    def _present(self) -> set[str]:
        """The names that some record has."""
        return {self._every_name[place] for place in self._reader.present}

    def _refuse_two_places(self) -> None:
        """Refuse a file in which a name with dots is that of a key and a path as well."""
        there = sorted(self._every_name[place] for place in self._reader.present)
        twice = [name for name, after in pairwise(there) if name == after]
        if twice:
            raise BatchRefused(
                self._where,
                f"expected one place of {twice[0]!r}, found a key of this name and a path to such a value",
                UNTOUCHED,
                "have it delivered with one of them",
            )

    @property
    def _absent(self) -> list[tuple[str, ...]]:
        """Of each field that no record has, the keys that it may be under."""
        present = self._present
        return [names for names in self._names if names and present.isdisjoint(names)]

    def parsed(self, table: str, sql: ConformSql) -> ParseResult:
        """What was seen of it, when it is read."""
        raw, others = RawFile(self._plain, "jsonl", self._wanted), tuple(self._reader.others)
        absent = tuple(map(one_of, self._absent))
        return ParseResult(
            table,
            self.records,
            sql.checks,
            [],
            raw,
            None,
            None,
            others,
            absent_keys=absent,
            width=sql.width,
            cells=sql.cells,
        )


def first_cells(plain: Path, fields: Sequence[Column], settings: SourceSettings) -> tuple[str, ...]:
    """The keys of a file's first records that become rows, in their order there; mostly that of the file.

    There are none where the settings say that none does.
    """
    if settings.unpivot is None or plain.stat().st_size == 0:
        return ()
    wanted = tuple(name for names in wanted_names(fields, settings) for name in names)
    paths = nested_paths(wanted_names(fields, settings))
    reader = _records(plain, wanted, settings, paths, chunk=FIRST)
    with suppress(NotUtf8):  # said when it is read
        for _ in reader.batches():
            if reader.matched:
                break
    head = reader.head(FIRST).decode("utf-8", "replace")
    places = {name: head.find(json.dumps(name, ensure_ascii=False)) for name in reader.matched}
    return tuple(sorted(places, key=lambda name: places[name] if places[name] >= 0 else FIRST))


def nested_paths(names: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """The paths that names with dots may be, by the keys that lead to a value.

    Examples
    --------
    >>> nested_paths([("id",), ("address.city", "city")])
    (('address', 'city'),)
    """
    return tuple(path for some in names for name in some if (path := path_of(name)))


def _records(
    plain: Path,
    wanted: Sequence[str],
    settings: SourceSettings,
    paths: Sequence[tuple[str, ...]],
    chunk: int = CHUNK,
) -> JsonRecords:
    unpivot, known = settings.unpivot, {*wanted, *(path[0] for path in paths)}
    also = None if unpivot is None else lambda name: name not in known and unpivot.matches(name)
    return JsonRecords(plain, wanted, paths=paths, also=also, chunk=chunk)


def json_sql(
    fields: Sequence[Column], settings: SourceSettings, cells: Sequence[str] = (), *, labelled: bool = False
) -> ConformSql:
    """The contract's expressions for the records of `JsonRecords`, and for their column `_batch`, if any.

    Parameters
    ----------
    cells : the keys that become rows; their values stand behind those of the fields.
    """
    raw, refusals = list[RawColumn | None](), [Refusal("raw.problem is not null", "raw.problem")]
    every = wanted_names(fields, settings)
    first = sum(map(len, every)) + len(cells)  # of the columns of paths
    place = path = 0
    for column, names in zip(fields, every, strict=True):
        places = [*range(place, place + len(names))]
        place += len(names)
        paths = [name for name in names if path_of(name)]
        ends = range(first + path, first + path + len(paths))
        value = _either_of([*places, *ends]) if names else None
        for name, at in zip(paths, range(path, path + len(paths)), strict=True):
            reason = f"{column.name}: expected an object on the way to {name!r}, found another value"
            assert value is not None
            refusals.append(Refusal(f"raw.x{at} and {value.sql} is null", quote_literal(reason)))
        path += len(paths)
        raw.append(value)
    raw = with_given(fields, raw, settings)
    also = {"_line": "raw.line"} | ({"_batch": "raw._batch"} if labelled else {})
    if settings.unpivot is not None:
        columns = (RawColumn(f"raw.c{at}", is_number=f"raw.n{at}") for at in range(place, place + len(cells)))
        rows = Cells(tuple(cells), tuple(columns))
        also["_record"] = "raw._row"
        return unpivot_sql(fields, raw, rows, settings, refusals, text="raw.text", also=also)
    return conform_sql(fields, raw, settings, refusals, text="raw.text", also=also)


def _either_of(places: Sequence[int]) -> RawColumn:
    """The value of a field that is under one of several keys: no file has two of them."""
    if len(places) == 1:
        return RawColumn(f"raw.c{places[0]}", is_number=f"raw.n{places[0]}")
    value = f"coalesce({', '.join(f'raw.c{place}' for place in places)})"
    return RawColumn(value, is_number=" or ".join(f"raw.n{place}" for place in places))
