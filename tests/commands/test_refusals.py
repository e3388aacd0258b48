"""What the system refuses is told in four parts, and never as the system's error alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from refusal import assert_refusal

from conftest import HEADER, Trial
from other_user import ALICE, BOB, as_user, give, open_folder, other_users  # noqa: F401
from projects import finished

READING = (
    ["status"],
    ["plan"],
    ["query", "select count(*) from formatted.sale"],
    ["history", "formatted.sale"],
    ["quarantine"],
)
WRITING = (["land"], ["run"])


@dataclass(frozen=True)
class InTheWay:
    """Something where Backbone's own is to be, and what is told of it."""

    make: Callable[[Path], object]
    where: str
    told: str


def _to_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def _to_file(path: Path) -> None:
    for inner in sorted(path.rglob("*"), reverse=True):
        inner.rmdir() if inner.is_dir() else inner.unlink()
    path.rmdir()
    path.touch()


def _to_dead_link(path: Path) -> None:
    _to_file(path) if path.is_dir() else None
    path.unlink()
    path.symlink_to("/nonexistent/place")


@pytest.mark.parametrize(
    "case",
    [
        InTheWay(lambda r: _to_folder(r / ".backbone/lock"), "/lock", "expected a file, found a folder"),
        InTheWay(lambda r: _to_dead_link(r / ".backbone/lock"), "/lock", "found a link to nowhere"),
        InTheWay(lambda r: _to_file(r / ".backbone"), "/.backbone", "expected a folder, found a file"),
        InTheWay(lambda r: _to_dead_link(r / ".backbone"), "/.backbone", "found a link to nowhere"),
        InTheWay(lambda r: _to_file(r / ".backbone/scratch"), "/scratch/run", "found a file at"),
    ],
    ids=["lock: folder", "lock: dead link", "home: file", "home: dead link", "scratch: file"],
)
def test_what_is_in_the_way_is_named_and_readers_go_on(trial: Trial, case: InTheWay) -> None:
    trial.drop()
    trial.run_well()
    trial.drop(HEADER + "9,bun,1.00,2026-01-05\n", "b.csv")
    before = {tuple(command): finished(trial.root, *command) for command in READING}
    case.make(trial.root)
    versions = trial.versions()
    for command in WRITING:
        status, _, errors = finished(trial.root, *command)
        assert status == 1
        assert_refusal(errors, case.where, case.told)
    assert trial.versions() == versions
    for command in READING:
        if command != ["plan"]:
            assert finished(trial.root, *command) == before[tuple(command)]
    assert finished(trial.root, "plan")[0] == 0


def test_settings_that_cannot_be_read(trial: Trial) -> None:
    settings = trial.root / "backbone.toml"
    settings.write_bytes(b"[project]\n# K\xe4ufe\n")
    status, _, errors = finished(trial.root, "run")
    assert status == 2
    assert "backbone.toml: expected text in UTF-8, found the byte 0xE4 at position 13.\nNext: " in errors
    _to_folder(settings)
    status, _, errors = finished(trial.root, "status")
    assert status == 2
    assert "backbone.toml: expected a file, found a folder.\nNext: " in errors


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("no/page.html", "found none"),
        (".", "expected a file, found a folder"),
        ("x" * 256, "found one of 256"),
    ],
    ids=["no folder", "a folder", "long name"],
)
def test_a_report_that_cannot_be_written(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, told: str
) -> None:
    monkeypatch.setattr("backbone.reports.rare_edges.report_rare_edges", lambda *_: "a page")
    file = tmp_path / "pages" / place
    (tmp_path / "pages").mkdir()
    ended = trial.command("report", "rare_edges", "-o", str(file))
    assert ended.status == 1
    assert_refusal(ended.errors, file.name, told, "The page was not written.")
    assert not [*(tmp_path / "pages").iterdir()]


