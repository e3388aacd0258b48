"""Instants written as numbers since 1970, against Python's own arithmetic."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.errors import SettingsError
from conftest import Trial

EVENT = """
    class Event(Contract):
        "Something that happened."
        id: int
        seen_at: datetime | None
    """
START = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = {"seconds": 1_000_000, "milliseconds": 1_000, "microseconds": 1}


@pytest.fixture
def events(trial: Trial) -> Trial:
    trial.event_time = None
    return trial.contract(EVENT)


def instant(micros: int) -> datetime:
    return START + timedelta(microseconds=micros)


def csv_of(texts: Sequence[str]) -> str:
    return "id,seen_at\n" + "".join(f"{number},{text}\n" for number, text in enumerate(texts))


def parquet(values: pa.Array) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array(range(len(values))), "seen_at": values}), out)
    return out.getvalue()


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Lisbon"])
def test_every_whole_number(events: Trial, unit: str, zone: str) -> None:
    dice, factor = random.Random(unit), UNITS[unit]
    low, high = (
        -62_135_596_800_000_000 // factor,
        253_402_300_799_999_999 // factor,
    )
    numbers = [low, high, 0, -1, 1, *(dice.randint(low, high) for _ in range(400))]
    events.settings(f'epoch = "{unit}"\ntimezone = "{zone}"').drop(csv_of([str(n) for n in numbers]))
    lines = "".join(json.dumps({"id": 1000 + i, "seen_at": n}) + "\n" for i, n in enumerate(numbers))
    events.drop(lines, "a.jsonl")
    events.drop(parquet(pa.array(numbers, pa.int64())), "a.parquet")
    events.run_well()
    expected = [instant(n * factor) for n in numbers]
    for batch in events.batches():
        where = f"_batch = '{batch.batch}'"
        found = events.rows(f"select seen_at from formatted.sale where {where} order by _row")
        assert [at for (at,) in found] == expected, batch.name


CASES = {
    "seconds": {
        "1767600000": "2026-01-05T08:00:00Z",
        " 1767600000 ": "2026-01-05T08:00:00Z",
        "+1767600000.": "2026-01-05T08:00:00Z",
        "1767600000.5": "2026-01-05T08:00:00.5Z",
        "1767600000.1234560": "2026-01-05T08:00:00.123456Z",
        "-.5": "1969-12-31T23:59:59.5Z",
        "1767600000.1234567": "is not a number of seconds since 1970",
        "1.7676e9": "is not a number of seconds since 1970",
        "2026-01-05": "is not a number of seconds since 1970",
        "1,767,600,000": "is not a number of seconds since 1970",
        "0x10": "is not a number of seconds since 1970",
        "1767600000123": "is not in the years 1 to 9999",
        "-62135596801": "is not in the years 1 to 9999",
        "99999999999999999999999999999999999": "is not in the years 1 to 9999",
    },
    "milliseconds": {
        "1767600000123.4": "2026-01-05T08:00:00.1234Z",
        "1767600000123.4567": "is not a number of milliseconds since 1970",
    },
    "microseconds": {
        "1767600000123456.0": "2026-01-05T08:00:00.123456Z",
        "1767600000123456.5": "is not a number of microseconds since 1970",
        "9223372036854775807": "is not in the years 1 to 9999",
    },
}


@pytest.mark.parametrize("unit", CASES)
def test_what_is_a_number_since_1970(events: Trial, unit: str) -> None:
    texts = list(CASES[unit])
    quoted = [f'"{text}"' for text in texts]
    events.settings(f'epoch = "{unit}"').drop(csv_of(quoted))
    events.run_well()
    found: dict[int, Any] = dict(events.formatted("id, seen_at"))
    for _, raw, (reason,) in events.quarantined():
        found[int(raw.partition(",")[0])] = reason
    for number, (text, expected) in enumerate(CASES[unit].items()):
        right = datetime.fromisoformat(expected) if expected[-1] == "Z" else f"seen_at: '{text}' {expected}"
        assert found[number] == right, text


def test_the_notation_of_the_source_holds_for_texts_and_not_for_json_numbers(events: Trial) -> None:
    events.settings('epoch = "seconds"\ndecimal_separator = ","\ndelimiter = ";"')
    events.drop("id;seen_at\n1;1767600000,5\n2;1767600000.5\n")
    events.drop('{"id": 3, "seen_at": 1767600000.5}\n{"id": 4, "seen_at": "1767600000,5"}\n', "a.jsonl")
    events.run_well()
    half = datetime(2026, 1, 5, 8, 0, 0, 500_000, UTC)
    assert events.formatted("id, seen_at") == [(1, half), (3, half), (4, half)]
    assert [raw for _, raw, _ in events.quarantined()] == ["2;1767600000.5"]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1767600000.5, None]),
        pa.array([Decimal("1767600000.50"), None], pa.decimal128(12, 2)),
        pa.array(["1767600000.5", None]),
        pa.array([datetime(2026, 1, 5, 8, 0, 0, 500_000, UTC), None], pa.timestamp("us", "UTC")),
        pa.array([datetime(2026, 1, 5, 8, 0, 0, 500_000), None], pa.timestamp("us")),
    ],
    ids=["double", "decimal", "text", "instant", "local time"],
)
def test_the_types_of_parquet(events: Trial, values: pa.Array) -> None:
    events.settings('epoch = "seconds"').drop(parquet(values), "a.parquet")
    events.run_well()
    assert events.formatted("seen_at", order="id") == [datetime(2026, 1, 5, 8, 0, 0, 500_000, UTC), None]


def test_a_number_that_is_no_instant_without_the_setting(events: Trial) -> None:
    events.drop(csv_of(["1767600000"]))
    events.run_well()
    assert [reasons for _, _, reasons in events.quarantined()] == [
        ["seen_at: '1767600000' is not a date and time"]
    ]
    events.settings('epoch = "seconds"').run_well()
    assert events.formatted("seen_at") == [datetime(2026, 1, 5, 8, tzinfo=UTC)]


def test_columns_in_units_of_their_own(trial: Trial) -> None:
    trial.event_time = None
    trial.contract(
        'class Event(Contract):\n    "Times."\n    a: datetime\n    b: datetime\n    c: datetime\n'
    ).settings("""
        epoch = "seconds"
        [sources.sale.column.b]
        epoch = "milliseconds"
        [sources.sale.column.c]
        datetime_format = "%d/%m/%Y"
        """)
    trial.drop("a,b,c\n1767600000,1767600000000,05/01/2026\n")
    trial.run_well()
    eight, day = datetime(2026, 1, 5, 8, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC)
    assert trial.formatted("a, b, c") == [(eight, eight, day)]


def test_an_event_time_makes_windows(trial: Trial) -> None:
    trial.settings('[sources.sale.column.sold_at]\nepoch = "milliseconds"')
    head = "sale_id,item,price,sold_at\n"
    trial.drop(head + "1,tea,2.50,1767600000000\n2,tea,2.50,1767700000000\n3,tea,2.50,253402300800000\n")
    (receipt,) = [r for r in trial.run_well().receipts if r.stage == "format"]
    hour = 1767600000 // 3600
    assert receipt.touched == ((hour, hour + 1), (1767700000 // 3600, 1767700000 // 3600 + 1))
    assert trial.formatted("sale_id") == [1, 2]
    assert [line for line, _, _ in trial.quarantined()] == [4]


@pytest.mark.parametrize(
    ("section", "setting"),
    [
        ('epoch = "seconds"\ndatetime_format = "%d/%m/%Y"', "sources.sale.epoch"),
        (
            '[sources.sale.column.seen_at]\nepoch = "seconds"\ndatetime_format = "%d/%m/%Y"',
            "sources.sale.column.seen_at",
        ),
        ('epoch = "days"', "sources.sale.epoch"),
    ],
)
def test_units_that_can_not_be_meant(events: Trial, section: str, setting: str) -> None:
    with pytest.raises(SettingsError) as caught:
        events.settings(section).open()
    assert f"{setting}: " in str(caught.value)
