"""SIGTERM ends a command as Ctrl-C does: a sentence, a status of its own, and nothing left behind."""

from __future__ import annotations

import os
import pty
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backbone.errors import ProjectLocked
from backbone.lake.lock import project_lock
from projects import TinyProject, backbone, contents, finished

SAID = {
    signal.SIGTERM: "Terminated: what was published stays, and the next run completes what is half done.\n",
    signal.SIGINT: "Interrupted: what was published stays, and the next run completes what is half done.\n",
}
LONG_S = 120
SLOW_S = 900
QUERY = "select sum(a.range * b.range % 7) from range(200000) a, range(600000) b"
MANY = "select range as r, hash(range) as h from range(3000000000)"

STEP = """
import os, signal, sys, time
from pathlib import Path

HERE = Path(__file__).parent

def slow(context):
    rows = context.query("select shop, amount from formatted.sale").read_all()
    if (HERE / "wait").exists():
        (HERE / "reached").touch()
        wait(context)
    return rows

pipeline = Pipeline("tiny", every="day", sources=SOURCES, steps=[
    SqlModel("shop_day", "shop_day.sql", grain=["shop"]),
    Step("slow", slow, reads=["formatted.sale"], grain=["shop"]),
])
"""
SLEEP = "def wait(context): time.sleep(120)\n"
SWALLOW = """
def wait(context):
    try:
        time.sleep(120)
    except BaseException:
        pass
    context.query("select 1")
"""
STUBBORN = """
def wait(context):
    try:
        time.sleep(120)
    finally:
        (HERE / "cleaning").touch()
        time.sleep(120)
"""
ENDLESS = """
import os, time
from pathlib import Path
from sklearn.base import BaseEstimator, RegressorMixin

class Endless(RegressorMixin, BaseEstimator):
    def fit(self, x, y):
        (Path(__file__).parent / f"worker-{os.getpid()}").touch()
        time.sleep(120)
    def predict(self, x):
        return x[:, 0]
"""
WORKERS = """
from backbone.analysis.groups import map_chunks
from backbone.analysis.processes.kernels import EstimatorKernel, GroupEstimator

def wait(context):
    from endless import Endless
    rows = pa.table({"user": [1, 1, 2, 2], "x": [1.0, 2.0, 3.0, 4.0], "y": [1.0, 2.0, 3.0, 4.0]})
    with EstimatorKernel(GroupEstimator(Endless(), ["x"], "y"), workers=1) as kernel:
        list(map_chunks(kernel, rows.to_batches(), by=["user"], threads=1))
"""


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """What a shell runs in the background ignores Ctrl-C, and so does all that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _project(root: Path, wait: str = SLEEP) -> TinyProject:
    project = TinyProject(root, wait + STEP)
    project.sales("a.csv", (1, "x", 5, "2026-02-01T10:00:00"), (2, "y", 3, "2026-02-01T11:00:00"))
    return project


def _wait(root: Path) -> None:
    (root / "wait").touch()


def _until(found: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + LONG_S
    while not found():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def _running(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _ends(process: subprocess.Popen[str], number: signal.Signals, *, times: int = 1) -> str:
    """Send a signal; the process ends as it should, long before it would have by itself. What it printed."""
    for _ in range(times):
        process.send_signal(number)
    out, errors = process.communicate(timeout=LONG_S / 2)
    assert (process.returncode, errors) == (128 + number, SAID[number])
    return out


@pytest.mark.parametrize("number", SAID, ids=lambda n: n.name)
def test_a_run_is_ended_and_the_next_completes_the_work(tmp_path: Path, number: signal.Signals) -> None:
    project, undisturbed = _project(tmp_path / "a"), _project(tmp_path / "b")
    assert finished(undisturbed.root, "run")[0] == 0
    _wait(project.root)
    with _running(backbone(project.root, "run")) as process:
        _until((project.root / "reached").exists, process)
        with pytest.raises(ProjectLocked), project_lock(project.root / ".backbone", wait_s=0):
            pass
        before = project.versions()
        _ends(process, number)
    with project_lock(project.root / ".backbone", wait_s=0):
        assert project.versions() == before
        assert "exploitation.slow" not in before
    (project.root / "wait").unlink()
    assert finished(project.root, "run")[0] == 0
    assert contents(project.root) == contents(undisturbed.root)
    assert finished(project.root, "run")[1] == "Nothing is stale.\n"
    assert not [*(project.root / ".backbone" / "scratch").iterdir()]


def test_two_in_a_row_are_as_one(tmp_path: Path) -> None:
    """`timeout` sends SIGTERM to the process, and then to its group."""
    project = _project(tmp_path)
    _wait(tmp_path)
    with _running(backbone(tmp_path, "run")) as process:
        _until((tmp_path / "reached").exists, process)
        _ends(process, signal.SIGTERM, times=3)
    assert not [*(project.root / ".backbone" / "scratch").iterdir()]


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    _project(tmp_path, STUBBORN)
    _wait(tmp_path)
    with _running(backbone(tmp_path, "run")) as process:
        _until((tmp_path / "reached").exists, process)
        process.send_signal(signal.SIGINT)
        _until((tmp_path / "cleaning").exists, process)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LONG_S / 2)
        assert process.returncode == 128 + signal.SIGINT


def test_an_interrupt_that_a_step_swallows_still_ends_the_run(tmp_path: Path) -> None:
    project = _project(tmp_path, SWALLOW)
    _wait(tmp_path)
    with _running(backbone(tmp_path, "run")) as process:
        _until((tmp_path / "reached").exists, process)
        _ends(process, signal.SIGTERM)
    assert "exploitation.slow" not in project.versions()


def test_worker_processes_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _project(tmp_path, WORKERS)
    (tmp_path / "endless.py").write_text(ENDLESS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    _wait(tmp_path)
    with _running(backbone(tmp_path, "run")) as process:
        _until(lambda: [*tmp_path.glob("worker-*")], process)
        workers = [int(path.name.removeprefix("worker-")) for path in tmp_path.glob("worker-*")]
        _ends(process, signal.SIGTERM)
    deadline = time.monotonic() + LONG_S / 2
    while any(map(_is_alive, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", SAID, ids=lambda n: n.name)
def test_a_long_statement_is_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    """By itself this one would go on for minutes, and Python sees to no signal meanwhile."""
    _project(tmp_path)
    with _running(backbone(tmp_path, "query", QUERY)) as process:
        _until(lambda: [*(tmp_path / ".backbone").glob("scratch/reader-*")], process)
        time.sleep(0.5)
        assert _ends(process, number) == ""
    assert not [*(tmp_path / ".backbone" / "scratch").iterdir()]


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_a_query_whose_reader_does_not_read_on_is_ended(tmp_path: Path, form: str) -> None:
    """What is left to write goes nowhere: no end of a Parquet file makes the part look like all."""
    _project(tmp_path)
    arguments = [sys.executable, "-c", "from backbone.commands.main import main; main()"]
    with subprocess.Popen(
        [*arguments, "-C", str(tmp_path), "query", MANY, "--format", form],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(100_000)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(LONG_S / 2) == 128 + signal.SIGTERM
        finally:
            process.kill()
        assert process.stderr.read().decode() == SAID[signal.SIGTERM]
        assert not process.stdout.read().endswith(b"PAR1")


def test_who_waits_for_the_lock_is_ended(tmp_path: Path) -> None:
    _project(tmp_path)
    home = tmp_path / ".backbone"
    home.mkdir()
    with project_lock(home), _running(backbone(tmp_path, "run")) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Waiting for process")
        _ends(process, signal.SIGTERM)


def test_every_other_command_is_ended(tmp_path: Path) -> None:
    """Wherever it is: while it loads what it needs, at work, or printing."""
    project = _project(tmp_path)
    assert project.run().ok
    before = contents(tmp_path)
    for number, command in enumerate(
        [["status"], ["plan"], ["history", "formatted.sale"], ["land"], ["run"]]
    ):
        with _running(backbone(tmp_path, *command)) as process:
            time.sleep(0.5 + 0.15 * number)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=LONG_S / 2)
            ended = process.returncode, errors
            done = (0, "")
            early = (-signal.SIGTERM, "")  # before there was anything to interrupt
            assert ended in [(128 + signal.SIGTERM, SAID[signal.SIGTERM]), done, early], command
    assert finished(tmp_path, "run")[0] == 0
    assert contents(tmp_path) == before


@pytest.mark.parametrize("number", SAID, ids=lambda n: n.name)
def test_the_cursor_of_the_terminal_is_shown_again(tmp_path: Path, number: signal.Signals) -> None:
    _project(tmp_path)
    _wait(tmp_path)
    terminal, other = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", "from backbone.commands.main import main; main()", "-C", str(tmp_path), "run"],
        stdin=other,
        stdout=other,
        stderr=other,
        text=True,
        env=os.environ | {"TERM": "xterm", "PYTHONDONTWRITEBYTECODE": "1"},
        start_new_session=True,
    ) as process:
        try:
            os.close(other)
            shown = _read_until(terminal, lambda: (tmp_path / "reached").exists())
            assert "\x1b[?25l" in shown, "progress is shown, without a cursor"
            process.send_signal(number)
            shown += _read_until(terminal, lambda: process.poll() is not None)
        finally:
            process.kill()
    os.close(terminal)
    assert process.returncode == 128 + number
    assert re.findall(r"\x1b\[\?25.", shown)[-1] == "\x1b[?25h"
    assert SAID[number].strip() in shown
    assert "Traceback" not in shown


def _read_until(terminal: int, done: Callable[[], bool]) -> str:
    """What a terminal shows, also what it still has to show when it is done."""
    found, deadline = b"", time.monotonic() + LONG_S
    while time.monotonic() < deadline:
        last = done()
        while select.select([terminal], [], [], 0.05)[0]:
            try:
                read = os.read(terminal, 10_000)
            except OSError:  # nobody holds its other end any more
                return found.decode()
            if not read:
                return found.decode()
            found += read
        if last:
            return found.decode()
    raise AssertionError(found)


@pytest.mark.long
@pytest.mark.parametrize("number", SAID, ids=lambda n: n.name)
def test_many_runs_are_ended_at_any_instant(tmp_path: Path, number: signal.Signals) -> None:
    """Each is ended with a sentence, or was done, and the last one completes the work."""
    from backbone.demo import make_demo

    undisturbed, root = tmp_path / "undisturbed", tmp_path / "ended"
    make_demo(root)
    shutil.copytree(root, undisturbed)
    _run_whole(undisturbed)  # the first of all compiles kernels
    for zone in ("formatted", "exploitation"):
        shutil.rmtree(undisturbed / zone)
    started = time.monotonic()
    _run_whole(undisturbed)
    seconds = time.monotonic() - started
    chance, ended = random.Random(3), 0
    for part in range(24):
        for folder in ("formatted", "exploitation") if part % 8 == 0 else ():
            shutil.rmtree(root / folder, ignore_errors=True)
        with _running(backbone(root, "run")) as process:
            time.sleep(0.4 + chance.random() * seconds / (1 + part % 3))
            process.send_signal(number)
            _, errors = process.communicate(timeout=SLOW_S)
        if process.returncode:
            assert (process.returncode, errors) == (128 + number, SAID[number])
            ended += 1
    assert ended >= 8
    _run_whole(root)
    assert contents(root) == contents(undisturbed)
    assert _run_whole(root) == "Nothing is stale.\n"


def _run_whole(root: Path) -> str:
    """Run a project of many tables to its end; what it printed."""
    with _running(backbone(root, "run")) as process:
        output, errors = process.communicate(timeout=SLOW_S)
    assert process.returncode == 0, errors
    return output


LIBRARY = """
import signal, sys, threading
from pathlib import Path
before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
from backbone import open_project, run
found = []
thread = threading.Thread(target=lambda: found.append(run(open_project(Path(sys.argv[1]))).ok))
thread.start()
thread.join()
assert run(open_project(Path(sys.argv[1]))).ok and found == [True]
assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == before
"""


def test_a_program_that_uses_the_library_keeps_its_own_ways(tmp_path: Path) -> None:
    _project(tmp_path)
    subprocess.run([sys.executable, "-c", LIBRARY, tmp_path], check=True, timeout=LONG_S)
