"""A plan as values that JSON has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backbone.planning.task import Part, Plan, Task


def as_json(plan: Plan) -> dict[str, Any]:
    """A plan with the same keys always; instants as ISO 8601 in UTC."""
    return {
        "certain": plan.is_certain,
        "tasks": [_task(task) for task in plan.tasks],
        "refused": {name: str(error) for name, error in plan.refused.items()},
        "stopped": dict(plan.stopped),
        "asked": list(plan.asked),
    }


def _task(task: Task) -> dict[str, Any]:
    return {
        "kind": task.kind,
        "datasets": list(task.datasets),
        "inputs": dict(task.inputs),
        "awaits": list(task.awaits),
        "rows": task.rows,
        "seconds": task.seconds,
        "parts": [_part(part) for part in task.parts],
    }


def _part(part: Part) -> dict[str, Any]:
    windows: Sequence[tuple[str, str]] = [(w.start.isoformat(), w.end.isoformat()) for w in part.windows]
    return {
        "dataset": part.dataset,
        "source": part.source or None,
        "why": [{"reason": r.word, "of": list(r.of), "count": r.count} for r in part.why],
        "windows": [{"start": start, "end": end} for start, end in windows],
        "replaces_all": part.replaces_all,
        "files": part.files,
        "bytes": part.bytes,
        "notes": list(part.notes),
        "rows": part.rows,
        "seconds": part.seconds,
    }
