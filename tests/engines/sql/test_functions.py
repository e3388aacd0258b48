"""Which window an instant lies in is the same in SQL and in Python."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from backbone.dataset import window_of
from backbone.engines import own_engine
from backbone.engines.protocol import Engine
from backbone.engines.relation import Relation
from backbone.engines.sql import functions

CADENCES = ["hour", "day", "week", "month"]
INSTANTS = [
    datetime(1969, 12, 1, tzinfo=UTC) + n * timedelta(hours=7, minutes=59, microseconds=1) for n in range(400)
]


@pytest.fixture(name="engine", scope="module")
def _engine() -> Iterator[Engine]:
    with own_engine("200MB", 1) as engine:
        yield engine


@pytest.fixture(name="rows", scope="module")
def _rows(engine: Engine) -> Relation:
    listed = ", ".join(f"(timestamptz '{instant.isoformat()}')" for instant in INSTANTS)
    return engine.stage(f"select * from (values {listed}, (null)) as v(at_time)")


@pytest.mark.parametrize("every", CADENCES)
def test_the_window_of_an_instant(engine: Engine, rows: Relation, every: str) -> None:
    start = engine.functions.window_start("at_time", every)
    found = engine.fetch(f"select at_time, {start} from {rows} where at_time is not null")
    assert len(found) == len(INSTANTS)
    assert all(start == window_of(at, every).start for at, start in found)


@pytest.mark.parametrize("every", CADENCES)
@pytest.mark.parametrize("most", [0, 64])
def test_the_instants_within_some_windows(
    engine: Engine, rows: Relation, monkeypatch: pytest.MonkeyPatch, every: str, most: int
) -> None:
    monkeypatch.setattr(functions, "MOST_STRETCHES", most)
    windows = [window_of(instant, every) for instant in INSTANTS[20:25] + INSTANTS[200:300:9]]
    within = engine.functions.within("at_time", windows)
    expected = [at for at in INSTANTS if any(w.start <= at < w.end for w in windows)]
    assert [
        row[0] for row in engine.fetch(f"select at_time from {rows} where {within} order by 1")
    ] == expected
    outside = engine.fetch(f"select count(*) from {rows} where not {within}")[0][0]
    assert outside == len(INSTANTS) - len(expected)
    nothing = engine.functions.within("at_time", [])
    assert engine.fetch(f"select count(*) from {rows} where {nothing}") == [(0,)]
