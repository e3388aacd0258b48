"""`maintain` can be killed at any step, and done again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from projects import TinyProject

DRIVER = Path(__file__).with_name("killed.py")
RUNS = 14


@pytest.mark.parametrize("every", [40, pytest.param(1, marks=pytest.mark.long)])
def test_maintain_is_killed_at_any_step(every: int, tmp_path: Path) -> None:
    project = TinyProject(tmp_path / "project", settings="[maintain]\nkeep_days = 0\n")
    for run in range(RUNS):
        day = f"2026-02-{run // 5 + 1:02}T10:00:00"
        project.sales(f"{run}.csv", (run, "a", 1, day), (run // 2, "b", -1 if run % 5 == 4 else 2, day))
        assert project.run().ok
    (tmp_path / "work").mkdir()
    driven = subprocess.run(
        [sys.executable, str(DRIVER), str(project.root), str(tmp_path / "work"), str(every), str(every // 2)],
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert driven.returncode == 0, driven.stderr
    outcomes = [json.loads(line) for line in driven.stdout.splitlines()]
    assert len(outcomes) >= outcomes[0]["of"] // every
    failures = [f"{o['n']} of {o['of']}, {o['step']}: {o['failure']}" for o in outcomes if o["failure"]]
    assert failures == []
