"""Backbone: files and tables into trusted tables, trusted tables into models.

The names below are all that a project needs. Each is imported when it is first used, so that
`import backbone` loads no engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backbone.analysis.group_task import KernelTask, map_groups
    from backbone.analysis.hourly_components.estimator import HourlyComponents
    from backbone.analysis.kernels.candidates import CandidateKernel
    from backbone.analysis.per_group.estimator import PerGroup
    from backbone.analysis.rare_edges.detector import RareEdgeDetector
    from backbone.analysis.sentiment import RatingScale, SentimentModel, choose_reviews, train_sentiment
    from backbone.contracts.contract import Contract, Key
    from backbone.dataset import Window
    from backbone.engines.rows import Rows
    from backbone.errors import StepFailed
    from backbone.exploitation.checks import (
        AcceptedValues,
        Audited,
        Check,
        InRange,
        NearRecent,
        NotNull,
        RowCount,
        Unique,
    )
    from backbone.exploitation.csv_export import CsvExport
    from backbone.exploitation.model import Retention, SqlModel, Step, StepContext
    from backbone.perform import execute
    from backbone.pinning import pin, pins, unpin
    from backbone.pipeline import Pipeline, Source
    from backbone.planning.plan import plan
    from backbone.planning.task import Plan, Task
    from backbone.project import open_project
    from backbone.runner import run
    from backbone.timezones import is_timezone, is_utc

__all__ = [
    "AcceptedValues",
    "Audited",
    "CandidateKernel",
    "Check",
    "Contract",
    "CsvExport",
    "HourlyComponents",
    "InRange",
    "KernelTask",
    "Key",
    "NearRecent",
    "NotNull",
    "PerGroup",
    "Pipeline",
    "Plan",
    "RareEdgeDetector",
    "RatingScale",
    "Retention",
    "RowCount",
    "Rows",
    "SentimentModel",
    "Source",
    "SqlModel",
    "Step",
    "StepContext",
    "StepFailed",
    "Task",
    "Unique",
    "Window",
    "choose_reviews",
    "execute",
    "is_timezone",
    "is_utc",
    "map_groups",
    "open_project",
    "pin",
    "pins",
    "plan",
    "run",
    "train_sentiment",
    "unpin",
]

_PLACES = {
    "backbone.analysis.group_task": (
        "KernelTask",
        "map_groups",
    ),
    "backbone.analysis.hourly_components.estimator": ("HourlyComponents",),
    "backbone.analysis.kernels.candidates": ("CandidateKernel",),
    "backbone.analysis.per_group.estimator": ("PerGroup",),
    "backbone.analysis.rare_edges.detector": ("RareEdgeDetector",),
    "backbone.analysis.sentiment": (
        "RatingScale",
        "SentimentModel",
        "choose_reviews",
        "train_sentiment",
    ),
    "backbone.contracts.contract": (
        "Contract",
        "Key",
    ),
    "backbone.dataset": ("Window",),
    "backbone.engines.rows": ("Rows",),
    "backbone.errors": ("StepFailed",),
    "backbone.exploitation.checks": (
        "AcceptedValues",
        "Audited",
        "Check",
        "InRange",
        "NearRecent",
        "NotNull",
        "RowCount",
        "Unique",
    ),
    "backbone.exploitation.csv_export": ("CsvExport",),
    "backbone.exploitation.model": (
        "Retention",
        "SqlModel",
        "Step",
        "StepContext",
    ),
    "backbone.pipeline": (
        "Pipeline",
        "Source",
    ),
    "backbone.perform": ("execute",),
    "backbone.pinning": ("pin", "pins", "unpin"),
    "backbone.planning.plan": ("plan",),
    "backbone.planning.task": ("Plan", "Task"),
    "backbone.project": ("open_project",),
    "backbone.runner": ("run",),
    "backbone.timezones": (
        "is_timezone",
        "is_utc",
    ),
}
_PLACE = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _PLACE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_PLACE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
