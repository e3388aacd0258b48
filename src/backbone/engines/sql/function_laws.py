"""The laws of the functions that engines spell in different ways: what they find is what Python finds."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from backbone.dataset import CADENCES, EPOCH, floor, hour_of, window_of
from backbone.engines.sql.functions import MOST_STRETCHES

if TYPE_CHECKING:
    from backbone.engines.protocol import Engine
    from backbone.engines.relation import Relation

MICROSECOND = timedelta(microseconds=1)
INSTANTS = [
    *(
        datetime(1969, 11, 20, tzinfo=UTC) + n * timedelta(hours=7, minutes=59, microseconds=1)
        for n in range(300)
    ),
    *(at + MICROSECOND * shift for at in (EPOCH, datetime(2024, 3, 1, tzinfo=UTC)) for shift in (-1, 0)),
    datetime(1900, 1, 1, 0, 0, 0, 1, UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC),
]


def instants_are_exact(engine: Engine, folder: Path) -> None:
    sql, rows = engine.functions, _instants(engine)
    for at in INSTANTS[::29]:
        assert engine.fetch(f"select moment from {rows} where moment = {sql.instant(at)}") == [(at,)]
    counted = engine.fetch(
        f"select {sql.epoch_us('moment')}, moment, {sql.instant_of(sql.epoch_us('moment'))} from {rows}"
    )
    assert len(counted) == len(INSTANTS)
    for microseconds, at, again in counted:
        assert (microseconds, again) == ((at - EPOCH) // MICROSECOND, at)


def hours_are_counted_from_1970(engine: Engine, folder: Path) -> None:
    found = engine.fetch(f"select moment, {engine.functions.hour('moment')} from {_instants(engine)}")
    assert [hour for _, hour in found] == [hour_of(at) for at, _ in found]


def windows_start_as_in_python(engine: Engine, folder: Path) -> None:
    rows = _instants(engine)
    for every in CADENCES:
        found = engine.fetch(f"select moment, {engine.functions.window_start('moment', every)} from {rows}")
        for at, start in found:
            assert start == floor(at, every), (every, at)


def instants_lie_within_windows(engine: Engine, folder: Path) -> None:
    rows, within = _instants(engine), engine.functions.within
    for every in CADENCES:
        for some in (
            INSTANTS[20:25],
            [*INSTANTS[::90], INSTANTS[-1]],
            INSTANTS[: 4 * MOST_STRETCHES : 2],
            [],
        ):
            windows = [window_of(at, every) for at in some if at.year < 9999]
            expected = {at for at in INSTANTS if any(w.start <= at < w.end for w in windows)}
            inside = engine.fetch(f"select moment from {rows} where {within('moment', windows)}")
            outside = engine.fetch(f"select moment from {rows} where not {within('moment', windows)}")
            assert {at for (at,) in inside} == expected, every
            assert {at for (at,) in outside} == set(INSTANTS) - expected, every


def clocks_are_those_of_the_time_zone(engine: Engine, folder: Path) -> None:
    sql, rows = engine.functions, _instants(engine)
    times = f"{sql.local_time('moment', 'Europe/Berlin')}, {sql.utc_time(sql.epoch_us('moment'))}"
    for at, local, utc in engine.fetch(
        f"select moment, {times} from {rows} where moment < {sql.instant(INSTANTS[-1])}"
    ):
        assert local == at.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None)
        assert utc == at.astimezone(UTC).replace(tzinfo=None)


def what_is_no_number_is_known(engine: Engine, folder: Path) -> None:
    sql = engine.functions
    rows = _put(engine, {"place": [1, 2, 3, 4, 5], "x": [1.5, math.nan, math.inf, -math.inf, None]})
    found = engine.fetch(f"select {sql.is_nan('x')}, {sql.is_finite('x')} from {rows} order by place")
    assert found == [(False, True), (True, False), (False, False), (False, False), (None, None)]
    assert engine.fetch(f"select {sql.is_nan(sql.nan())} as x") == [(True,)]
    assert engine.fetch(
        f"select {sql.is_finite_date('cast(moment as date)')} from {_instants(engine)} limit 1"
    ) == [(True,)]


def texts_are_hashed_as_utf_8(engine: Engine, folder: Path) -> None:
    texts = ["", "a", "ä\U0001f600", "it's"]
    found = engine.fetch(f"select t, {engine.functions.md5('t')} from {_put(engine, {'t': texts})}")
    expected = {text: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() for text in texts}
    assert dict(found) == expected


def the_first_byte_of_a_hash_is_a_number(engine: Engine, folder: Path) -> None:
    texts = ["", "a", "ä\U0001f600", "it's", *map(str, range(300))]
    found = engine.fetch(f"select t, {engine.functions.md5_byte('t')} from {_put(engine, {'t': texts})}")
    expected = {text: hashlib.md5(text.encode(), usedforsecurity=False).digest()[0] for text in texts}
    assert dict(found) == expected
    assert min(expected.values()) < 16 < 240 < max(expected.values()), "a byte of one digit, and a large one"


def weekdays_are_counted_from_monday(engine: Engine, folder: Path) -> None:
    day = engine.functions.iso_weekday("cast(moment as date)")
    found = engine.fetch(f"select moment, {day} from {_instants(engine)}")
    assert [weekday for _, weekday in found] == [at.astimezone(UTC).isoweekday() for at, _ in found]


def texts_are_written_as_literals(engine: Engine, folder: Path) -> None:
    rows = _put(engine, {"n": [1]})
    for text in ("", "it's", 'a "quoted" -- word', "ä\U0001f600", "{0} %s $n", "a\\nb"):
        assert engine.fetch(f"select {engine.functions.text(text)} as t from {rows}") == [(text,)]


def the_first_struct_of_a_list_is_found(engine: Engine, folder: Path) -> None:
    lists = [[{"hour": 1, "value": 2}, {"hour": 3, "value": 4}], [], None, [{"hour": 5, "value": None}]]
    listed = ", ".join(
        f"{engine.functions.first_struct('alerts', name)} as {name}" for name in ("hour", "value")
    )
    rows = _put(engine, {"place": [1, 2, 3, 4], "alerts": lists})
    found = engine.fetch(f"select {listed} from {rows} order by place")
    assert found == [(1, 2), (None, None), (None, None), (5, None)]


def whole_numbers_are_divided_without_the_rest(engine: Engine, folder: Path) -> None:
    sql, numbers = engine.functions, [0, 1, 6, 7, 8, 2**62]
    found = engine.fetch(f"select n, {sql.divided('n', 7)} from {_put(engine, {'n': numbers})}")
    assert dict(found) == {number: number // 7 for number in numbers}
    rows = _put(engine, {"n": [1, 2, 3]})
    for values, count in ((["1", "3"], 2), ([], 0)):
        assert engine.fetch(f"select count(*) from {rows} where {sql.one_of('n', values)}") == [(count,)]


FUNCTION_LAWS: tuple[Callable[[Engine, Path], None], ...] = (
    instants_are_exact,
    hours_are_counted_from_1970,
    windows_start_as_in_python,
    instants_lie_within_windows,
    clocks_are_those_of_the_time_zone,
    what_is_no_number_is_known,
    texts_are_hashed_as_utf_8,
    the_first_byte_of_a_hash_is_a_number,
    weekdays_are_counted_from_monday,
    texts_are_written_as_literals,
    the_first_struct_of_a_list_is_found,
    whole_numbers_are_divided_without_the_rest,
)


def _put(engine: Engine, columns: dict[str, Sequence[Any]]) -> Relation:
    import pyarrow as pa

    return engine.put(pa.table(columns))


def _instants(engine: Engine) -> Relation:
    import pyarrow as pa

    return engine.put(pa.table({"moment": pa.array(INSTANTS, pa.timestamp("us", "UTC"))}))
