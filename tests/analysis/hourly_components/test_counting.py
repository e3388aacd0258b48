"""What is counted, on which day and in which hour."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from backbone.analysis.hourly_components import tally
from backbone.analysis.hourly_components.counting import Counts, count, counted, timed
from backbone.engines import own_engine
from backbone.engines.protocol import Engine
from backbone.engines.rows import Rows

Cell = tuple[Any, ...]


@pytest.fixture
def engine() -> Iterator[Engine]:
    with own_engine("1GB", 2) as engine:
        yield engine


def _rows(engine: Engine, data: pa.Table) -> Rows:
    return Rows(engine, f"select * from {engine.put(data)}")


def _cells(counts: Counts) -> list[Cell]:
    """Hour, user, day, events."""
    day = "c.day" if counts.weekdays else "cast('1970-01-01' as date) + c.day"
    return counts.engine.fetch(
        f"select hour, name, {day}, events from {counts.cells} as c "
        f"join {counts.users} as u on c.code = u.code"
    )


UTC_US = pa.timestamp("us", "UTC")


def _events(*rows: tuple[str | None, str | None], kind: pa.DataType = UTC_US) -> pa.Table:
    times = [None if time is None else datetime.fromisoformat(time) for _, time in rows]
    return pa.table({"user": [user for user, _ in rows], "time": pa.array(times, kind)})


def _count(
    engine: Engine, data: pa.Table, zone: str = "UTC", weight: str | None = None, **how: Any
) -> Counts:
    settings = {"weekdays": False, "start": None, "end": None} | how
    return count(timed(_rows(engine, data), "user", "time", weight, zone), **settings)


def test_cells_are_in_the_order_of_hours_users_and_days(engine: Engine) -> None:
    data = _events(
        ("b", "2026-01-02T10:00"), ("a", "2026-01-03T10:59:59.999999"), ("b", "2026-01-02T10:30"),
        ("a", "2026-01-02T10:00"), ("b", "2026-01-01T23:00"), ("B", "2026-01-02T09:00"),
    )  # fmt: skip
    counts = _count(engine, data)
    second, third = date(2026, 1, 2), date(2026, 1, 3)
    assert _cells(counts) == [
        (9, "B", second, 1),
        (10, "a", second, 1),
        (10, "a", third, 1),
        (10, "b", second, 2),
        (23, "b", date(2026, 1, 1), 1),
    ]
    assert (counts.start, counts.end) == (date(2026, 1, 1), date(2026, 1, 4))
    assert len(counts.days) == 3


@pytest.mark.parametrize("weekdays", [False, True])
@pytest.mark.parametrize("weight", [None, "n"])
def test_a_place_for_each_cell_counts_what_sorting_does(
    engine: Engine, weight: str | None, weekdays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(5)
    minutes = random.integers(0, 20 * 24 * 60, 6_000)
    data = pa.table(
        {
            "user": [f"u{number:02}" for number in random.integers(0, 40, len(minutes))],
            "time": pa.array((minutes * 60_000_000).tolist(), UTC_US),
            "n": pa.array(random.integers(0, 2**15, len(minutes))),
        }
    )
    found = []
    for places in (tally.PLACES, 0):
        monkeypatch.setattr(tally, "PLACES", places)
        assert tally.fits(40, 20, len(minutes)) == (places > 0)
        counts = _count(engine, data, weight=weight, weekdays=weekdays)
        found.append(engine.fetch(f"select * from {counts.cells}"))
    assert found[0] == found[1]
    days = minutes // (24 * 60)
    sums: dict[tuple[int, str, int], int] = {}
    for user, minute, day, n in zip(
        data["user"].to_pylist(), minutes, days, data["n"].to_pylist(), strict=True
    ):
        cell = (int(minute // 60 % 24), user, int((day + 3) % 7 + 1 if weekdays else day))
        sums[cell] = sums.get(cell, 0) + (n if weight else 1)
    users = dict(engine.fetch(f"select code, name from {counts.users}"))
    cells = {(hour, users[code], day): events for hour, code, day, events in found[0]}
    assert cells == {cell: total for cell, total in sums.items() if total}


def test_an_hour_that_occurs_twice_is_one_and_one_that_never_does_is_empty(engine: Engine) -> None:
    twice = [
        ("a", f"2026-10-{day}T{clock}") for day, clock in (("24", "22:30"), ("25", "00:30"), ("25", "01:30"))
    ]
    never = [("b", f"2026-03-29T0{hour}:30") for hour in range(3)]
    counts = _count(engine, _events(*twice, *never), "Europe/Berlin")
    autumn, spring = date(2026, 10, 25), date(2026, 3, 29)
    assert _cells(counts) == [
        (0, "a", autumn, 1),
        (1, "b", spring, 1),
        (2, "a", autumn, 2),  # from 02:00 to 03:00 in summer time, then in winter time
        (3, "b", spring, 1),  # nothing from 02:00 to 03:00
        (4, "b", spring, 1),
    ]


@pytest.mark.parametrize("zone", ["UTC", "Etc/UTC", "GMT"])
def test_utc_before_1970_and_without_a_zone(engine: Engine, zone: str) -> None:
    data = _events(("a", "1969-12-31T23:30"), ("a", "1969-12-01T00:00"), kind=pa.timestamp("ns"))
    assert _cells(_count(engine, data, zone)) == [
        (0, "a", date(1969, 12, 1), 1),
        (23, "a", date(1969, 12, 31), 1),
    ]


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
@pytest.mark.parametrize("kind", ["s", "ms", "us", "ns"])
def test_instants_of_every_precision(engine: Engine, kind: str, zone: str | None) -> None:
    data = _events(("a", "2026-07-01T22:30Z" if zone else "2026-07-01T22:30"), kind=pa.timestamp(kind, zone))
    assert _cells(_count(engine, data, "Asia/Kolkata")) == [(4, "a", date(2026, 7, 2), 1)]


def test_rows_without_user_time_or_weight_are_left_out_and_counted(engine: Engine) -> None:
    data = _events(
        ("a", "2026-01-01T00:00"), (None, "2026-01-09T00:00"), ("c", None), ("a", "2026-01-02T00:00")
    )
    counts = _count(engine, data)
    assert counts.left_out == 2
    assert counts.end == date(2026, 1, 3), "a row that is left out does not widen the range"
    weighted = data.append_column("w", pa.array([2.5, 1.0, 1.0, float("nan")]))
    counts = _count(engine, weighted, weight="w")
    assert counts.left_out == 3
    assert _cells(counts) == [(0, "a", date(2026, 1, 1), 2.5)]


def test_infinite_times_are_left_out(engine: Engine) -> None:
    odd = engine.stage("select 'a' as user, cast('infinity' as timestamptz) as time")
    counts = count(
        timed(Rows(engine, f"select * from {odd}"), "user", "time", None, "Europe/Berlin"),
        weekdays=False, start=None, end=None,
    )  # fmt: skip
    assert (counts.left_out, _cells(counts), counts.start) == (1, [], None)


@pytest.mark.parametrize(
    ("weights", "total"),
    [
        (pa.array([1, 2, 4], pa.int32()), 7.0),
        (pa.array([Decimal("0.10"), Decimal("0.20"), Decimal("0.40")]), 0.7),
    ],
)
def test_weights_are_added_up(engine: Engine, weights: pa.Array, total: float) -> None:
    data = _events(*[("a", "2026-01-01T05:00")] * 3).append_column("w", weights)
    counts = _count(engine, data, weight="w")
    assert _cells(counts) == [(5, "a", date(2026, 1, 1), pytest.approx(total))]
    assert counts.are_integers == pa.types.is_integer(weights.type)


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.decimal128(30, 2)])
def test_an_amount_of_nothing_is_nothing(engine: Engine, kind: pa.DataType) -> None:
    """No cell, no user, no day; and no row that is left out for what it lacks."""
    data = _events(("a", "2026-01-02T05:00"), ("b", "2026-01-02T05:00"), ("a", "2026-01-09T07:00"))
    counts = _count(engine, data.append_column("w", pa.array([2, 0, 0]).cast(kind)), weight="w")
    assert _cells(counts) == [(5, "a", date(2026, 1, 2), 2.0)]
    assert (counts.start, counts.end) == (date(2026, 1, 2), date(2026, 1, 3))
    assert counts.left_out == 0
    assert engine.fetch(f"select * from {counts.users}") == [(0, "a")]


def test_users_are_those_who_are_counted(engine: Engine) -> None:
    data = _events(
        ("a", "2026-01-05T05:00"), ("b", None), ("c", "2026-01-09T05:00"), ("d", "2026-01-01T05:00")
    )
    counts = _count(engine, data, start=date(2026, 1, 2), end=date(2026, 1, 8))
    assert engine.fetch(f"select * from {counts.users}") == [(0, "a")]


def test_a_range_without_events_has_no_days(engine: Engine) -> None:
    data = _events(("a", "2026-01-05T05:00"))
    before = _count(engine, data, end=date(2020, 1, 1))
    assert (before.start, before.end, len(before.days)) == (None, date(2020, 1, 1), 0)
    after = _count(engine, data, start=date(2027, 1, 1))
    assert (after.start, after.end, len(after.days)) == (date(2027, 1, 1), None, 0)


@pytest.mark.parametrize("day", ["9999-12-31", "250000-01-01"])
def test_a_day_without_a_next_is_reported(engine: Engine, day: str) -> None:
    sql = f"select 'a' as who, date '{day}' as d, 3 as hour, 1 as n"
    amounts = counted(Rows(engine, sql), "who", "d", "hour", "n")
    with pytest.raises(ValueError, match=f"expected days from 0001-01-01 to before 9999-12-31, found {day}"):
        count(amounts, weekdays=False, start=None, end=None)
    assert _cells(count(amounts, weekdays=False, start=None, end=date(2026, 1, 1))) == []


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([2**53 + 1, 1], "less than 2\\*\\*53 of each user in an hour of the day, found 9.0072e"),
        ([2**63 - 1, 2**63 - 1], "found 1.84467e"),
        ([1e200, 1.0], "add up to at most 1e"),
        ([1.7e308, 1.7e308], "add up to at most 1e"),
    ],
)
def test_amounts_that_can_not_be_computed_with_are_refused(
    engine: Engine, weights: list[float], message: str
) -> None:
    data = _events(*[("a", "2026-01-01T05:00")] * 2).append_column("w", pa.array(weights))
    with pytest.raises(ValueError, match=message):
        _count(engine, data, weight="w")


def test_whole_amounts_are_exact_to_the_last(engine: Engine) -> None:
    data = _events(*[(user, "2026-01-01T05:00") for user in "aabb"])
    counts = _count(engine, data.append_column("w", pa.array([2**53 - 2, 1] * 2)), weight="w")
    assert [cell[3] for cell in _cells(counts)] == [2**53 - 1] * 2


def test_a_sum_of_fractions_does_not_depend_on_the_order(engine: Engine) -> None:
    weights = [1e16, 0.1, 0.2, 0.3, 1.0, -0.0, 7e-3] * 100
    found = set()
    for order in (weights, weights[::-1], sorted(weights, key=str)):
        data = _events(*[("a", "2026-01-01T05:00")] * 700).append_column("w", pa.array(order))
        found.add(_cells(_count(engine, data, weight="w"))[0][3])
    assert len(found) == 1


def test_only_days_of_the_range_count(engine: Engine) -> None:
    data = _events(*[("a", f"2026-01-{day:02}T23:30") for day in range(1, 11)])
    counts = _count(engine, data, "Europe/Berlin", start=date(2026, 1, 4), end=date(2026, 1, 7))
    assert [cell[2].day for cell in _cells(counts)] == [4, 5, 6], "of the clock in Berlin"
    assert len(counts.days) == 3
    counts = _count(engine, data, start=date(2025, 12, 30))
    assert (len(counts.days), counts.end) == (12, date(2026, 1, 11))


def test_weekdays_are_added_up(engine: Engine) -> None:
    monday = datetime(2026, 1, 5, 8, tzinfo=UTC)
    times = [(monday + timedelta(days=day)).isoformat() for day in (0, 6, 7, 13, 14)]
    data = _events(*[("a", time) for time in times])
    counts = _count(engine, data, weekdays=True)
    assert _cells(counts) == [(8, "a", 1, 3), (8, "a", 7, 2)]
    assert counts.days.tolist() == [1, 2, 3, 4, 5, 6, 7]
    weekend = _count(engine, data, weekdays=True, start=date(2026, 1, 9), end=date(2026, 1, 13))
    assert weekend.days.tolist() == [1, 5, 6, 7]


def test_counts_that_are_there_already(engine: Engine) -> None:
    day = date(2026, 1, 5)
    data = pa.table(
        {"who": [2, 1, 2, 1, None], "on": [day] * 5, "hour": [3, 3, 3, 4, 5], "n": [1, 5, 2, None, 1]}
    )
    amounts = counted(_rows(engine, data), "who", "on", "hour", "n")
    counts = count(amounts, weekdays=False, start=None, end=None)
    assert _cells(counts) == [(3, 1, day, 5), (3, 2, day, 3)]
    assert counts.left_out == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hour": [24]}, "expected hours from 0 to 23, found those from 24 to 24"),
        ({"hour": [1.5]}, "expected hours from 0 to 23 in 'hour', found double"),
        ({"n": [-1]}, "expected amounts of 0 or more, found -1"),
        ({"n": ["x"]}, "expected numbers in 'n', found string"),
        ({"on": ["2026-01-05"]}, "expected dates in 'on', found string; cast it to a date"),
    ],
)
def test_strange_counts_are_refused(engine: Engine, change: dict[str, list[Any]], message: str) -> None:
    data = pa.table({"who": ["a"], "on": [date(2026, 1, 5)], "hour": [3], "n": [1]} | change)
    with pytest.raises(ValueError, match=message):
        count(counted(_rows(engine, data), "who", "on", "hour", "n"), weekdays=False, start=None, end=None)


def test_strange_events_are_refused(engine: Engine) -> None:
    rows = _rows(engine, pa.table({"user": ["a"], "time": ["now"]}))
    with pytest.raises(ValueError, match="expected instants in 'time', found string"):
        timed(rows, "user", "time", None, "UTC")
    with pytest.raises(ValueError, match=r"expected the columns user, at; found user, time without \['at'\]"):
        timed(rows, "user", "at", None, "UTC")
