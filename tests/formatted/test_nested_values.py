"""Values in objects within a record, found by a path as the name of a column."""

from __future__ import annotations

import io
import json
import random
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import Trial

PLACE = """
    class Place(Contract):
        "A place."
        place: int
        city: str | None
        latitude: Annotated[Decimal, Field(max_digits=9, decimal_places=4)] | None = None
    """
PATHS = 'columns = { city = "address.city", latitude = ["address.geo.lat", "addr.lat"] }'
Record = dict[str, Any]


@pytest.fixture
def places(trial: Trial) -> Trial:
    trial.event_time = None
    return trial.contract(PLACE).settings(PATHS)


def data(ending: str, records: list[Record], kind: pa.DataType | None = None) -> bytes:
    if ending == "jsonl":
        return "".join(json.dumps(record, default=str) + "\n" for record in records).encode()
    out = io.BytesIO()
    schema = None if kind is None else pa.schema([("place", pa.int64()), ("address", kind)])
    pq.write_table(pa.Table.from_pylist(records, schema), out)
    return out.getvalue()


KIND = pa.struct({"city": pa.string(), "geo": pa.struct({"lat": pa.float64()}), "street": pa.string()})


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
@pytest.mark.parametrize("together", [True, False])
def test_a_path_leads_to_a_value(places: Trial, ending: str, together: bool) -> None:
    records: list[Record] = [
        {"place": 1, "address": {"city": "Lisbon", "geo": {"lat": 38.7}, "street": "Rua"}},
        {"place": 2, "address": {"city": None, "geo": None}},
        {"place": 3, "address": None},
        {"place": 4},
    ]
    for number in range(1 + together):
        places.drop(data(ending, records, KIND), f"{number}.{ending}")
    (receipt,) = [receipt for receipt in places.run_well().receipts if receipt.stage == "format"]
    expected: list[Any] = [(1, "Lisbon", Decimal("38.7")), (2, None, None), (3, None, None), (4, None, None)]
    found = places.formatted("place, city, latitude", order="place")
    assert found == sorted(expected * (1 + together), key=lambda row: row[0])
    assert places.accounted() == (4 * (1 + together), 4 * (1 + together), 0, 0)
    assert receipt.notes == ("ignored column address.street",)


def test_a_record_with_another_value_on_the_way_is_in_quarantine(places: Trial) -> None:
    records = [
        {"place": 1, "address": "Lisbon"},
        {"place": 2, "address": [{"city": "Lisbon"}]},
        {"place": 3, "address": {"city": "Porto", "geo": "38.7,-9.1"}},
        {"place": 4, "address": {"city": ["Faro"]}},
    ]
    places.drop(data("jsonl", records), "a.jsonl")
    places.run_well()
    city = "city: expected an object on the way to 'address.city', found another value"
    latitude = "latitude: expected an object on the way to 'address.geo.lat', found another value"
    assert [(line, reasons) for line, _, reasons in places.quarantined()] == [
        (1, [city]), (2, [city]), (3, [latitude])
    ]  # fmt: skip
    assert places.formatted("place, city") == [(4, '["Faro"]')]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_name_with_a_dot_is_a_column_where_there_is_one(places: Trial, ending: str) -> None:
    places.settings('columns = { city = "address.city" }')
    places.drop(data(ending, [{"place": 1, "address.city": "Lisbon", "address": "Rua 5"}]), f"a.{ending}")
    places.run_well()
    assert places.formatted("place, city") == [(1, "Lisbon")]
    assert places.accounted() == (1, 1, 0, 0)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_column_and_a_path_of_one_name_are_refused(places: Trial, ending: str) -> None:
    record = {"place": 1, "address.city": "Lisbon", "address": {"city": "Porto"}}
    places.drop(data(ending, [record]), f"a.{ending}")
    (error,) = places.run().failures.values()
    assert "'address.city', found" in str(error)
    assert "several" in str(error) or "a key of this name and a path" in str(error)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_one_of_several_paths(places: Trial, ending: str) -> None:
    places.drop(data(ending, [{"place": 1, "address": {"city": "A", "geo": {"lat": 1.5}}}]), f"a.{ending}")
    places.drop(data(ending, [{"place": 2, "address": {"city": "B"}, "addr": {"lat": 2.5}}]), f"b.{ending}")
    both = {"place": 3, "address": {"city": "C", "geo": {"lat": 1.5}}, "addr": {"lat": 2.5}}
    places.drop(data(ending, [both]), f"c.{ending}")
    (error,) = places.run().failures.values()
    assert "found 'address.geo.lat' and 'addr.lat' for the field latitude" in str(error)
    assert places.formatted("place, latitude") == [(1, Decimal("1.5")), (2, Decimal("2.5"))]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_path_of_a_field_that_is_required(places: Trial, ending: str) -> None:
    places.contract(PLACE.replace("city: str | None", "city: str"))
    places.drop(data(ending, [{"place": 1, "address": {"town": "A"}}]), f"a.{ending}")
    places.drop(data(ending, [{"place": 2, "address": {"City": "A"}}]), f"b.{ending}")
    result = places.run()
    failed = " ".join(str(error) for error in result.failures.values())
    assert "expected the column 'address.city', found 'address.City', which differs only in case" in failed
    if ending == "parquet":
        assert "expected the column 'address.city'; the file has 'place', 'address', 'address.town'" in failed
    else:
        assert [reasons for *_, reasons in places.quarantined()] == [["city: null is not allowed"]]
    assert places.formatted("place") == []


