"""What only a real worker process can show."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import RandomForestClassifier

from backbone.analysis.groups import Groups, chunks, map_chunks
from backbone.analysis.processes.estimator import repeatable
from backbone.analysis.processes.group_fit import GroupFit, Settings
from backbone.analysis.processes.kernels import EstimatorKernel, GroupEstimator
from backbone.analysis.processes.workers import PART_GROUPS, small_parts
from backbone.analysis.stored_estimator import load_estimator
from backbone.errors import StepFailed

ODD = """
import fcntl, os, signal, sys, time
from sklearn.base import BaseEstimator, RegressorMixin

class Odd(RegressorMixin, BaseEstimator):
    '''Does what the first value says.'''
    def __init__(self, lock=""):
        self.lock = lock
    def fit(self, x, y):
        if x[0, 0] == 1:
            print("printed")
            os.write(1, b"written\\n")
            self.heard_ = sys.stdin.read()
        elif x[0, 0] == 2:
            print("the last words", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        elif x[0, 0] == 3:
            sys.exit("gone")
        elif x[0, 0] == 4:
            fcntl.flock(os.open(self.lock, os.O_RDWR), fcntl.LOCK_EX)
            print("busy", file=open(self.lock, "w"), flush=True)
            while True:
                time.sleep(60)
        self.mean_ = float(y.mean())
        self.threads_ = os.environ["OMP_NUM_THREADS"]
        return self
    def predict(self, x):
        return x[:, 0] * 0 + self.mean_
"""


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EstimatorKernel]:
    (tmp_path / "odd_estimator.py").write_text(ODD)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("odd_estimator", None)
    import odd_estimator  # type: ignore[import-not-found]

    with EstimatorKernel(GroupEstimator(odd_estimator.Odd(), ["x"], "y"), workers=1) as kernel:
        yield kernel


def saying(*what: float) -> Groups:
    rows = {
        "user": np.repeat(np.arange(len(what)), 2),
        "x": np.repeat(what, 2) * 1.0,
        "y": [1.0, 3.0] * len(what),
    }
    (groups,) = chunks(pa.table(rows).to_batches(), ["user"])
    return groups


def test_a_class_of_ones_own_and_its_ways(odd: EstimatorKernel) -> None:
    talks, quiet = odd(saying(1, 0)).to_pylist()
    assert (talks["status"], quiet["status"]) == ("fitted", "fitted")
    model = load_estimator(talks["model"], trusted=["odd_estimator.Odd"])
    assert (model.heard_, model.threads_, model.mean_) == ("", "1", 2.0)

    with pytest.raises(StepFailed, match=r"signal 9 \(Killed\)") as killed:
        odd(saying(0, 2, 0))
    assert str(killed.value) == (
        "Odd for every group: expected the models of 3 groups, but the worker process was ended by signal 9 "
        "(Killed), as the system does when memory runs out; the last it wrote:\n"
        "printed\nwritten\nthe last words\n"
        "None of these groups has a result.\n"
        "Next: see which group does that, or give each worker more memory by asking for fewer workers"
    )

    assert odd(saying(0)).column("status").to_pylist() == ["fitted"]  # by a new process
    with pytest.raises(StepFailed, match=r"exit code 1.*\ngone"):
        odd(saying(3))


def test_workers_give_what_one_process_gives() -> None:
    random = np.random.default_rng(2)
    groups, size = 2 * PART_GROUPS + 7, 8
    x = random.normal(size=groups * size).round(2)
    y = (x + random.normal(size=len(x)) > 0).astype(np.float64)
    rows = pa.table({"user": np.repeat(np.arange(groups), size), "x": x, "y": y})
    estimator = RandomForestClassifier(n_estimators=2)
    with EstimatorKernel(GroupEstimator(estimator, ["x"], "y", classes=("no", "yes")), workers=2) as kernel:
        found = pa.Table.from_batches(
            map_chunks(kernel, rows.to_batches(max_chunksize=1000), ["user"], threads=2, parts=small_parts)
        )
        processes = [kernel._idle.get() for _ in range(2)]
        for process in processes:
            kernel._idle.put(process)
    assert found["user"].to_pylist() == list(range(groups))
    ended = [p._process.returncode for p in processes if p is not None]
    assert ended == [0, 0]
    alone = GroupFit(repeatable(estimator), Settings(1, ("no", "yes"), 1, None, False))
    for i in (0, 1, PART_GROUPS, groups - 1):
        own = slice(i * size, (i + 1) * size)
        expected = alone.fit(x[own][:, None], y[own], np.ones(size))
        assert {
            k: v for k, v in found.slice(i, 1).to_pylist()[0].items() if v is not None and k != "user"
        } == expected


SCRIPT = """
import sys
import pyarrow as pa
from backbone.analysis.processes.kernels import EstimatorKernel, GroupEstimator
from backbone.analysis.groups import chunks
from odd_estimator import Odd

rows = pa.table({"x": [float(sys.argv[1])] * 2, "y": [1.0, 3.0]})
(groups,) = chunks(rows.to_batches(), [])
kernel = EstimatorKernel(GroupEstimator(Odd(lock=sys.argv[2]), ["x"], "y"), workers=1)
print(kernel(groups).column("status").to_pylist())
"""


@pytest.fixture
def script(tmp_path: Path) -> list[str]:
    (tmp_path / "odd_estimator.py").write_text(ODD)
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "lock").touch()
    return [sys.executable, str(tmp_path / "script.py")]


def test_a_script_needs_no_guard_and_no_end(script: list[str], tmp_path: Path) -> None:
    done = subprocess.run([*script, "0", ""], capture_output=True, text=True, timeout=60, cwd="/")
    assert (done.stdout, done.stderr) == ("['fitted']\n", "")


def test_a_killed_parent_leaves_no_worker_behind(script: list[str], tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    parent = subprocess.Popen([*script, "4", str(lock)], cwd="/")
    deadline = time.monotonic() + 60
    while lock.read_text() != "busy\n":
        assert time.monotonic() < deadline
        assert parent.poll() is None
        time.sleep(0.05)
    with lock.open() as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        deadline = time.monotonic() + 10
        while True:  # the system lets go of the lock when the worker is gone
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
