"""Laws of the relations that an engine reads from: versions of tables, what is put, what is staged."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise, zip_longest
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from backbone.engines.laws.examples import DAY, HOURS, ODD, count, put_columns, version
from backbone.engines.protocol import Engine
from backbone.engines.relation import Within
from backbone.quoting import quote_identifier


def versions_of_a_table_are_independent(engine: Engine, folder: Path) -> None:
    older, newer = version(engine, HOURS, folder), version(engine, HOURS.slice(0, 50), folder)
    one, other = engine.bind(older), engine.bind(newer)
    assert (count(engine, one), count(engine, other)) == (120, 50)
    put_columns(engine, {"n": [1]})
    assert (count(engine, one), count(engine, other)) == (120, 50)
    engine.drop(other)
    assert count(engine, one) == 120, "a version is gone with another one"


def ranges_of_a_table_are_independent(engine: Engine, folder: Path) -> None:
    for partitioned in (False, True):
        table = version(engine, HOURS, folder, partitioned=partitioned)
        for source in (table, engine.bind(table), engine.put(HOURS)):
            bounds = [DAY + timedelta(hours=hour) for hour in (0, 1, 3, 26, 60)]
            ranges = [Within("window_start", *pair) for pair in pairwise(bounds)]
            found = [engine.bind(source, within, "formatted.order") for within in ranges]
            assert [count(engine, part) for part in found] == [2, 4, 46, 68]
            engine.drop(found[0])
            assert [count(engine, part) for part in found[1:]] == [4, 46, 68]
            first = engine.bind(found[1], Within("window_start", bounds[1], bounds[1] + timedelta(hours=1)))
            assert (count(engine, first), count(engine, found[1])) == (2, 4), "a range of a range"


def columns_go_by_the_name_of_the_table(engine: Engine, folder: Path) -> None:
    table = version(engine, HOURS, folder)
    for name, called in ((None, "sale"), ("formatted.item", "item"), ("formatted.order", '"order"')):
        rows = engine.bind(table, name=name)
        assert engine.fetch(f"select count({called}.n) from {rows} where {called}.n < 10") == [(10,)]


def staged_rows_outlive_what_they_are_made_of(engine: Engine, folder: Path) -> None:
    table = engine.bind(version(engine, HOURS, folder))
    one = engine.stage(f"select n from {table} where n < 10")
    engine.drop(table)
    two = engine.stage(f"select n + 1 as n from {one}")
    assert (one.rows, two.rows, one.name != two.name) == (10, 10, True)
    engine.drop(one)
    assert engine.fetch(f"select min(n), max(n) from {two}") == [(1, 10)]
    other = put_columns(engine, {"n": [7]})
    assert engine.fetch(f"select min(n), max(n) from {two}") == [(1, 10)]
    engine.drop(two)
    assert engine.fetch(f"select n from {other}") == [(7,)]


def streams_are_independent(engine: Engine, folder: Path) -> None:
    rows = engine.put(pa.table({"n": np.arange(250_000)}))
    one = engine.stream(f"select n from {rows} order by n")
    other = engine.stream(f"select n from {rows} order by n desc")
    found: list[tuple[pa.RecordBatch | None, pa.RecordBatch | None]] = []
    for pair in zip_longest(one, other):
        found.append(pair)
        meanwhile = engine.bind(engine.stage(f"select max(n) as n from {rows}"))
        assert engine.fetch(f"select n from {meanwhile}") == [(249_999,)]
    for batches, step in zip(zip(*found, strict=True), (1, -1), strict=True):
        numbers = pa.Table.from_batches([batch for batch in batches if batch is not None])["n"].to_numpy()
        assert (numbers == np.arange(250_000)[::step]).all()


def data_is_put_from_streams_and_files(engine: Engine, folder: Path) -> None:
    files = [folder / "it's one.parquet", folder / "it's two.parquet"]
    for index, file in enumerate(files):
        parquet.write_table(HOURS.slice(60 * index, 60), file)
    for data in (
        HOURS,
        HOURS.to_reader(7),
        HOURS.combine_chunks().to_batches()[0],
        files,
        list(map(str, files)),
    ):
        rows = engine.put(data, ["n"])
        assert engine.describe(f"select * from {rows}") == HOURS.schema.remove(0)
        assert engine.fetch(f"select count(*), sum(n) from {rows}") == [(120, 119 * 60)]


def parameters_are_values_of_every_kind(engine: Engine, folder: Path) -> None:
    rows, one = engine.put(ODD), pa.schema([("n", pa.int64())])
    for name in ODD.column_names:
        column = quote_identifier(name)
        sql = (
            f"select count(*) as n from {rows} where {column} = $value or {column} is null and $value is null"
        )
        for value in ODD[name].to_pylist():
            given = {"value": value, "not_in_the_text": 1}
            with engine.staging(one) as staging:
                staging.add(sql, given)
                sources = [staging.finish(), engine.stage(sql, given)]
            found = [
                engine.fetch(sql, given),
                *(engine.fetch(f"select n from {source}") for source in sources),
            ]
            assert found == [[(1,)]] * 3, f"{name} = {value!r} is found {found} times"
            assert engine.stream(sql, given).read_all() == pa.table({"n": [1]})
            assert engine.describe(sql, given) == one
    tricky, text = (
        f"select '$text' as a, $text as b from {rows} where small > 0 -- $text",
        "it's $text; %s {0}",
    )
    assert engine.fetch(tricky, {"text": text}) == [("$text", text)]
