"""Which versions have expired, whatever the clocks did that the commits were written under."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from backbone.dataset import Receipt
from backbone.lake.expiry import NEWEST, KeptVersions, first_kept
from backbone.lake.log import MAINTAIN, LoggedCommit

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
TEN_YEARS = timedelta(days=3652)
A_MONTH = KeptVersions(30, 10_000)


def commits(at: Sequence[datetime], stage: str = "build") -> list[LoggedCommit]:
    receipt = Receipt("", stage, "exploitation.trial", "")
    return [LoggedCommit(100 + n, "", instant, receipt) for n, instant in enumerate(at)]


def days(number: int, *, wrong: range = range(0), by: timedelta = timedelta()) -> list[datetime]:
    """A commit a day, some of them under a clock that was wrong."""
    return [BEGIN + timedelta(days=n) + (by if n in wrong else timedelta()) for n in range(number)]


def test_a_version_expires_so_many_days_after_it_was_superseded() -> None:
    assert first_kept(commits(days(100)), A_MONTH) == 100 + 69
    assert first_kept(commits(days(100)), KeptVersions(0, 10_000)) == 100 + 100 - NEWEST
    assert first_kept(commits(days(100)), KeptVersions(1000, 10_000)) == 100
    assert first_kept(commits(days(100)), KeptVersions(36500, 20)) == 180
    assert first_kept(commits(days(1)), KeptVersions(0, 0)) == 100
    assert first_kept(commits([*days(3), BEGIN + TEN_YEARS]), A_MONTH) == 100, "the newest stay"


@pytest.mark.parametrize("by", [TEN_YEARS, -TEN_YEARS], ids=["forwards", "back"])
@pytest.mark.parametrize("wrong", [range(80, 81), range(60, 90), range(95, 100)], ids=str)
def test_a_clock_that_was_wrong_removes_nothing_that_is_younger(by: timedelta, wrong: range) -> None:
    first = first_kept(commits(days(100, wrong=wrong, by=by)), A_MONTH)
    is_ahead = by > timedelta() and wrong.stop == 100
    assert first == 100 + 100 - NEWEST if is_ahead else first <= 100 + 69


def test_the_commit_that_made_the_rows_stays() -> None:
    joined = [*commits(days(5)), *commits(days(40), MAINTAIN)]
    found = [LoggedCommit(n, "", c.at, c.receipt) for n, c in enumerate(joined)]
    assert first_kept(found, KeptVersions(0, 10)) == 4
