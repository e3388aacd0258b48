"""`maintain` frees what nobody can ask for, and nothing else."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from backbone.engines.duckdb.local_work import LocalWork
from backbone.errors import BackboneError
from backbone.lake.expiry import NEWEST
from backbone.lake.table import Lake, day_of
from backbone.ledger.folded import Folded
from backbone.ledger.index import Index
from backbone.ledger.tables import OF_RECEIPTS
from backbone.maintain import maintain
from backbone.repair.check import check
from backbone.upkeep.leave_out_commits import leave_out_commits
from projects import LEDGER_GONE, TinyProject, accounts, contents, finished

RUNS = 60
EXPIRE = "[maintain]\nkeep_days = 0\n"
TABLES = ("landing.batch", "formatted.sale", "exploitation.shop_day")


def hourly(root: Path, runs: int, settings: str = EXPIRE) -> TinyProject:
    """A project that gets a file of two sales a run: one of them repeated, and every fifth a bad one."""
    project = TinyProject(root, settings=settings)
    for run in range(runs):
        add(project, run)
    return project


def add(project: TinyProject, run: int) -> None:
    deliver(project, run)
    assert project.run().ok


def deliver(project: TinyProject, run: int) -> None:
    day = f"2026-02-{run // 10 % 20 + 1:02}T{run % 24:02}:00:00"
    project.sales(f"{run}.csv", (run, "a", 1, day), (run // 2, "b", -1 if run % 5 == 4 else 2, day))


def index_of(project: TinyProject) -> dict[str, list[tuple[object, ...]]]:
    return {
        name: project.rows(
            f"select * from operations.{name}"
            + (" where dataset not like 'operations.%'" if name != "batch" else "")
            + " order by all"
        )
        for name in OF_RECEIPTS
    }


def history(project: TinyProject) -> list[str]:
    return finished(project.root, "history", "formatted.sale", "-f", "csv", "--limit", "100")[1].splitlines()


def files_of(root: Path) -> Counter[str]:
    """The files of a project by their table, and those of `landing/persistent`."""
    names = ("/".join(f.relative_to(root).parts[:2]) for f in root.rglob("*") if f.is_file())
    return Counter(names)


@pytest.fixture(name="grown", scope="module")
def _grown(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    return hourly(tmp_path_factory.mktemp("grown") / "project", RUNS, "")


@pytest.fixture(name="project")
def _project(grown: TinyProject, tmp_path: Path) -> TinyProject:
    copy = grown.copy(tmp_path / "project")
    copy.write(settings=EXPIRE)
    return copy


def test_nothing_changes_but_the_number_of_files(project: TinyProject) -> None:
    before, rows, ledger = contents(project.root), accounts(project.root), index_of(project)
    shown = history(project)
    counted = files_of(project.root)
    done = maintain(project.open())
    assert (contents(project.root), accounts(project.root)) == (before, rows)
    after = index_of(project)
    kept = [row for row in after["receipt"] if row[4] != "maintain"]
    assert kept == ledger["receipt"]
    assert {name: after[name] for name in OF_RECEIPTS if name != "receipt"} == {
        name: ledger[name] for name in OF_RECEIPTS if name != "receipt"
    }
    assert history(project)[-RUNS:] == shown[-RUNS:]
    now = files_of(project.root)
    gone = sum(counted.values()) - sum(now.values())
    assert 0 < gone <= done.files
    assert project.run().receipts == [], "nothing became stale"


def test_files_stay_few(project: TinyProject) -> None:
    """A table that is kept by day has a file a day, any other one small file, whatever was run."""
    before = files_of(project.root)
    maintain(project.open())
    after = files_of(project.root)
    for name in project.lake.datasets():
        table, log = project.lake.read(name), project.lake.log(name)
        days = len({*map(day_of, table.files)})
        # The ledger gets a file for what joining says, and one for what folding does.
        more = 5 * name.startswith("operations.")
        assert len(table.files) <= max(days, 1) + more, name
        assert len(log.versions) <= NEWEST + 1 + more, name
        assert len(log.checkpoints) <= 3, name
    assert after["landing/persistent"] == before["landing/persistent"] == RUNS
    assert sum(after.values()) - RUNS <= 4 * NEWEST * len(project.lake.datasets()) < sum(before.values())
    assert finished(project.root, "maintain") == (0, "There is nothing to free.\n", "")


def test_runs_shorten_long_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backbone.upkeep.shorten_logs.EVERY_COMMITS", 4)
    monkeypatch.setattr("backbone.upkeep.shorten_logs.LONG_LOG", NEWEST + 2)
    project, other = TinyProject(tmp_path / "a", settings=EXPIRE), TinyProject(tmp_path / "b")
    for run in range(20):
        add(project, run)
        deliver(other, run)
        assert other.run(land_only=[]).ok
    assert other.run().ok
    lengths = {name: len(project.lake.log(name).versions) for name in project.lake.datasets()}
    assert max(lengths.values()) <= NEWEST + 2 + 5, lengths
    assert project.rows("select count(*) > 0 from operations.commit") == [(True,)]
    assert contents(project.root, batches=False) == contents(other.root, batches=False)
    before = project.versions()
    assert project.run().receipts == []
    assert project.versions() == before
    for name in OF_RECEIPTS:
        shutil.rmtree(project.root / "operations" / name)
    assert (project.run().receipts, contents(project.root)) == ([], contents(project.root))


def test_a_table_that_fails_stops_no_other(project: TinyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    error = BackboneError("formatted.sale", "it can't be read")

    def failing(work: LocalWork, index: Index, dataset: str) -> str | None:
        if dataset == "formatted.sale":
            raise error
        return leave_out_commits(work, index, dataset)

    before = {name: len(project.lake.log(name).versions) for name in TABLES}
    with monkeypatch.context() as patch:
        patch.setattr("backbone.upkeep.shorten_logs.leave_out_commits", failing)
        assert maintain(project.open()).failures == (error,)
    for name in TABLES:
        shortened = len(project.lake.log(name).versions) < before[name]
        assert shortened == (name != "formatted.sale")
    assert maintain(project.open()).failures == ()
    assert check(project.open(), deep=True).is_whole


def test_who_reads_meanwhile_sees_all_rows(project: TinyProject) -> None:
    place, seen, stop = str(project.lake.path("formatted.sale")), [], threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.append(DeltaTable(place).to_pyarrow_table().num_rows)

    with ThreadPoolExecutor() as pool:
        reading = pool.submit(read)
        maintain(project.open())
        stop.set()
        reading.result()
    assert {*seen} == {project.rows("select count(*) from formatted.sale")[0][0]}


def test_the_ledger_is_made_again_from_folded_receipts(project: TinyProject) -> None:
    maintain(project.open())
    before, ledger, rows = contents(project.root), index_of(project), accounts(project.root)
    assert len(project.lake.log("formatted.sale").versions) <= NEWEST + 1
    for name in (*OF_RECEIPTS, "run"):
        shutil.rmtree(project.root / "operations" / name)
    result = project.run()
    assert (result.receipts, result.warnings) == ([], [LEDGER_GONE])
    assert (index_of(project), contents(project.root), accounts(project.root)) == (ledger, before, rows)


def test_after_the_loss_of_folded_receipts_all_is_done_again_and_said(project: TinyProject) -> None:
    before, rows = contents(project.root), accounts(project.root)
    maintain(project.open())
    shutil.rmtree(project.root / "operations")
    result = project.run()
    assert result.ok
    assert any(
        w.startswith("formatted.sale: expected the receipts of versions 0 to") for w in result.warnings
    )
    assert (contents(project.root), accounts(project.root)) == (before, rows)
    again = project.run()
    assert (again.receipts, again.warnings) == ([], [])
    shutil.rmtree(project.root / "operations" / "window")
    assert project.run().ok
    assert contents(project.root) == before


@pytest.mark.parametrize("damage", ["empty", "gone", "table"])
def test_damage_of_the_folded_receipts_is_said_and_the_ledger_stays(
    project: TinyProject, damage: str
) -> None:
    maintain(project.open())
    before, ledger = contents(project.root), index_of(project)
    log = project.lake.log("operations.commit")
    if damage == "empty":
        log.path(log.versions[-1]).write_bytes(b"")
    elif damage == "gone":
        log.path(log.versions[-1]).unlink()
    else:
        shutil.rmtree(log.folder.parent)
    result = project.run()
    assert (result.ok, result.receipts) == (True, [])
    assert [w for w in result.warnings if w.startswith("operations.commit: expected the commit")]
    again = project.run()
    assert (again.receipts, again.warnings) == ([], [])
    assert (contents(project.root), index_of(project)) == (before, ledger)
    for run in range(RUNS, RUNS + 15):
        add(project, run)
    whole = contents(project.root)
    assert maintain(project.open()).warnings == ()
    for name in OF_RECEIPTS:
        shutil.rmtree(project.root / "operations" / name)
    assert project.run().ok
    assert contents(project.root) == whole


def test_kept_versions_can_be_read_by_all_and_others_by_none(project: TinyProject) -> None:
    before = {
        (name, version): rows_of(project.root, name, version)
        for name in TABLES
        for version in range(project.lake.version(name) + 1)
    }
    maintain(project.open())
    for name in TABLES:
        newest = project.lake.version(name)
        for version in range(newest + 1):
            if version > newest - NEWEST:
                expected = before.get((name, version), before[name, newest - 1])
                assert rows_of(project.root, name, version) == expected
            else:
                with pytest.raises(DeltaError):
                    DeltaTable(str(project.lake.path(name)), version=version)


def rows_of(root: Path, name: str, version: int) -> list[str]:
    table = DeltaTable(str(Lake(root).path(name)), version=version).to_pyarrow_table()
    return sorted(map(repr, table.to_pylist()))


def test_what_dead_runs_left_goes_and_what_others_put_there_stays(project: TinyProject) -> None:
    place = project.lake.path("exploitation.shop_day")
    day = next(place.glob("window_date=*"))
    left = [place / f"{'0' * 32}.parquet", day / f"{'1' * 32}.parquet", place / "_log_beside" / "a.json"]
    left.append(place / "_delta_log" / "_commit_1.json.tmp")
    others = [place / "notes.parquet", day / "x.csv"]
    for file in [*left, *others]:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x")
    maintain(project.open())
    assert [file for file in left if file.exists()] == []
    assert all(file.exists() for file in others)


def test_folded_commits_are_those_of_the_log(grown: TinyProject, project: TinyProject) -> None:
    maintain(project.open())
    opened = project.open()
    with opened.database("test") as database:
        history = Folded(opened.lake, database).history("formatted.sale")
    written = list(grown.lake.commits("formatted.sale"))
    assert history.lost == ()
    assert list(history.commits[: len(written)]) == written