def test_values_in_parquet_keep_their_types(places: Trial) -> None:
    places.contract("""
        class Place(Contract):
            "A place."
            size: int
            seen_on: date
            tags: str | None = None
        """)
    places.settings('columns = { size = "a.b.c.size", seen_on = "a.on", tags = "a.tags" }')
    kind = pa.struct({
        "on": pa.date32(),
        "b": pa.struct({"x": pa.int8(), "c": pa.struct({"y": pa.int8(), "size": pa.int64()})}),
    })  # fmt: skip
    import datetime

    value = {"on": datetime.date(2026, 1, 5), "b": {"x": 1, "c": {"y": 2, "size": 2**60 + 1}}}
    table = pa.table({"a": pa.array([value, None], kind)})
    out = io.BytesIO()
    pq.write_table(table, out)
    places.drop(out.getvalue(), "a.parquet")
    places.run_well()
    assert places.formatted("size, seen_on") == [(2**60 + 1, datetime.date(2026, 1, 5))]
    ((_, _, reasons),) = places.quarantined()
    assert reasons == ["size: null is not allowed", "seen_on: null is not allowed"]
    lists = pa.table({"a": pa.array([{"on": None, "tags": ["x"]}])})
    out = io.BytesIO()
    pq.write_table(lists, out)
    places.contract("""
        class Place(Contract):
            "A place."
            tags: str | None
        """).settings('columns = { tags = "a.tags" }')
    places.drop(out.getvalue(), "a.parquet")
    failed = " ".join(str(error) for error in places.run().failures.values())
    assert "found a list in the column 'a.tags'" in failed


def test_nested_values_beside_columns_that_become_rows(places: Trial) -> None:
    places.contract("""
        class Reading(Contract):
            "A reading."
            city: str
            meter: str
            kwh: int
        """)
    places.settings("""
        columns = { city = "address.city" }
        [sources.sale.unpivot]
        columns = "*"
        name = "meter"
        value = "kwh"
        """)
    record = {"address": {"city": "A", "street": "B"}, "m1": 1, "m2": 2}
    places.drop(data("jsonl", [record, {**record, "m3": 3}]), "a.jsonl")
    places.drop(data("parquet", [record]), "a.parquet")
    (receipt,) = [receipt for receipt in places.run_well().receipts if receipt.stage == "format"]
    found = places.formatted("city, meter, kwh")
    assert found == [("A", "m1", 1)] * 3 + [("A", "m2", 2)] * 3 + [("A", "m3", 3)]
    assert "ignored column address.street" in receipt.notes


def _at(record: Any, path: list[str]) -> tuple[Any, bool]:
    """The value at the end of a path, and whether another value stands in the way: one step at a time."""
    for step in path:
        if record is None:
            return None, False
        if not isinstance(record, dict):
            return None, True
        record = record.get(step)
    return record, False


def _some(dice: random.Random, depth: int) -> Any:
    if depth == 0 or dice.random() < 0.4:
        return dice.choice([None, 1, 2.5, "x", 'q"b', "é", [], [1, {"a": 2}], True])
    keys = dice.sample(["a", "b", "c", "é", 'k"'], dice.randint(0, 4))
    return {key: _some(dice, depth - 1) for key in keys}


@pytest.mark.parametrize("escaped", [True, False])
def test_it_finds_what_a_plain_walk_finds(tmp_path: Any, escaped: bool) -> None:
    from backbone.formatted.json.reader import JsonRecords

    dice = random.Random(15)
    records = [{"a": _some(dice, 3), "b": _some(dice, 2), "n": n} for n in range(3_000)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(r, ensure_ascii=escaped) + "\n" for r in records), encoding="utf-8")
    paths = [("a", "b"), ("a", "b", "c"), ("a", "é"), ("b", "a"), ("b", 'k"', "é"), ("n", "a")]
    table = pa.Table.from_batches(JsonRecords(path, ["n"], paths=paths, chunk=4096).batches())
    assert len(table) == len(records)
    for number, steps in enumerate(paths, 1):
        values, blocked = table[f"c{number}"].to_pylist(), table[f"x{number - 1}"].to_pylist()
        for record, found, is_blocked in zip(records, values, blocked, strict=True):
            expected, way = _at(record, list(steps))
            assert is_blocked == way
            if expected is None or isinstance(expected, str):
                assert found == expected
            else:
                assert json.loads(found) == expected
