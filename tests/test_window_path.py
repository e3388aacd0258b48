"""The way of one window through the package, from the plan to the commit, is short and written down."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import backbone
from backbone.engines.duckdb.engine import StagedTable
from backbone.exploitation.checks import Grain
from backbone.planning.plan import plan
from projects import TinyProject

PACKAGE = Path(backbone.__file__).parent
CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"
MOST = 12
PLACES: tuple[tuple[str, object, str], ...] = (
    ("decided", "backbone.planning.builds", "stale_windows"),
    ("computed", StagedTable, "add"),
    ("audited", Grain, "failures"),
    ("committed", "backbone.lake.publish", "_commit"),
)
"""Where a window is decided on, computed, audited and committed; who called these is its way."""


def _callers() -> set[str]:
    files = (Path(frame.filename) for frame in traceback.extract_stack())
    return {str(file.relative_to(PACKAGE)) for file in files if file.is_relative_to(PACKAGE)}


def _followed(
    patch: pytest.MonkeyPatch, place: str, owner: Any, name: str, seen: dict[str, set[str]]
) -> None:
    import importlib

    owner = importlib.import_module(owner) if isinstance(owner, str) else owner
    original: Callable[..., Any] = getattr(owner, name)

    def watched(*arguments: Any, **named: Any) -> Any:
        texts = [str(argument) for argument in arguments]
        if name != "_commit" or "exploitation.shop_day" in texts:
            found = _callers() | {str(Path(original.__code__.co_filename).relative_to(PACKAGE))}
            seen.setdefault(place, found)
        return original(*arguments, **named)

    patch.setattr(owner, name, watched)


def test_a_window_goes_through_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = TinyProject(tmp_path / "tiny")
    project.drop("sale", "sales.csv", ["sale_id,shop,amount,sold_at", "1,north,5,2026-01-05 08:00"])
    seen: dict[str, set[str]] = {}
    for place, owner, name in PLACES:
        _followed(monkeypatch, place, owner, name, seen)
    assert project.run().ok
    assert {*seen} == {place for place, *_ in PLACES}, "the window did not come by every place"
    seen_by_run = set().union(*seen.values())
    seen.clear()
    plan(project.open())
    seen_by_plan = seen.get("decided", set())
    files = seen_by_run | seen_by_plan
    section = (
        CONTRIBUTING.read_text(encoding="utf-8").partition("## The way of a window")[2].partition("\n## ")[0]
    )
    listed = re.findall(r"^\d+\. `src/backbone/([\w/]+\.py)`", section, re.M)
    assert sorted(files) == sorted(listed)
    assert len(files) <= MOST
