"""Laws of the files that an engine writes."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from backbone.engines.laws.examples import HOURS, ODD, count, of_files, table_of
from backbone.engines.laws.groups import HandOver
from backbone.engines.protocol import Engine


def what_is_written_is_read_again(engine: Engine, folder: Path) -> None:
    rows = engine.put(ODD)
    staged = engine.write(rows, folder)
    assert (staged.rows, staged.schema, staged.partitioned) == (3, ODD.schema, False)
    assert pa.concat_tables(map(parquet.read_table, staged.files)).cast(ODD.schema).equals(ODD)
    found = engine.bind(of_files(staged))
    assert table_of(engine, f"select * from {found}").equals(ODD)
    engine.drop(rows)
    assert count(engine, found) == 3


def files_are_in_the_order_that_is_asked_for(engine: Engine, folder: Path) -> None:
    rows = engine.put(HOURS)
    (file,) = engine.write(rows, folder, order=["window_start", "n"]).files
    columns = [("window_start", "ascending"), ("n", "ascending")]
    assert parquet.read_table(file).cast(HOURS.schema).equals(HOURS.sort_by(columns))
    ordered = engine.put(HOURS.sort_by("n"))
    for order in ({"order": ["n"], "in_order": True}, {}):
        (file,) = engine.write(ordered, folder, **order).files  # type: ignore[arg-type]
        assert parquet.read_table(file)["n"].to_pylist() == list(range(120))
    mapped = engine.map_groups(f"select * from {rows}", HandOver(["n"], {}), to_file=True)
    (file,) = engine.write(mapped, folder).files
    assert parquet.read_table(file)["n"].to_pylist() == list(range(120))


def a_table_with_windows_is_written_by_days(engine: Engine, folder: Path) -> None:
    staged = engine.write(engine.put(HOURS), folder, order=["window_start", "n"], partitioned=True)
    assert (staged.rows, staged.partitioned) == (120, True)
    assert staged.schema.names == ["window_start", "n", "window_date"]
    assert staged.schema.field("window_date").type == pa.date32()
    days, rows = set(), 0
    for file in staged.files:
        table = parquet.read_table(file, partitioning=None)
        rows += table.num_rows
        days |= {at.date() for at in table["window_start"].to_pylist()}
        assert {f"window_date={at.date()}" for at in table["window_start"].to_pylist()} == {file.parent.name}
        assert table.equals(table.sort_by([("window_start", "ascending"), ("n", "ascending")]))
    assert (rows, sorted(days)) == (
        120,
        [date(1969, 12, 30), date(1969, 12, 31), date(1970, 1, 1), date(1970, 1, 2)],
    )
    found = engine.bind(of_files(staged))
    ordered = table_of(engine, f"select window_start, n from {found} order by window_start, n")
    assert ordered.equals(HOURS.sort_by([("window_start", "ascending"), ("n", "ascending")]))


def no_rows_are_no_file(engine: Engine, folder: Path) -> None:
    none = engine.put(HOURS.slice(0, 0))
    for partitioned in (False, True):
        staged = engine.write(none, folder, order=["n"], partitioned=partitioned)
        assert (staged.files, staged.rows) == ((), 0)
        assert count(engine, engine.bind(of_files(staged))) == 0
