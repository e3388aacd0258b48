"""The laws that every engine obeys, to be tested on an engine of your own.

Each takes an opened engine and an empty folder, and raises an `AssertionError` where it is broken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from backbone.engines.order import in_order
from backbone.engines.protocol import Engine
from backbone.engines.relation import Relation, Within
from backbone.engines.sql.function_laws import FUNCTION_LAWS
from backbone.lake.publish import Staged
from backbone.lake.table import TableVersion, columns_of
from backbone.quoting import quote_identifier

Law = Callable[[Engine, Path], None]

DAY = datetime(1969, 12, 30, 22, tzinfo=UTC)
HOURS = pa.table(
    {
        "window_start": pa.array(
            [DAY + timedelta(hours=hour % 60) for hour in range(120)], pa.timestamp("us", "UTC")
        ),
        "n": pa.array([7919 * n % 120 for n in range(120)], pa.int64()),
    }
)
ODD = pa.table(
    {
        "number": pa.array([2**40, None, -1], pa.int64()),
        "small": pa.array([None, 32_767, -32_768], pa.int16()),
        "share": pa.array([0.1, None, -math.inf], pa.float64()),
        "price": pa.array([Decimal("9999999.99"), Decimal("-0.01"), None], pa.decimal128(9, 2)),
        "name": pa.array(["ä 'quoted' \"text\"", "", None], pa.string()),
        "yes": pa.array([True, False, None], pa.bool_()),
        "day": pa.array([date(1969, 12, 31), None, date(2026, 2, 28)], pa.date32()),
        "at": pa.array([DAY + timedelta(microseconds=1), None, DAY], pa.timestamp("us", "UTC")),
    }
)  # fmt: skip
"""A row of each type that a table stores, nulls among them."""


@dataclass(frozen=True)
class HandOver:
    """A `GroupTask` that returns what it is handed, once it has made sure of the order.

    Parameters
    ----------
    skipped : how many rows at the beginning it leaves out.
    kinds : the types of its values.
    """

    by: Sequence[str]
    values: Mapping[str, str]
    order: Sequence[str] = ()
    skipped: int = 0
    kinds: Mapping[str, pa.DataType] = field(default_factory=dict)

    def schema(self, keys: pa.Schema) -> pa.Schema:
        return pa.schema([*keys, *self.kinds.items()])

    def run(
        self, batches: Iterator[pa.RecordBatch], *, threads: int, scratch: Path, notes: list[str]
    ) -> Iterator[pa.RecordBatch]:
        left = self.skipped
        for batch in in_order(batches, [*self.by, *(name for name in self.order if name in self.values)]):
            yield batch.slice(min(left, batch.num_rows))
            left -= min(left, batch.num_rows)
        notes.append("all is handed over")


def versions_of_a_table_stay_apart(engine: Engine, folder: Path) -> None:
    older, newer = _version(engine, HOURS, folder), _version(engine, HOURS.slice(0, 50), folder)
    one, other = engine.bind(older), engine.bind(newer)
    assert (_count(engine, one), _count(engine, other)) == (120, 50)
    _staged(engine, {"n": [1]})
    assert (_count(engine, one), _count(engine, other)) == (120, 50)
    engine.drop(other)
    assert _count(engine, one) == 120, "a version is gone with another one"


def ranges_of_a_table_stay_apart(engine: Engine, folder: Path) -> None:
    for partitioned in (False, True):
        table = _version(engine, HOURS, folder, partitioned=partitioned)
        for source in (table, engine.bind(table), engine.put(HOURS)):
            bounds = [DAY + timedelta(hours=hour) for hour in (0, 1, 3, 26, 60)]
            ranges = [Within("window_start", *pair) for pair in pairwise(bounds)]
            found = [engine.bind(source, within, "formatted.order") for within in ranges]
            assert [_count(engine, part) for part in found] == [2, 4, 46, 68]
            engine.drop(found[0])
            assert [_count(engine, part) for part in found[1:]] == [4, 46, 68]
            first = engine.bind(found[1], Within("window_start", bounds[1], bounds[1] + timedelta(hours=1)))
            assert (_count(engine, first), _count(engine, found[1])) == (2, 4), "a range of a range"


def columns_go_by_the_name_of_the_table(engine: Engine, folder: Path) -> None:
    table = _version(engine, HOURS, folder)
    for name, called in ((None, "sale"), ("formatted.item", "item"), ("formatted.order", '"order"')):
        rows = engine.bind(table, name=name)
        assert engine.fetch(f"select count({called}.n) from {rows} where {called}.n < 10") == [(10,)]


def staged_rows_outlive_what_they_are_made_of(engine: Engine, folder: Path) -> None:
    table = engine.bind(_version(engine, HOURS, folder))
    one = engine.stage(f"select n from {table} where n < 10")
    engine.drop(table)
    two = engine.stage(f"select n + 1 as n from {one}")
    assert (one.rows, two.rows, one.name != two.name) == (10, 10, True)
    engine.drop(one)
    assert engine.fetch(f"select min(n), max(n) from {two}") == [(1, 10)]
    other = _staged(engine, {"n": [7]})
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


def what_is_added_to_a_staging_is_cast(engine: Engine, folder: Path) -> None:
    schema = pa.schema([("small", pa.int16()), ("share", pa.float64()), ("name", pa.string())])
    with engine.staging(schema) as staging:
        assert staging.add("select cast(7 as bigint) as a, 1 as b, 'x' as c") == 1
        assert staging.add("select cast(null as bigint) as a, 0.5 as b, $name as c", {"name": "y"}) == 1
        assert staging.add("select 1 as a, 1 as b, 'z' as c where 1 = 2") == 0
        found = staging.finish()
    assert found.rows == 2
    assert engine.describe(f"select * from {found}") == schema
    assert engine.fetch(f"select * from {found} order by name") == [(7, 1.0, "x"), (None, 0.5, "y")]


def what_does_not_fit_a_staging_is_an_error(engine: Engine, folder: Path) -> None:
    schema = pa.schema([("small", pa.int16())])
    for value in ("cast(70000 as bigint)", "'many'"):
        failed = False
        try:
            with engine.staging(schema) as staging:
                staging.add("select 1 as small")
                staging.add(f"select {value} as small")
                staging.finish()
        except Exception:
            failed = True
        assert failed, f"{value} was taken for a 16-bit number"
    with engine.staging(schema) as staging:
        staging.add("select 2 as small")
        found = staging.finish()
    assert engine.fetch(f"select small from {found}") == [(2,)], "rows of a staging that failed are there"


def groups_come_complete_and_in_order(engine: Engine, folder: Path) -> None:
    rows = [(f"city {n // 40}", n // 10 % 4, n % 10, n * 1.5) for n in range(120)]
    task = HandOver(["city", "user"], {"turn": "turn", "x": "x + $more"}, ["turn"])
    expected = [(city, user, turn, x + 1) for city, user, turn, x in rows]
    shuffled = np.random.default_rng(0).permutation(len(rows))
    for stored in (rows, rows[::-1], [rows[index] for index in shuffled]):
        columns = zip(*stored, strict=True)
        source = engine.put(pa.table(dict(zip(("city", "user", "turn", "x"), columns, strict=True))))
        for to_file in (False, True):
            found = engine.map_groups(f"select * from {source}", task, {"more": 1}, to_file=to_file)
            assert found.rows == len(rows)
            assert engine.fetch(f"select * from {found}") == expected
            assert found.notes == ("all is handed over",)
            engine.drop(found)


def rows_that_are_sorted_do_not_depend_on_their_storage(engine: Engine, folder: Path) -> None:
    task, seen = HandOver(["user"], {"x": "x", "y": "y"}), []
    for order in ([2, 0, 1], [2, 1, 0], [1, 2, 0]):
        columns = {"user": [1, 1, 2], "x": [5, 5, 5], "y": [0.5, 0.25, 0.5]}
        source = engine.put(pa.table(columns).take(pa.array(order)))
        seen.append(engine.fetch(f"select * from {engine.map_groups(f'select * from {source}', task)}"))
    assert seen[0] == seen[1] == seen[2]


def a_result_is_what_the_task_returns(engine: Engine, folder: Path) -> None:
    source = _staged(engine, {"user": [1, 1, 2, 3], "x": [4, 5, 6, 7]})
    task = HandOver(["user"], {"x": "x"}, skipped=2, kinds={"x": pa.int64()})
    for to_file in (False, True):
        found = engine.map_groups(
            f"select * from {source}", task, select="x * 2 as twice, user as who", to_file=to_file
        )
        assert engine.describe(f"select * from {found}").names == ["twice", "who"]
        assert engine.fetch(f"select * from {found}") == [(12, 2), (14, 3)]
        none = engine.map_groups(f"select * from {source} where user > 3", task, to_file=to_file)
        assert (none.rows, _count(engine, none)) == (0, 0)
        keys = engine.describe(f"select user from {source}")
        assert engine.describe(f"select * from {none}") == task.schema(keys)


def columns_are_described_in_types_of_arrow(engine: Engine, folder: Path) -> None:
    rows = engine.put(ODD)
    described = engine.describe(f"select * from {rows}")
    assert described == ODD.schema
    assert engine.stream(f"select * from {rows}").schema == described
    assert _table(engine, f"select * from {rows}").equals(ODD)


def a_sum_of_integers_is_an_integer_of_64_bits(engine: Engine, folder: Path) -> None:
    rows = _staged(engine, {"user": [1, 1, 2], "n": [2, 3, 4]})
    sql = f"select user, sum(n) as total, count(*) as rows from {rows} where user < $most group by user"
    described = engine.describe(sql, {"most": 9})
    assert described == pa.schema([("user", pa.int64()), ("total", pa.int64()), ("rows", pa.int64())])
    assert engine.stream(sql, {"most": 9}).schema == described
    decimals = f"select cast(n as decimal(38, 0)) as exact, sum(n) as total from {rows} group by n order by n"
    assert _table(engine, decimals).schema.types == [pa.decimal128(38, 0), pa.int64()]
    staged = engine.stage(sql, {"most": 9})
    assert engine.describe(f"select * from {staged}") == described
    expected = pa.table([[1, 2], [5, 4], [2, 1]], names=["user", "total", "rows"])
    assert _table(engine, f"select * from {staged} order by user") == expected


def rows_ascend_where_each_is_larger_than_the_one_before(engine: Engine, folder: Path) -> None:
    nan = math.nan
    cases: list[tuple[bool, dict[str, list[Any]]]] = [
        (True, {"a": [1, 2, 3]}), (False, {"a": [1, 1]}), (False, {"a": [2, 1]}), (True, {"a": [5]}),
        (False, {"a": [1, None]}), (False, {"a": [None, 1]}), (False, {"a": [1.0, nan]}),
        (False, {"a": [nan]}),
        (True, {"a": ["B", "a", "ä"]}), (False, {"a": ["a", "B"]}), (True, {"a": [DAY, DAY + timedelta(1)]}),
        (True, {"a": [1, 1, 2], "b": [1, 2, 0]}), (False, {"a": [1, 1], "b": [2, 2]}),
        (False, {"a": [1, 2], "b": [1, None]}), (False, {"a": [1, 1], "b": [2.5, 1.5]}),
    ]  # fmt: skip
    for expected, columns in cases:
        rows = _staged(engine, columns)
        assert engine.is_ascending(f"select * from {rows}") == expected, columns
        assert engine.is_ascending(f"select * from {rows} where 1 = 2"), "no rows ascend"
        assert _count(engine, rows) == len(columns["a"])


def rows_are_distinct_where_none_repeats(engine: Engine, folder: Path) -> None:
    nan = math.nan
    cases: list[tuple[bool, dict[str, list[Any]]]] = [
        (True, {"a": [3, 1, 2]}), (False, {"a": [1, 2, 1]}), (True, {"a": [1, None]}),
        (False, {"a": [None, None]}),
        (True, {"a": [1.0, nan]}), (False, {"a": [nan, nan]}), (True, {"a": ["a", "A", "ä", ""]}),
        (True, {"a": [1, 1], "b": [None, 1]}), (False, {"a": [1, 1], "b": [None, None]}),
        (False, {"a": [DAY, DAY], "b": [True, True]}),
    ]  # fmt: skip
    for expected, columns in cases:
        rows = _staged(engine, columns)
        assert engine.are_distinct(f"select * from {rows}") == expected, columns
        assert engine.are_distinct(f"select * from {rows} where 1 = 2"), "no rows are distinct"


def what_is_written_is_read_again(engine: Engine, folder: Path) -> None:
    rows = engine.put(ODD)
    staged = engine.write(rows, folder)
    assert (staged.rows, staged.schema, staged.partitioned) == (3, ODD.schema, False)
    assert pa.concat_tables(map(parquet.read_table, staged.files)).cast(ODD.schema).equals(ODD)
    found = engine.bind(_of_files(staged))
    assert _table(engine, f"select * from {found}").equals(ODD)
    engine.drop(rows)
    assert _count(engine, found) == 3


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
    found = engine.bind(_of_files(staged))
    ordered = _table(engine, f"select window_start, n from {found} order by window_start, n")
    assert ordered.equals(HOURS.sort_by([("window_start", "ascending"), ("n", "ascending")]))


def no_rows_are_no_file(engine: Engine, folder: Path) -> None:
    none = engine.put(HOURS.slice(0, 0))
    for partitioned in (False, True):
        staged = engine.write(none, folder, order=["n"], partitioned=partitioned)
        assert (staged.files, staged.rows) == ((), 0)
        assert _count(engine, engine.bind(_of_files(staged))) == 0


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


LAWS: tuple[Law, ...] = (
    versions_of_a_table_stay_apart,
    ranges_of_a_table_stay_apart,
    columns_go_by_the_name_of_the_table,
    staged_rows_outlive_what_they_are_made_of,
    streams_are_independent,
    what_is_added_to_a_staging_is_cast,
    what_does_not_fit_a_staging_is_an_error,
    groups_come_complete_and_in_order,
    rows_that_are_sorted_do_not_depend_on_their_storage,
    a_result_is_what_the_task_returns,
    columns_are_described_in_types_of_arrow,
    a_sum_of_integers_is_an_integer_of_64_bits,
    rows_ascend_where_each_is_larger_than_the_one_before,
    rows_are_distinct_where_none_repeats,
    what_is_written_is_read_again,
    files_are_in_the_order_that_is_asked_for,
    a_table_with_windows_is_written_by_days,
    no_rows_are_no_file,
    data_is_put_from_streams_and_files,
    parameters_are_values_of_every_kind,
    *FUNCTION_LAWS,
)


def _version(engine: Engine, rows: pa.Table, folder: Path, *, partitioned: bool = False) -> TableVersion:
    return _of_files(engine.write(engine.put(rows), folder, partitioned=partitioned))


def _of_files(staged: Staged) -> TableVersion:
    """Files as the version of a table that they would be published as."""
    files = tuple(map(str, staged.files))
    return TableVersion("formatted.sale", 0, files, columns_of(staged.schema), staged.partitioned)


def _staged(engine: Engine, columns: Mapping[str, Sequence[Any]]) -> Relation:
    return engine.put(pa.table(dict(columns)))


def _count(engine: Engine, rows: Relation) -> int:
    return int(engine.fetch(f"select count(*) from {rows}")[0][0])


def _table(engine: Engine, sql: str) -> pa.Table:
    return engine.stream(sql).read_all()
