"""`RareEdgeDetector`: edges of a graph that suddenly carry far more than expected, watched hour by hour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbone.analysis.rare_edges.counts import EDGE, HourlyCounts, hourly_counts
from backbone.analysis.rare_edges.decay import fit_decay
from backbone.analysis.rare_edges.hours import hour_numbers
from backbone.analysis.rare_edges.kernel import (
    ALERT_NAMES,
    ALERTS,
    NEXT,
    POSITION,
    alert_fields,
)
from backbone.analysis.rare_edges.known import KnownEdges, known_edges
from backbone.analysis.rare_edges.numbered import NUMBER
from backbone.analysis.rare_edges.rule import Rule
from backbone.analysis.rare_edges.state import NEVER, EdgeState
from backbone.analysis.rare_edges.watch_counts import NO_COLUMNS, watch_counts, watch_numbered
from backbone.engines.rows import Rows
from backbone.resources import refuse_unusable

USUAL = Rule()


class RareEdgeDetector:
    """Watch every edge of a graph, hour by hour, and tell when one carries far more than expected.

    An edge is a pair of source and destination; it is fed those hours in which it has connections. For its
    first `training_hours` it is only watched. From then on an hour is an alert when its count exceeds what is
    expected and the last alert is more than `cooldown_hours` ago. Expected is a multiple of the edge's
    maximum, and the standard deviation of the counts since the last alert on top. The multiple falls from
    `intercept` by `-slope` a day, until a count is more than what is left of the maximum and takes its place.

    With the default line nothing is left of a maximum after 81 days: the next count, however small, takes
    its place, and what the edge once carried is an alert again. `floor` keeps a part of every maximum in
    force. What is expected is worked out in hours with connections only: the first hour after a silence is
    held to what was expected before it.

    The detector keeps nothing itself: what is known of the edges is the state, a table that goes in and
    comes out. However a range of hours is divided among calls, state and alerts are the same, bit for bit.
    The state is held in memory, about 100 bytes for each edge beside its names; the counts are not.

    Parameters
    ----------
    training_hours : of each edge, from the hour in which it was first seen; at least 1.
    cooldown_hours : alerts of an edge are more than this many hours apart; at least 0.
    slope, intercept : of the multiple of the maximum, per day since the maximum and at once. `fit_decay`
        estimates them from history.
    floor : the smallest multiple; None for none.
    retire_hours : an edge that is seen again more than this many hours after it was last seen starts anew,
        its training too; None for never. `update` keeps retired edges in the state: drop those whose
        `last_seen` is that long ago at will.
    memory_limit, threads : of the engine that sorts the counts, where they are in none.

    Examples
    --------
    >>> from datetime import datetime, timedelta
    >>> start = datetime(2026, 1, 1)
    >>> quiet = [(start + timedelta(hours=hour), 10) for hour in range(0, 40 * 24, 6)]
    >>> hours, connections = zip(*quiet, (datetime(2026, 2, 10, 3), 900))
    >>> counts = pa.table(
    ...     {
    ...         "source": ["web"] * len(hours),
    ...         "destination": ["backup"] * len(hours),
    ...         "hour": hours,
    ...         "connections": connections,
    ...     }
    ... )
    >>> state, alerts = RareEdgeDetector().update(None, counts)
    >>> alerts.select(["source", "destination", "hour", "value"]).to_pylist()
    [{'source': 'web', 'destination': 'backup', 'hour': datetime.datetime(2026, 2, 10, 3, 0), 'value': 900}]
    >>> alerts["expected"].to_numpy().round(2).tolist(), alerts["previous_maximum"].to_pylist()
    ([35.98], [10])
    >>> later = counts.slice(0, 1).set_column(2, "hour", [[datetime(2026, 2, 10, 4)]])
    >>> state, alerts = RareEdgeDetector().update(state, later)
    >>> state.select(["first_seen", "last_seen", "maximum", "n_hours"]).to_pylist()  # doctest: +ELLIPSIS
    [{'first_seen': ..., 'last_seen': datetime.datetime(2026, 2, 10, 4, 0), 'maximum': 900, 'n_hours': 1}]

    References
    ----------
    The algorithm and the default line come from "Rare Edge Detection", a detector of unusual traffic between
    programs and the names they connect to. `reference.py` is the algorithm in plain Python.
    """

    state_columns: ClassVar[tuple[str, ...]] = (*EDGE, *EdgeState._fields)
    """The columns of a state; the first two name the edge."""
    alert_columns: ClassVar[tuple[str, ...]] = tuple(ALERT_NAMES)
    """The columns of `history` that tell of an alert, without `alert_` before their names."""

    def __init__(
        self,
        training_hours: int = USUAL.training_hours,
        cooldown_hours: int = USUAL.cooldown_hours,
        slope: float = USUAL.slope,
        intercept: float = USUAL.intercept,
        floor: float | None = USUAL.floor,
        retire_hours: int | None = USUAL.retire_hours,
        *,
        memory_limit: str = "4GB",
        threads: int | None = None,
    ) -> None:
        self.training_hours = training_hours
        self.cooldown_hours = cooldown_hours
        self.slope = slope
        self.intercept = intercept
        self.floor = floor
        self.retire_hours = retire_hours
        self.memory_limit = memory_limit
        self.threads = threads
        self._rule.refuse_nonsense()
        refuse_unusable(memory_limit, threads)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings by their names, as scikit-learn asks for them to make another such detector.

        Examples
        --------
        >>> RareEdgeDetector(floor=0.5).get_params()["floor"]
        0.5
        """
        return {name: getattr(self, name) for name in (*Rule._fields, "memory_limit", "threads")}

    def set_params(self, **settings: Any) -> Self:
        """Change some settings.

        Raises
        ------
        ValueError
            When one is not known or makes no sense; then none is changed.
        """
        known = self.get_params()
        if unknown := [name for name in settings if name not in known]:
            raise ValueError(f"expected settings out of {', '.join(known)}, found {', '.join(unknown)}")
        type(self)(**known | settings)
        for name, value in settings.items():
            setattr(self, name, value)
        return self

    def update(self, state: Any, counts: Any) -> tuple[pa.Table, pa.Table]:
        """Take in the counts of one or many hours.

        Parameters
        ----------
        state : what is known before: the table that the last `update` returned, as anything that exports an
            Arrow stream, the path or paths of Parquet files, or `Rows` of a pipeline's step; None at the
            beginning.
        counts : the same kinds of data, with the columns source and destination (of any type that has an
            order), hour (an instant on the hour, in UTC where it has a zone, or the number of an hour) and
            connections (whole numbers above 0). The rows need not be sorted; those of one edge and hour are
            summed.

        Returns
        -------
        The state: a row per edge, in the order in which they were first seen (or seen anew, where an edge
        started anew) and of their names, with `source`, `destination`, `first_seen`, `last_seen`, `maximum`
        (that the expectation decays from), `maximum_at`, `last_alert` (null where there has been none),
        `expected` (more than this is unusual), and of the counts since the last alert `n_hours`, `mean` and
        `squared_deviations`.

        The alerts, in the order of hour, source and destination: `source`, `destination`, `hour`, `value`,
        `expected`, `ratio` (value / expected; null where what is expected is not above 0),
        `hours_since_first_seen`, `hours_since_last_alert` (null for the first), `previous_maximum` and
        `previous_maximum_at`.

        Keys and hours are of the types that they are of in the counts. The last hour of a state is the latest
        in which an edge of it had connections: hours without any leave no trace. An edge that is left out of
        a state, as it has not been seen for long, starts anew when it is seen again.

        Raises
        ------
        ValueError
            When a column is missing or of the wrong kind, a row names no edge or hour, connections are not
            positive, an hour is not a whole one, or it is not after the last hour of the state.
        """
        with hourly_counts(counts, self.memory_limit, self.threads) as given:
            known = known_edges(state, given)
            found = watch_counts(self._rule, known, given)
        position = found.column(POSITION).to_numpy()
        after = known.updated(found.select(EDGE), position, EdgeState.of(found))
        return after.table(given), _alerts(found, given)

    def changes(self, state: Any, counts: Any) -> tuple[pa.Table, pa.Table]:
        """As `update`, but of the state only the edges that have counts, in the order of the edges.

        It is what a table that keeps the states of all hours has to append. `state` need hold no other edges;
        hours are refused then that are not after the last one of those that it holds.
        """
        with hourly_counts(counts, self.memory_limit, self.threads) as given:
            found = watch_counts(self._rule, known_edges(state, given), given)
        changed = KnownEdges(found.select(EDGE), EdgeState.of(found))
        return changed.table(given), _alerts(found, given)

    def fit_decay(self, counts: Any) -> Self:
        """Set `slope` and `intercept` to those of history, by least squares.

        A point is an hour after an edge's training in which its count exceeds all of its counts before: by
        which multiple it does, against the days since the maximum that it exceeds (from the end of the
        training, for a maximum within it). So the line says how much higher a new maximum usually is,
        depending on how long it took to come, and what is higher still is an alert. Points of all edges are
        equal in weight; `n_maxima_` is their number. Noise pulls the line up where it is near or below 1, as
        a count that does not exceed the maximum is no point.

        Parameters
        ----------
        counts : as for `update`, over much more than `training_hours`.

        Raises
        ------
        ValueError
            When there are not two new maxima that took different times to come.

        Examples
        --------
        >>> hours = [0, 720 + 24, 720 + 24 + 240, 720 + 24 + 240 + 480]
        >>> history = pa.table(
        ...     {
        ...         "source": ["a"] * 4,
        ...         "destination": ["b"] * 4,
        ...         "hour": hours,
        ...         "connections": [1000, 2950, 7375, 14750],
        ...     }
        ... )
        >>> detector = RareEdgeDetector().fit_decay(history)
        >>> round(detector.slope, 9), round(detector.intercept, 9), detector.n_maxima_
        (-0.05, 3.0, 3)
        """
        with hourly_counts(counts, self.memory_limit, self.threads) as given:
            self.slope, self.intercept, self.n_maxima_ = fit_decay(given, self.training_hours)
        return self

    def history(
        self, state: Any, counts: Rows, since: Any = None, edge_columns: Mapping[str, str] = NO_COLUMNS
    ) -> Rows:
        """As `changes`, but after every hour: a row for each edge and hour, which the engine keeps.

        It is for many hours at once, whose states are to be the same as from one `changes` an hour.

        Parameters
        ----------
        counts : rows that an engine holds.
        since : an hour, of the type of those of the counts; of hours before it only alerts have a row, and of
            each edge the last one.
        edge_columns : further columns, which depend on the edge alone: their names, and SQL over source and
            destination.

        Returns
        -------
        The columns of the state, of which `last_seen` is the row's hour; those of an alert, without its hour
        and with `alert_` before their names: null where the hour is none; `next_seen`, the next hour of the
        edge in the counts, null for its last; and `edge_columns`.
        """
        with hourly_counts(counts, self.memory_limit, self.threads) as given:
            first = NEVER
            if since is not None:
                first = int(hour_numbers(pa.array([since]).cast(given.seen["hour"]))[0])
            known = known_edges(state, given)
            staged, edges = watch_numbered(
                self._rule, known, given, edge_columns, each_hour=True, since=first
            )
            first_alert = counts.engine.functions.first_struct
            alert = (f"{first_alert(ALERTS, name)} as alert_{name}" for name in ALERT_NAMES)
            listed = ", ".join([*EDGE, *EdgeState._fields, *alert, NEXT, *edge_columns])
            sql = f"select {listed} from {staged} as s join {edges} as e using ({NUMBER})"
        return Rows(counts.engine, sql, counts.versions, (staged, edges))

    @property
    def _rule(self) -> Rule:
        return Rule(*(getattr(self, name) for name in Rule._fields))


def _alerts(found: pa.Table, counts: HourlyCounts) -> pa.Table:
    """The alerts of all edges, in the order of their hours."""
    lists = found.column(ALERTS).combine_chunks()
    keys = found.select(EDGE).take(pc.list_parent_indices(lists))
    schema = pa.schema([*counts.keys, *alert_fields(counts.given["hour"])])
    alerts = pa.table([*keys.columns, *pc.list_flatten(lists).flatten()], names=schema.names)
    hours = alerts.column("hour").cast(pa.int64()).to_numpy()
    return alerts.take(np.argsort(hours, kind="stable")).cast(schema)
