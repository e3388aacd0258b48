"""Laws of the types of a result: they are named as Arrow names them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from backbone.engines.laws.examples import ODD, put_columns, table_of
from backbone.engines.protocol import Engine


def columns_are_described_in_types_of_arrow(engine: Engine, folder: Path) -> None:
    rows = engine.put(ODD)
    described = engine.describe(f"select * from {rows}")
    assert described == ODD.schema
    assert engine.stream(f"select * from {rows}").schema == described
    assert table_of(engine, f"select * from {rows}").equals(ODD)


def a_sum_of_integers_is_an_integer_of_64_bits(engine: Engine, folder: Path) -> None:
    rows = put_columns(engine, {"user": [1, 1, 2], "n": [2, 3, 4]})
    sql = f"select user, sum(n) as total, count(*) as rows from {rows} where user < $most group by user"
    described = engine.describe(sql, {"most": 9})
    assert described == pa.schema([("user", pa.int64()), ("total", pa.int64()), ("rows", pa.int64())])
    assert engine.stream(sql, {"most": 9}).schema == described
    decimals = f"select cast(n as decimal(38, 0)) as exact, sum(n) as total from {rows} group by n order by n"
    assert table_of(engine, decimals).schema.types == [pa.decimal128(38, 0), pa.int64()]
    staged = engine.stage(sql, {"most": 9})
    assert engine.describe(f"select * from {staged}") == described
    expected = pa.table([[1, 2], [5, 4], [2, 1]], names=["user", "total", "rows"])
    assert table_of(engine, f"select * from {staged} order by user") == expected
