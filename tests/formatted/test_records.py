"""The number of records, against a slow state machine, the csv module and DuckDB."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from csv_files import CHUNKS, COLUMNS, THREE, duckdb_reads, many, slow_records, tables
from hypothesis import given

from backbone.errors import BatchRefused
from backbone.formatted.csv.grammar import Grammar
from backbone.formatted.csv.locate import texts
from backbone.formatted.csv.records import CHUNK, survey
from backbone.formatted.csv.split import split


def counted(path: Path, grammar: Grammar, chunk: int = CHUNK) -> int | None:
    found = survey(path, grammar, chunk)
    return None if found is None else found.records


def lines_of(path: Path, grammar: Grammar, rows: list[int]) -> list[int]:
    found = survey(path, grammar)
    assert found is not None
    return [int(line) for line in found.lines.of(np.array(rows))]


@many
@given(data=tables())
def test_counts_like_csv_and_duckdb(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    expected = len(slow_records(data, COLUMNS))
    assert {counted(path, THREE, chunk) for chunk in CHUNKS} == {expected}
    assert sum(1 for row in csv.reader(io.StringIO(data.decode(), newline="")) if row) == expected
    new_line = "\\r\\n" if b"\r" in data else "\\n"
    rows, errors = duckdb_reads(path, new_line=new_line)
    assert (len(rows), errors) == (expected, 0)


@many
@given(data=tables(columns=1))
def test_one_column(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    new_line = "\\r\\n" if b"\r" in data else "\\n"
    rows, errors = duckdb_reads(path, 1, new_line=new_line)
    assert errors == 0
    assert {counted(path, Grammar(), chunk) for chunk in CHUNKS} == {len(rows)}
    assert not split(path, Grammar(), tmp_path / "b.csv").broken


def test_a_blank_line_is_a_record_of_one_column(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a\n\n\nb\n")
    assert counted(path, Grammar()) == len(duckdb_reads(path, 1)[0]) == 4
    assert lines_of(path, Grammar(), [1, 3]) == [2, 4]


def test_what_parity_cannot_tell(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for data in (b'5" disk,6" disk,x\n', b"a,b,c\rd,e,f\r", b'a,"b,c\n'):
        path.write_bytes(data)
        assert {counted(path, THREE, chunk) for chunk in CHUNKS} == {None}
    assert counted(path, Grammar(quote=None, columns=COLUMNS)) == 1


def test_files_without_records(tmp_path: Path) -> None:
    path, cleaned = tmp_path / "a.csv", tmp_path / "b.csv"
    for data in (b"", b"\n", b"\n\n\r\n"):
        path.write_bytes(data)
        assert counted(path, THREE) == 0
        assert split(path, THREE, cleaned).broken == []
        assert texts(path, THREE, np.array([], dtype=np.int64)) == []
        with pytest.raises(BatchRefused, match="record 0 was asked for"):
            texts(path, THREE, np.array([0]))
