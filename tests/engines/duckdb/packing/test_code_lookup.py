"""What SQL makes of packed rows is the same, whether each row is asked for or each code."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from backbone.engines import own_engine
from backbone.engines.duckdb.packing import code_lookup
from backbone.engines.protocol import Engine
from backbone.engines.relation import Relation
from function_task import FunctionTask

ROWS = """
select cast(hash(n) % 50 as bigint) - 3 as "user", cast(n % 7 as tinyint) as small, n % 3 = 0 as flag,
    case when n % 5 = 0 then null else n % 11 end as missing, concat('class ', n % 4) as label,
    timestamptz '1969-12-31 20:00:00+00' + (n % 9) * interval '1 hour' as moment, n * 1000 as wide
from range(3000) as r(n)
"""
CASES = (
    "case when label = $first then cast(0 as double) when label = $second then cast(1 as double) "
    "else cast(9.5 as double) end"
)


@pytest.fixture(name="engine")
def _engine() -> Iterator[Engine]:
    with own_engine("200MB", 2) as engine:
        yield engine


@pytest.fixture(name="rows")
def _rows(engine: Engine) -> Relation:
    return engine.stage(ROWS)


def _grouped(engine: Engine, rows: Relation, by: list[str], values: dict[str, str], columns: str) -> pa.Table:
    """The rows as a kernel is handed them."""
    parameters = {"first": "class 0", "second": "class 1"}
    found = engine.map_groups(f"select {columns} from {rows}", FunctionTask(by, values), parameters)
    return engine.stream(f"select * from {found}").read_all()


@pytest.mark.parametrize(
    ("by", "values", "looks_up"),
    [
        (["user"], {"x": "coalesce(cast(small as double), cast('nan' as double))", "small": "small"}, True),
        (["user"], {"x": "coalesce(cast(missing as double), cast('nan' as double))"}, True),
        (["user"], {"y": CASES, "yes": "cast(flag as integer)"}, True),
        (["user", "small"], {"moment": "moment", "hour": "epoch_us(moment) // 3600000000"}, True),
        (["small"], {"user": '"user"', "negative": '-0.5::double * "user"'}, True),
        (["user"], {"missing": "coalesce(missing, 5)", "constant": "1.0"}, False),
        (["user"], {"both": "small + cast(flag as integer)"}, False),
        (["flag"], {"small": "small"}, False),
        (["user"], {"label": "concat(label, '!')", "small": "small"}, False),
    ],
)
def test_it_is_the_same_as_asking_for_each_row(
    engine: Engine,
    rows: Relation,
    monkeypatch: pytest.MonkeyPatch,
    by: list[str],
    values: dict[str, str],
    looks_up: bool,
) -> None:
    columns = '"user", small, flag, missing, label, moment'
    expected = _grouped(engine, rows, by, values, columns)
    asked: list[bool] = []
    original = code_lookup.batches

    def watched(*arguments: object) -> Iterator[pa.RecordBatch]:
        asked.append(True)
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(code_lookup, "FEW_ROWS", 0)
    monkeypatch.setattr("backbone.engines.duckdb.groups.batches_of", watched)
    monkeypatch.setattr(code_lookup, "BATCH_ROWS", 700)
    monkeypatch.setattr(code_lookup, "BLOCK_ROWS", 64)
    found = _grouped(engine, rows, by, values, columns)
    assert found.schema == expected.schema
    assert str(found.to_pydict()) == str(expected.to_pydict())  # NaN too
    assert found.num_rows == 3000
    assert bool(asked) == looks_up


def test_a_column_of_many_values_is_not_looked_up(
    engine: Engine, rows: Relation, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = '"user", wide'
    expected = _grouped(engine, rows, ["user"], {"x": "cast(wide as double)"}, columns)
    monkeypatch.setattr(code_lookup, "FEW_ROWS", 0)
    assert _grouped(engine, rows, ["user"], {"x": "cast(wide as double)"}, columns).equals(expected)


@pytest.mark.parametrize("name", ["k", "value", "handed", "texts_0", "r"])
def test_a_column_may_be_called_as_one_of_ours(
    engine: Engine, rows: Relation, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(code_lookup, "FEW_ROWS", 0)
    values = {"x": f'cast("{name}" as double)', name: f'"{name}" + 1'}
    found = _grouped(engine, rows, ["user"], values, f'"user", small + 100 as "{name}"')
    expected = engine.stream(
        f'select "user", cast(small + 100 as double), small + 101 from {rows} order by "user", small'
    ).read_all()
    assert [c.to_pylist() for c in found.columns] == [c.to_pylist() for c in expected.columns]
