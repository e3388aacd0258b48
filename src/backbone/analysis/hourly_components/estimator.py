"""`HourlyComponents`: who drives the variance of each hour of the day, and on which days."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import ExitStack
from datetime import date, datetime
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import pyarrow as pa
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from backbone.analysis.hourly_components.counting import Amounts, count, counted, timed
from backbone.analysis.hourly_components.embedding import DIMENSIONS
from backbone.analysis.hourly_components.results import Results
from backbone.engines.as_rows import as_rows
from backbone.engines.rows import Rows
from backbone.resources import refuse_unusable
from backbone.timezones import is_timezone


class HourlyComponents(BaseEstimator):  # type: ignore[misc]
    """Users whose activity is erratic, found by principal components of each hour of the day.

    For each of the 24 hours, the events of every user on every day make a matrix: days are observations,
    users are features, columns are centred. The directions in which most of the variance lies point at the
    users who drive it. A user's score in an hour is the largest magnitude of their entries in the directions
    that are kept. The results are exact: they equal a principal component analysis of the dense matrix.

    Which users are listed in `outliers`:

    - `threshold`, where hundreds of users are active in an hour and a few of them stand out. A direction has
      unit length, so at most 100 users can score over 0.1 in one direction.
    - `top`, with many users, of whom none may exceed any threshold, or with sparse activity: where hardly
      fewer components are kept than users are active, nearly everybody has a direction of their own and
      scores 1. (A smaller `explained` helps there too.) It takes those with the largest `share`: the part of
      the explained variance that a user makes, which is 1 for all users together.

    `scores` has everybody, with `relative` too: the score over that of an even share, 1/√users, which does
    not fade with the number of users as the score does.

    Directions of equal variance can be turned into each other without a difference, so those within 1e-9 of
    the largest variance of their neighbour are one cluster: kept or dropped whole, and a user's score in it
    is the length of their entries over the cluster. Sparse activity has many such ties.

    Parameters
    ----------
    explained : keep components until they explain this part of the variance of the hour.
    threshold : users who score more than this are outliers.
    top : instead of the threshold, this many users of each hour are outliers: those with the largest share.
    timezone : whose clock tells day and hour. Where the clocks go back, both hours of the same name are
        counted as one; where they go forward, the hour that is left out has no events on that day.
    days : "calendar" takes every day of the range as an observation, zeros where a user was not active.
        "observed" takes the days on which anybody was active in that hour.
    period : "day", or "weekday" to add up all Mondays, all Tuesdays and so on: at most 7 observations. The
        range should be whole weeks then.
    memory_limit, threads : of the engine that counts, where the data is in none.

    Attributes
    ----------
    start_, end_ : the range of days, `start_ <= day < end_`; None where it was not given and there are no
        events in what was.
    rows_left_out_ : rows that were not counted because they lack a user, a time or a weight.

    Examples
    --------
    Nine users with two to four events each day at noon, and one with 30 on the 8th only.

    >>> from datetime import timedelta
    >>> noon = datetime(2026, 1, 1, 12)
    >>> rows = [
    ...     (f"user{u}", noon + timedelta(days=day))
    ...     for day in range(14)
    ...     for u in range(9)
    ...     for _ in range(2 + (u + day) % 3)
    ... ]
    >>> rows += [("eve", noon + timedelta(days=7, minutes=minute)) for minute in range(30)]
    >>> model = HourlyComponents(threshold=0.5).fit(
    ...     pa.table({"user": [user for user, _ in rows], "time": [time for _, time in rows]})
    ... )
    >>> model.outliers.select(["hour", "user", "day", "events", "usual"]).to_pylist()
    [{'hour': 12, 'user': 'eve', 'day': datetime.date(2026, 1, 8), 'events': 30, 'usual': 0.0}]
    >>> [round(model.outliers[name][0].as_py(), 3) for name in ("score", "relative", "share")]
    [0.996, 3.15, 0.909]
    >>> model.components["ratio"].to_numpy().round(3).tolist()
    [0.916, 0.045, 0.039]

    References
    ----------
    Jolliffe, Principal Component Analysis (2002). The eigenvectors of the small Gram matrix, days × days:
    Turk and Pentland (1991).
    """

    dimensions: ClassVar[int] = DIMENSIONS
    """Of the embedding: its columns are x1 to this number."""

    def __init__(
        self,
        explained: float = 0.99,
        threshold: float = 0.1,
        top: int | None = None,
        timezone: str = "UTC",
        days: str = "calendar",
        period: str = "day",
        *,
        memory_limit: str = "4GB",
        threads: int | None = None,
    ) -> None:
        self.explained = explained
        self.threshold = threshold
        self.top = top
        self.timezone = timezone
        self.days = days
        self.period = period
        self.memory_limit = memory_limit
        self.threads = threads
        self._fitted: Results | None = None
        self._closing: Callable[[], Any] | None = None
        self._check()

    def fit(
        self,
        events: Any,
        *,
        user: str = "user",
        time: str = "time",
        weight: str | None = None,
        start: date | None = None,
        end: date | None = None,
    ) -> Self:
        """Count the events and find the components of each hour.

        Parameters
        ----------
        events : a row per event: anything that exports an Arrow stream (a pyarrow, Polars or pandas table, a
            DuckDB relation), the path or paths of Parquet files, or `Rows` of a pipeline's step.
        user, time : columns. An instant without a time zone is in UTC.
        weight : a column of numbers to add up in place of counting rows, such as bytes; 0 is nothing.
        start, end : only events on days `start <= day < end`, by the clock of the time zone; every one of
            these days is an observation. Without them, from the first to the last day with events in any
            hour.

        Raises
        ------
        ValueError
            When a column is missing or of the wrong kind, or a weight is negative.
        """
        columns = [user, time, *([weight] if weight is not None else [])]
        return self._fit(
            events, columns, lambda rows: timed(rows, user, time, weight, self.timezone), start, end
        )

    def fit_counts(
        self,
        counts: Any,
        *,
        user: str = "user",
        day: str = "day",
        hour: str = "hour",
        events: str = "events",
        start: date | None = None,
        end: date | None = None,
    ) -> Self:
        """Find the components of each hour of events that are counted already, by the clock they came with.

        Parameters
        ----------
        counts : as `events` of `fit`, a row per user, day and hour; of several, the sum counts; 0 is nothing.
        user, day, hour, events : columns; dates, hours from 0 to 23 and numbers.
        start, end : as for `fit`.

        Raises
        ------
        ValueError
            When a column is missing or of the wrong kind, a count is negative, or an hour is out of range.
        """
        columns = [user, day, hour, events]
        return self._fit(counts, columns, lambda rows: counted(rows, user, day, hour, events), start, end)

    @property
    def hours(self) -> pa.Table:
        """What became of each of the 24 hours, a row each.

        `hour`; `status`: `analysed`, or `no_variance` (everybody's count is the same on every day),
        `one_day` (so that nothing can vary), `no_data`; these have no components, and whoever is active in
        them scores 0. `days`, `users` (those active in the hour) and `components`: how many there are.
        `variance`: of all users together, in events²; null where none can be told. One user alone is a
        whole direction, and scores 1.
        """
        return self._results.table("hours")

    @property
    def components(self) -> pa.Table:
        """The components that are kept: `hour`, `rank` (from 1), `variance` (events²), its `ratio` to the
        variance of the hour and the `cumulative` ratio; `cluster` is the first rank of equal variance."""
        return self._results.table("components")

    @property
    def scores(self) -> pa.Table:
        """Everybody's scores, a row per hour and user who was active in it.

        `days` on which they were, and `events`; `score`, from 0 to 1; `relative`, the score over that of an
        even share, √(components in the cluster / users); `share`, their part of the explained variance;
        `component`, the rank of the (first) component in which they score, null where nothing varies.
        """
        return self._results.table("scores")

    @property
    def outliers(self) -> pa.Table:
        """The users who stand out in an hour, the largest score first (of the top ones the largest share).

        `hour`, `user`, `score`, `relative`, `share`, `component`; `day`, that which drives the score most,
        and the `events` on it, beside those that are `usual`: the median over all days.
        """
        return self._results.table("outliers")

    @property
    def outlier_days(self) -> pa.Table:
        """The days that drive the scores of the outliers, as few as make up half of each score.

        `hour`, `user`, `position` (1 is the strongest), `day`, `events` on it, and `part`: how much of the
        score the day makes. A day can drive a score by what is missing on it.
        """
        return self._results.table("outlier_days")

    @property
    def counts(self) -> pa.Table:
        """The cells of the matrices: `hour`, `user`, `day` (1 for Monday to 7 where days are folded) and
        `events`; no row where there were none."""
        return self._results.table("counts")

    @property
    def loadings(self) -> pa.Table:
        """Everybody's entries in the directions: `hour`, `user`, and `loadings`, in the order of the ranks.

        It is as large as the scores times the number of components. A direction's sign is such that it is
        positive on its strongest day.
        """
        return self._results.table("loadings")

    @property
    def embedding(self) -> pa.Table:
        """Everybody's place among the others: `user`, the `hours` they were active in, and `x1` to `x8`.

        Users whose activity varies in the same hours, on the same days and by as much are near each other. It
        is what the loadings of all hours come to in the eight directions in which users differ most, each
        loading weighted by the part that its component explains of its hour and by the root of the users of
        the hour: a user like most others is near 0. With over 10,000 users, the directions are chosen by
        every n-th of them; where over 800 components are kept in all hours together (those of more than a
        month), by fewer: 8 million over their number, and no less than 1,000.
        """
        return self._results.table("embedding")

    def rows(self, table: str) -> Rows:
        """A table by its name, left inside the engine: as the result of a pipeline's step.

        Its rows are in any order. Dropping one table drops them all. In an engine of its own, it is there for
        as long as this object is.

        Raises
        ------
        ValueError
            When there is no such table.
        """
        return self._results.rows(table)

    def close(self) -> None:
        """Free the engine that counted, unless the data was in one; tables that were read stay readable."""
        if self._closing is not None:
            self._closing()

    def _fit(
        self,
        data: Any,
        columns: list[str],
        amounts: Callable[[Rows], Amounts],
        start: date | None,
        end: date | None,
    ) -> Self:
        self._check()  # once more, for parameters can be set
        _check_range(start, end)
        self.close()
        self._fitted = None  # until there is another: what was found before goes with its engine
        with ExitStack() as stack:
            rows = stack.enter_context(as_rows(data, columns, self.memory_limit, self.threads))
            counts = count(amounts(rows), weekdays=self.period == "weekday", start=start, end=end)
            if not isinstance(data, Rows):
                rows.drop()
            self._fitted = Results(
                counts,
                explained=self.explained,
                observed=self.days == "observed",
                threshold=self.threshold,
                top=self.top,
                versions=rows.versions,
            )
            self.start_, self.end_, self.rows_left_out_ = counts.start, counts.end, counts.left_out
            self._closing = weakref.finalize(self, stack.pop_all().close)
        return self

    @property
    def _results(self) -> Results:
        if self._fitted is None:
            raise NotFittedError("there is nothing to tell yet, or the last fit failed; call fit() first")
        return self._fitted

    def _check(self) -> None:
        if not _is_number(self.explained) or not 0.0 < self.explained <= 1.0:
            raise ValueError(f"expected explained above 0 and up to 1, found {self.explained!r}")
        if not _is_number(self.threshold) or not 0.0 <= self.threshold < 1.0:
            raise ValueError(f"expected a threshold from 0 to below 1, found {self.threshold!r}")
        if self.top is not None and (
            not isinstance(self.top, Integral) or isinstance(self.top, bool) or self.top < 1
        ):
            raise ValueError(f"expected a top of 1 or more users, or None, found {self.top!r}")
        if self.days not in ("calendar", "observed"):
            raise ValueError(f"expected days 'calendar' or 'observed', found {self.days!r}")
        if self.period not in ("day", "weekday"):
            raise ValueError(f"expected period 'day' or 'weekday', found {self.period!r}")
        if not is_timezone(self.timezone):
            raise ValueError(f"no time zone is called {self.timezone!r}")
        refuse_unusable(self.memory_limit, self.threads)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _check_range(start: date | None, end: date | None) -> None:
    for bound in (start, end):
        if isinstance(bound, datetime) or not isinstance(bound, date | None):
            raise TypeError(f"expected a date, found {bound!r}; a day is one of the time zone's clock")
    if start is not None and end is not None and start >= end:
        raise ValueError(f"expected start before end, found {start} and {end}")
