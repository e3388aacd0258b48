"""A name that is a time zone's is one to the engine too."""

from __future__ import annotations

from zoneinfo import available_timezones

import pytest

from backbone.engines import own_engine
from backbone.timezones import UTC_NAMES, is_timezone, is_utc


def test_the_engine_knows_what_is_a_time_zone() -> None:
    with own_engine("1GB", 1) as engine:
        known = {name for (name,) in engine.fetch("select name from pg_timezone_names()")}
    names = {name for name in available_timezones() if is_timezone(name)}
    assert names <= known
    assert len(names) > 400


@pytest.mark.parametrize(
    "name", ["localtime", "posix/Europe/London", "right/UTC", "Mars/Olympus", "", "../x"]
)
def test_what_is_none_is_refused(name: str) -> None:
    assert not is_timezone(name)


def test_names_of_utc_are_time_zones() -> None:
    assert all(is_utc(name) for name in available_timezones() if name.upper() in UTC_NAMES)
    assert not is_utc("Europe/London")
