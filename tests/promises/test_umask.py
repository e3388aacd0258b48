"""Files and folders have the rights that the user's umask leaves, so that a colleague may go on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backbone.landing.persistent import PERSISTENT
from conftest import HEADER, SALE, Trial
from other_user import ALICE, BOB, GROUP, as_user, give, open_folder, other_users  # noqa: F401
from projects import TinyProject, finished

RUNS = 12  # enough for a checkpoint
MADE = ("formatted", "quarantine", "duplicate", "exploitation", "operations", ".backbone", "landing/batch")
MODES = (0o600, 0o666, 0o400)
LAST_WRITTEN = (1_767_225_600, 1_767_225_600)
MANY_RUNS = """
import sys
from pathlib import Path
import backbone.landing.files as files
from backbone.error_log import LOG
from backbone.runner import open_project, run

root, readable = Path(sys.argv[1]), files._refuse_unreadable

def unforeseen(path):
    if path.name == "odd.csv":
        raise ValueError
    readable(path)

files._refuse_unreadable = unforeseen
for waiting in sorted((root / "landing" / "temporal" / "sale").glob("*.part")):
    waiting.rename(waiting.with_suffix(""))
    failures = run(open_project(root)).failures
    assert {*failures} == ({"source sale, odd.csv"} if "odd" in waiting.name else set()), failures
assert (root / LOG).exists()
"""


def _rights(root: Path) -> dict[str, int]:
    """The rights of all that Backbone has made in a project."""
    made = [path for zone in (*MADE, PERSISTENT) for path in (root / zone, *(root / zone).rglob("*"))]
    return {path.relative_to(root).as_posix(): path.stat().st_mode & 0o777 for path in made}


@pytest.mark.parametrize("umask", [0o002, 0o027, 0o077], ids=lambda umask: f"{umask:03o}")
def test_all_that_is_made_follows_the_umask(tmp_path: Path, umask: int) -> None:
    """Tables, their checkpoints, originals and the log; deliveries have more rights, or fewer."""
    project = TinyProject(tmp_path, settings='[sources.visit]\npath = "in/*.csv"\n')
    (tmp_path / "in").mkdir()
    for number in range(RUNS):
        day = f"2026-02-{number + 1:02}T10:00:00"
        twice = (number, "x", number, day)
        project.sales(f"{number:02}.csv.part", twice, twice, (100 + number, "y", -1, day))
        (tmp_path / "landing" / "temporal" / "sale" / f"{number:02}.csv.part").chmod(MODES[number % 3])
        visits = tmp_path / "in" / f"{number}.csv"
        visits.write_text(f"shop,seconds,visited_at\nx,{number},{day}\n")
        os.utime(visits, LAST_WRITTEN)
        visits.chmod(MODES[number % 3])
    project.sales("odd.csv.part", (99, "x", 1, "2026-02-01T10:00:00"))
    subprocess.run([sys.executable, "-c", MANY_RUNS, tmp_path], check=True, umask=umask)
    rights = _rights(tmp_path)
    expected = {name: (0o777 if (tmp_path / name).is_dir() else 0o666) & ~umask for name in rights}
    assert {name: oct(mode) for name, mode in rights.items() if mode != expected[name]} == {}
    kinds = {Path(name).name.partition(".")[2] for name in rights}
    assert {"csv", "parquet", "json", "log", "checkpoint.parquet"} <= kinds, "each kind of file was there"
    assert any("window_date=" in name for name in rights)


@pytest.mark.parametrize("umask", [0o002, 0o077], ids=lambda umask: f"{umask:03o}")
def test_a_new_project_follows_the_umask(tmp_path: Path, umask: int) -> None:
    code = "from backbone.commands.main import main; main()"
    arguments = ["init", str(tmp_path / "new"), "--pipeline", "movie_rentals"]
    subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, umask=umask, stdout=subprocess.DEVNULL
    )
    for path in (tmp_path / "new", *(tmp_path / "new").rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o777 if path.is_dir() else 0o666) & ~umask, path


def test_the_sample_data_follow_the_umask(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from backbone.pipelines.movie_rentals.sample import write_sample\nwrite_sample(Path(sys.argv[1]), 1)"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "new"], check=True, umask=0o002)
    assert {p.stat().st_mode & 0o777 for p in (tmp_path / "new").rglob("*") if p.is_file()} == {0o664}


def test_a_colleague_goes_on(open_folder: Path) -> None:  # noqa: F811
    """Two users of a group with umask 002 take turns, in a folder that gives its group to what is in it."""
    root = open_folder / "project"
    root.mkdir()
    trial = Trial(root).contract()
    users = (ALICE, BOB)
    for number in range(RUNS):
        user = users[number % 2]
        path = trial.drop(
            HEADER + f"{number},tea,1.00,2026-01-{number + 1:02}\n{number},tea,-1,2026-01-01\n",
            f"{number}.csv",
        )
        if not number:
            give(root, ALICE)
            for folder in (root, *(p for p in root.rglob("*") if p.is_dir())):
                folder.chmod(0o2775)
        os.chown(path, user, GROUP)
        path.chmod(0o600)
        assert as_user(user, root, "run", umask=0o002)[0] == 0
        assert as_user(users[not number % 2], root, "status", umask=0o002)[0] == 0
    assert trial.formatted() == [*range(RUNS)]
    trial.contract(SALE.replace("item: str", "item: str | None"))
    for user in users:
        status, output, errors = as_user(user, root, "run", umask=0o002)
        assert (status, errors) == (0, "")
        assert ("formatted.sale" in output) == (user == ALICE), "she read originals that were Bob's alone"
    assert trial.accounted() == (2 * RUNS, RUNS, RUNS, 0)
    assert finished(root, "run")[1] == "Nothing is stale.\n"
