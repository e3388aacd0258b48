"""One writer per project at a time; the other waits and says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backbone.errors import ProjectLocked
from backbone.lake.lock import LOCK_FILE, project_lock
from projects import TinyProject, accounts, backbone, built, contents, finished

HOLD = """
import sys, time
from pathlib import Path
from backbone.lake.lock import project_lock
with project_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def _fill(project: TinyProject, files: int = 6) -> None:
    for number in range(files):
        day = f"2026-02-{number + 1:02}T10:00:00"
        project.sales(f"{number}.csv", *((n + 3 * number, "x", n, day) for n in range(5)))
        project.visits(f"{number}.csv", ("x", number, day))


def _holder(folder: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_runs_started_at_once_do_the_work_once(tmp_path: Path) -> None:
    alone, contested = TinyProject(tmp_path / "alone"), TinyProject(tmp_path / "contested")
    _fill(alone)
    _fill(contested)
    assert alone.run().ok
    processes = [backbone(contested.root, "run") for _ in range(3)]
    ended = [p.communicate(timeout=120) for p in processes]
    assert [p.returncode for p in processes] == [0, 0, 0], ended
    assert contents(contested.root) == contents(alone.root)
    assert accounts(contested.root) == accounts(alone.root)
    commits = [sum(1 for _ in contested.lake.receipts(name)) for name in
               ("exploitation.shop_day", "formatted.sale", "formatted.visit")]  # fmt: skip
    assert commits == [1, 1, 1]
    assert finished(contested.root, "run")[1].strip() == "Nothing is stale."


def test_the_second_run_says_what_it_waits_for(tmp_path: Path) -> None:
    project = TinyProject(tmp_path)
    home = tmp_path / ".backbone"
    home.mkdir()
    with _holder(home) as holder:
        waits: list[str] = []
        with pytest.raises(ProjectLocked, match=f"process {holder.pid}") as raised:
            project.run(lock_wait_s=0.2, on_wait=waits.append)
        assert raised.value.state == "Nothing was changed."
        assert [f"process {holder.pid}" in text for text in waits] == [True]
        waiting = backbone(tmp_path, "run")
        assert waiting.stderr is not None
        assert f"process {holder.pid}" in waiting.stderr.readline()
        holder.kill()
        waiting.communicate(timeout=60)
        assert waiting.returncode == 0


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    with _holder(tmp_path) as holder:
        with pytest.raises(ProjectLocked), project_lock(tmp_path, wait_s=0):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait(timeout=10)
        started = time.monotonic()
        with project_lock(tmp_path, wait_s=5):
            assert time.monotonic() - started < 1
    with project_lock(tmp_path, wait_s=0):  # and is free after it was held in this process
        assert f"process {os.getpid()}" in (tmp_path / LOCK_FILE).read_text()


def test_reading_needs_no_lock(tmp_path: Path) -> None:
    project = TinyProject(tmp_path)
    _fill(project, 1)
    assert built(project.run(), "shop_day") == ["2026-02-01"]
    with project_lock(tmp_path / ".backbone"):
        for command in (("status",), ("query", "select count(*) from formatted.sale"), ("quarantine",),
                        ("history", "formatted.sale")):  # fmt: skip
            status, _, errors = finished(tmp_path, *command)
            assert (status, errors) == (0, "")


def test_projects_are_opened_at_once_with_new_sql(tmp_path: Path) -> None:
    """What is remembered of parsed SQL is written by whoever comes first, and harms nobody."""
    project = TinyProject(tmp_path)
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom backbone.runner import open_project\n"
        "import backbone.engines.sql.parse\n"
        "root = Path(sys.argv[1])\n"
        "for number in range(15):\n"
        "    (root / '.backbone' / 'models.json').unlink(missing_ok=True)\n"
        "    open_project(root)\n"
        "    sys.modules.pop(sys.argv[2], None)\n"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), project.module],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        )
        for _ in range(3)
    ]
    errors = [p.communicate(timeout=120)[1] for p in running]
    assert [p.returncode for p in running] == [0, 0, 0], errors