def test_a_report_takes_the_place_of_the_one_before(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / f"{'x' * 250}.html"
    for text in ("a page", "another page"):
        monkeypatch.setattr("backbone.reports.rare_edges.report_rare_edges", lambda *_, text=text: text)
        assert trial.command("report", "rare_edges", "-o", str(file)).status == 0
        assert file.read_text() == text
    assert trial.command("report", "rare_edges", "-o", "/dev/null").status == 0


@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet"])
def test_output_that_finds_no_room(trial: Trial, form: str) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no device that is always full")
    code = "from backbone.commands.main import main; main()"
    with full.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-c", code, "-C", trial.root, "query", "select 1 as one", "--format", form],
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert_refusal(done.stderr, "standard output", "No space left on device")


# --- rights, as another user ---


@pytest.fixture
def of_alice(open_folder: Path) -> Trial:  # noqa: F811
    """A project of Alice's with a delivery, in which others may only read."""
    root = open_folder / "project"
    root.mkdir()
    trial = Trial(root).contract()
    trial.drop()
    give(root, ALICE)
    return trial


def test_a_project_that_never_ran_and_may_only_be_read(of_alice: Trial) -> None:
    root = of_alice.root
    files = sorted(root.rglob("*"))
    answers = {command[0]: as_user(BOB, root, *command) for command in READING}
    assert answers["status"][0] == 0
    assert "none yet" in answers["status"][1]
    assert answers["plan"][0] == 0
    assert "1 file" in answers["plan"][1]
    assert answers["quarantine"] == (0, "Nothing is in quarantine.\n", "")
    assert [answers[name][0] for name in ("query", "history")] == [2, 2], "there is no such table yet"
    assert as_user(BOB, root, "query", "select 1 as one", "-f", "csv") == (0, '"one"\n1\n', "")
    for command in WRITING:
        status, output, errors = as_user(BOB, root, *command)
        assert (status, output) == (1, "")
        told = f"is user {ALICE}'s, drwxr-xr-x; the command runs as user {BOB}"
        assert_refusal(errors, "/.backbone", told, "Nothing was changed.", f"give user {BOB} the right")
    assert sorted(root.rglob("*")) == files


def test_a_project_that_ran_and_may_only_be_read(of_alice: Trial) -> None:
    root = of_alice.root
    assert as_user(ALICE, root, "run")[0] == 0
    for command in READING:
        assert as_user(BOB, root, *command) == as_user(ALICE, root, *command)
    sorted_query = "select r from range(3000000) as t(r) order by hash(r) limit 1"
    assert as_user(BOB, root, "query", sorted_query) == as_user(ALICE, root, "query", sorted_query)
    for command in WRITING:
        status, output, errors = as_user(BOB, root, *command)
        assert (status, output) == (1, "")
        assert_refusal(errors, "/.backbone/lock", f"it is user {ALICE}'s, -rw-r--r--", "Nothing was changed.")


@pytest.mark.parametrize(
    ("place", "command"),
    [
        ("formatted/sale", "query"),
        ("formatted/sale/_delta_log", "status"),
        ("formatted/sale/_delta_log/00000000000000000000.json", "query"),
        ("operations", "plan"),
        ("operations/receipt", "history"),
        ("landing/batch", "quarantine"),
        ("landing/batch", "run"),
    ],
)
def test_what_may_not_be_read_is_named_with_its_owner(of_alice: Trial, place: str, command: str) -> None:
    root = of_alice.root
    assert as_user(ALICE, root, "run")[0] == 0
    (root / place).chmod(0)
    called = next(c for c in (*READING, *WRITING) if c[0] == command)
    status, output, errors = as_user(ALICE, root, *called)
    assert (status, output) == (1, "")
    found = errors.partition(": ")[2].partition(":")[0]
    assert place in found, errors
    assert_refusal(errors, found, "Permission denied", f"user {ALICE}'s, ", "---------", "stays as it was")


def test_rows_that_may_not_be_read(of_alice: Trial) -> None:
    root = of_alice.root
    assert as_user(ALICE, root, "run")[0] == 0
    for path in (root / "formatted" / "sale").glob("*.parquet"):
        path.chmod(0)
    status, _, errors = as_user(ALICE, root, "query", "select * from formatted.sale")
    assert status == 1, errors
    assert "\nEngineFailed: formatted.sale: " in errors
    assert "Permission denied. Nothing of this step is published" in errors
    assert "Next: give the user of the command the right to it" in errors


@pytest.mark.parametrize(
    "place",
    [
        "formatted/sale/*.parquet",
        "formatted/sale/_delta_log/*.json",
        "operations/receipt/*.parquet",
        "operations/receipt/_delta_log/*.json",
        "landing/batch/*.parquet",
        "landing/persistent/sale/*/*",
    ],
)
def test_a_file_that_may_not_be_read_is_not_taken_for_damaged(of_alice: Trial, place: str) -> None:
    """Nothing is put aside; with the right to it all is whole."""
    root = of_alice.root
    assert as_user(ALICE, root, "run")[0] == 0
    closed = sorted(root.glob(place))[-1]
    closed.chmod(0)
    before = sorted(root.rglob("*"))
    is_original = place.startswith("landing/persistent")
    commands = (["check", "--deep"], ["repair", "--deep"], ["repair", "--deep", "--yes"])
    others = () if is_original else (["status"], ["check"], ["run"])
    for command in (*commands, *others):
        if command == ["run"] and place == "formatted/sale/*.parquet":
            continue  # it does not read them
        status, output, errors = as_user(ALICE, root, *command)
        assert (status, output) == (1, ""), (command, output, errors)
        assert "Permission denied" in errors, command
        assert "the right" in errors, command
        if command[0] in ("check", "repair"):
            assert_refusal(errors, closed.name, f"user {ALICE}'s, ---------")
    assert not (root / ".backbone" / "damaged").exists()
    assert [path for path in sorted(root.rglob("*")) if ".backbone" not in path.parts] == [
        path for path in before if ".backbone" not in path.parts
    ]
    closed.chmod(0o644)
    assert as_user(ALICE, root, "check", "--deep")[0] == 0


@pytest.mark.parametrize("name", ["backbone.toml", "trial.py"])
def test_settings_and_pipelines_that_may_not_be_read(of_alice: Trial, name: str) -> None:
    name = name.replace("trial", of_alice.module)
    (of_alice.root / name).chmod(0)
    status, _, errors = as_user(ALICE, of_alice.root, "status")
    assert status == 2
    assert f"{name}: expected the right to use it, found: Permission denied" in errors
    assert "Next: " in errors


@pytest.mark.parametrize(
    ("closed", "told"),
    [("landing/temporal/sale", "it is"), ("landing/persistent/sale", "/landing/persistent/sale is")],
)
def test_a_delivery_that_may_not_be_moved(of_alice: Trial, closed: str, told: str) -> None:
    root = of_alice.root
    assert as_user(ALICE, root, "run")[0] == 0
    of_alice.drop(HEADER + "9,bun,1.00,2026-01-05\n", "b.csv")
    give(root / "landing", ALICE)
    (root / closed).chmod(0o555)
    status, _, errors = as_user(ALICE, root, "run")
    assert status == 1
    assert_refusal(errors, "source sale, b.csv", f"{told} user {ALICE}'s, dr-xr-xr-x", "It stays where it is")
    (root / closed).chmod(0o755)
    assert as_user(ALICE, root, "run")[0] == 0
    assert of_alice.formatted() == [1, 2, 3, 9]


@pytest.mark.parametrize("command", ["init", "demo"])
def test_a_new_project_where_nothing_may_be_written(open_folder: Path, command: str) -> None:  # noqa: F811
    status, _, errors = as_user(BOB, open_folder, command, str(open_folder / "new"))
    assert status == 1
    assert_refusal(errors, "/new", "the command runs as", "The project is not complete")
