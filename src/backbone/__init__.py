"""Backbone: files and tables into trusted tables, trusted tables into models.

The names below are all that a project needs. Each is imported when it is first used, so that
`import backbone` loads no engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backbone.analysis.hourly_components.estimator import HourlyComponents
    from backbone.analysis.per_group.estimator import PerGroup
    from backbone.analysis.rare_edges.detector import RareEdgeDetector
    from backbone.contract import Contract, Key
    from backbone.exploitation.checks import AcceptedValues, InRange, NearRecent, NotNull, RowCount, Unique
    from backbone.exploitation.lists import Lists
    from backbone.exploitation.model import SqlModel, Step
    from backbone.pipeline import Pipeline, Source
    from backbone.runner import open_project, run

__all__ = [
    "AcceptedValues",
    "Contract",
    "HourlyComponents",
    "InRange",
    "Key",
    "Lists",
    "NearRecent",
    "NotNull",
    "PerGroup",
    "Pipeline",
    "RareEdgeDetector",
    "RowCount",
    "Source",
    "SqlModel",
    "Step",
    "Unique",
    "open_project",
    "run",
]

_PLACES = {
    "backbone.analysis.hourly_components.estimator": ("HourlyComponents",),
    "backbone.analysis.per_group.estimator": ("PerGroup",),
    "backbone.analysis.rare_edges.detector": ("RareEdgeDetector",),
    "backbone.contract": ("Contract", "Key"),
    "backbone.exploitation.checks": (
        "AcceptedValues",
        "InRange",
        "NearRecent",
        "NotNull",
        "RowCount",
        "Unique",
    ),
    "backbone.exploitation.lists": ("Lists",),
    "backbone.exploitation.model": ("SqlModel", "Step"),
    "backbone.pipeline": ("Pipeline", "Source"),
    "backbone.runner": ("open_project", "run"),
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
