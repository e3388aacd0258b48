"""Lines and texts of records, against a slow state machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from csv_files import CHUNKS, COLUMNS, THREE, duckdb_reads, many, slow_records, tables
from hypothesis import given
from hypothesis import strategies as st

from backbone.formatted.csv.grammar import Grammar
from backbone.formatted.csv.locate import texts
from backbone.formatted.csv.records import survey
from backbone.formatted.csv.split import split


@many
@given(data=tables(), chosen=st.sets(st.integers(0, 7)))
def test_locates_like_the_state_machine(tmp_path: Path, data: bytes, chosen: set[int]) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    records = slow_records(data, COLUMNS)
    rows = np.array(sorted(row for row in chosen if row < len(records)), dtype=np.int64)
    wanted = [records[row] for row in rows.tolist()]
    for chunk in CHUNKS:
        assert texts(path, THREE, rows, chunk) == [raw.decode() for _, raw in wanted]
        found = survey(path, THREE, chunk)
        assert found is not None
        assert found.lines.of(rows).tolist() == [line for line, _ in wanted]


@many
@given(data=tables(), chosen=st.sets(st.integers(0, 7)))
def test_locates_with_another_escape(tmp_path: Path, data: bytes, chosen: set[int]) -> None:
    data = data.replace(b'""', b'\\"')
    data = data.replace(b',\\",', b',"",').replace(b'\\"', b"\\\\") if data.count(b'"') % 2 else data
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    grammar = Grammar(escape="\\", columns=COLUMNS)
    cleaned = tmp_path / "b.csv"
    assert survey(path, grammar) is None
    result = split(path, grammar, cleaned)
    records = slow_records(cleaned.read_bytes(), COLUMNS, escape=92)
    rows = np.array(sorted(row for row in chosen if row < len(records)), dtype=np.int64)
    assert result.records == len(records)
    assert texts(cleaned, grammar, rows) == [records[row][1].decode() for row in rows.tolist()]
    if cleaned.stat().st_size:
        rows_read, errors = duckdb_reads(cleaned, escape="\\", new_line="\\n")
        assert (len(rows_read), errors) == (len(records), 0)
    assert result.good_bytes == cleaned.stat().st_size
