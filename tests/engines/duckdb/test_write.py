"""Rows are written as files in their order, those of a partitioned table by their days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.engines import own_engine
from backbone.engines.duckdb import write
from backbone.engines.duckdb.packing.packed_rows import PackedRows
from backbone.engines.protocol import Engine
from backbone.engines.relation import Within
from backbone.lake.publish import Staged

HOURS = """
select timestamptz '2026-01-30 22:00:00+00' + hour * interval '1 hour' as window_start,
    concat('user ', cast((7 * n) % 5 as text)) as name, n as events{further}
from range(100) as h(hour), range(50) as r(n) where hour <> 40 order by hash(hour, n)
"""
ORDER = ["window_start", "name", "events"]
DAY = datetime(2026, 1, 30, tzinfo=UTC)  # the first


@pytest.fixture(autouse=True)
def _few_are_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backbone.engines.duckdb.database.FEWEST_PACKED", 0)


@pytest.fixture(name="engine")
def _engine() -> Iterator[Engine]:
    with own_engine("200MB", 2) as engine:
        yield engine


def _read(staged: Staged) -> list[tuple[str, pa.Table]]:
    """The days and the rows of each file."""
    return [(file.parent.name, pq.read_table(file, partitioning=None)) for file in staged.files]


@pytest.mark.parametrize("further", ["", ", n / 3 as share"], ids=["packed", "sorted by the database"])
@pytest.mark.parametrize(("large", "most"), [(10**9, 10**9), (1, 10**9), (1, 700), (10**9, 700)])
def test_a_partitioned_table_is_written_by_its_days_and_in_its_order(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, further: str, large: int, most: int
) -> None:
    monkeypatch.setattr(write, "LARGE_DAY", large)
    monkeypatch.setattr(PackedRows, "_most", most)
    hours = engine.stage(HOURS.format(further=further))
    staged = engine.write(hours, tmp_path, order=ORDER, partitioned=True)
    files = _read(staged)
    for folder, table in files:
        days = {at.date().isoformat() for at in table["window_start"].to_pylist()}
        assert days == {folder.removeprefix("window_date=")}
        assert table.equals(table.sort_by([(name, "ascending") for name in ORDER]))
    assert staged.rows == 99 * 50
    assert staged.schema.names == [*files[0][1].column_names, "window_date"]
    written = pa.concat_tables([table for _, table in files]).sort_by("events")
    assert written.group_by(ORDER).aggregate([]).num_rows == 99 * 50
    assert written.cast(engine.stream(f"select * from {hours}").schema).num_rows == 99 * 50
    if most == 10**9:
        assert len(files) == 6  # the hour that is missing is of a day that has others


@pytest.mark.parametrize("further", ["", ", n / 3 as share"], ids=["packed", "sorted by the database"])
def test_rows_are_in_order_where_several_cores_write_them(
    engine: Engine, tmp_path: Path, further: str
) -> None:
    rows = HOURS.format(further=further).replace("range(50)", "range(13_000)")
    hours = engine.stage(rows)
    staged = engine.write(hours, tmp_path, order=ORDER, partitioned=True)
    assert staged.rows == 99 * 13_000
    for _, table in _read(staged):
        assert table.equals(table.sort_by([(name, "ascending") for name in ORDER]))


@pytest.mark.parametrize("further", ["", ", n / 3 as share"], ids=["packed", "sorted by the database"])
def test_the_only_day_is_one_file(engine: Engine, tmp_path: Path, further: str) -> None:
    hours = engine.stage(HOURS.format(further=further))
    first = engine.bind(hours, Within("window_start", DAY, DAY + timedelta(1)))
    staged = engine.write(first, tmp_path, order=ORDER, partitioned=True)
    ((folder, table),) = _read(staged)
    assert folder == "window_date=2026-01-30"
    assert table.num_rows == staged.rows == 100
    assert table.equals(table.sort_by([(name, "ascending") for name in ORDER]))


def test_what_has_no_rows_is_no_file(engine: Engine, tmp_path: Path) -> None:
    hours = engine.stage(HOURS.format(further=""))
    none = engine.bind(hours, Within("window_start", DAY, DAY))
    for partitioned in (True, False):
        staged = engine.write(none, tmp_path, order=ORDER, partitioned=partitioned)
        assert (staged.files, staged.rows) == ((), 0)
        assert ("window_date" in staged.schema.names) == partitioned
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("most", [10**9, 300])  # rows that are sorted at a time
def test_an_order_keeps_every_row_and_its_types(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(PackedRows, "_most", most)
    sql = (
        "select cast(n % 7 as tinyint) as k, case when n % 3 = 0 then null else concat('ä', n % 4) end as t, "
        "date '2026-01-01' + cast(n % 5 as integer) as d, n % 2 = 0 as even from range(2000) as r(n)"
    )
    staged = engine.write(engine.stage(sql), tmp_path, order=["k", "t", "d"])
    table = pq.read_table(staged.files[0])
    expected = engine.stream(f"select * from ({sql}) as r order by k, t, d, even").read_all()
    assert table.cast(expected.schema).equals(expected)
    assert [str(kind) for kind in table.schema.types] == ["int8", "string", "date32[day]", "bool"]


@pytest.mark.parametrize("partitioned", [True, False])
def test_rows_that_lie_in_order_are_taken_as_they_lie(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partitioned: bool
) -> None:
    monkeypatch.setattr(write, "LARGE_DAY", 1)
    hours = engine.stage(f"select * from ({HOURS.format(further='')}) as h order by {', '.join(ORDER)}")
    monkeypatch.setattr(PackedRows, "packing", property(lambda rows: pytest.fail("they need not be packed")))
    staged = engine.write(hours, tmp_path, order=ORDER, in_order=True, partitioned=partitioned)
    tables = [table for _, table in sorted(_read(staged), key=lambda found: found[0])]
    assert len(tables) == (6 if partitioned else 1)
    expected = engine.stream(f"select * from {hours}").read_all()
    assert pa.concat_tables(tables).cast(expected.schema).equals(expected)
