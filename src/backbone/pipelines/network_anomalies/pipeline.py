"""The pipeline: one source, the counts of every hour, what one fit tells of them, and users who are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backbone import (
    AcceptedValues,
    Audited,
    Check,
    CsvExport,
    InRange,
    NotNull,
    Pipeline,
    Source,
    Step,
    is_timezone,
)
from backbone.pipelines.network_anomalies import anomalies, clusters, contracts, hourly_counts

PARAMETERS: dict[str, Any] = {
    "days": 28,
    "explained": 0.99,
    "threshold": 0.1,
    "top": 0,
    "observations": "calendar",
    "period": "day",
    "timezone": "UTC",
    "exclude": [],
    "most_clusters": 8,
    "lists": "",
}


def _is_integer(value: Any, least: int) -> bool:
    return type(value) is int and value >= least


VALIDATORS = {
    "every": ("day", lambda every: every == "day"),
    "days": ("a whole number from 1 to 36500", lambda days: _is_integer(days, 1) and days <= 36_500),
    "explained": ("above 0 and up to 1", lambda part: 0.0 < part <= 1.0),
    "threshold": ("from 0 to below 1", lambda score: 0.0 <= score < 1.0),
    "top": ("a whole number from 0 (0 to go by the threshold)", lambda users: _is_integer(users, 0)),
    "observations": ("calendar or observed", lambda days: days in ("calendar", "observed")),
    "period": ("day or weekday", lambda period: period in ("day", "weekday")),
    "timezone": ("the name of a time zone, such as Europe/London", is_timezone),
    "exclude": (
        "a list of users' names",
        lambda names: all(isinstance(name, str) for name in names),
    ),
    "most_clusters": ("a whole number from 1", lambda number: _is_integer(number, 1)),
}


@dataclass(frozen=True)
class SharesAddUp:
    """Where anything varies, the users' shares make 1 in each hour: nobody is missing, or there twice."""

    def failures(self, audited: Audited) -> list[str]:
        rows = audited.engine.fetch(
            f"select window_start, hour, sum(share) from {audited.staged} "
            "group by window_start, hour having sum(share) > 0 and abs(sum(share) - 1) > 1e-6 order by 1, 2"
        )
        return [
            f"in {window:%Y-%m-%d}, hour {hour}, the shares add up to {total}" for window, hour, total in rows
        ]


ACTIVITY = Source("user_activity", contracts.UserActivity, event_time="started_at")
HOURLY_COUNT = Step(
    "hourly_count",
    hourly_counts.count_hours,
    reads=["formatted.user_activity"],
    grain=["hour", "user_name", "day"],
    parameters=["timezone"],
    all_windows_at_once=True,
    conserves={"events": "count(*) from formatted.user_activity"},
)


def _fitted(name: str, grain: Sequence[str], checks: Sequence[Check] = ()) -> Step:
    return Step(
        name,
        anomalies.find_anomalies,
        reads=["exploitation.hourly_count"],
        grain=grain,
        checks=checks,
        parameters=anomalies.FITTED,
        lookback=anomalies.windows_before,
        one_fit=True,
    )


STATUSES = ("analysed", "no_variance", "one_day", "no_data")
FITTED = [
    _fitted("hour_status", ["hour"], [AcceptedValues("status", STATUSES)]),
    _fitted("component", ["hour", "rank"], [InRange("ratio", 0, 1 + 1e-9)]),
    _fitted("user_hour_score", ["hour", "user_name"], [InRange("score", 0, 1), SharesAddUp()]),
    _fitted("outlier", ["hour", "user_name"], [NotNull("usual"), NotNull("weekday")]),
    _fitted("outlier_day", ["hour", "user_name", "position"], [InRange("part", 0)]),
    _fitted("user_embedding", ["user_name"]),
]
USER_CLUSTER = Step(
    "user_cluster",
    clusters.cluster_users,
    reads=["exploitation.user_embedding"],
    grain=["user_name"],
    parameters=["most_clusters"],
    conserves={"*": "count(*) from exploitation.user_embedding"},
)

OUTLIER_LISTS = CsvExport(
    "outlier",
    parameter="lists",
    by="hour",
    columns=("user_name", "score", "relative", "share", "component", "day", "weekday", "events", "usual"),
    order=("round(score, 9) desc", "user_name"),
)

pipeline = Pipeline(
    "network_anomalies",
    every="day",
    sources=[ACTIVITY],
    steps=[HOURLY_COUNT, *FITTED, USER_CLUSTER],
    parameters=PARAMETERS,
    validators=VALIDATORS,
    exports=[OUTLIER_LISTS],
)
