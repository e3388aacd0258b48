"""Damaged commits that a later checkpoint makes superfluous: the table is whole, its history is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from damages import cut, empty, gone

from backbone.lake.finding import What
from backbone.lake.log import LAST_CHECKPOINT, commit_name
from backbone.maintain import maintain
from backbone.repair.check import check
from backbone.repair.perform import repair
from projects import LEDGER_GONE, SHOP_DAY, TinyProject, accounts, contents, run_command

RUNS, CHECKPOINT, OLD = 14, 9, 7
PIPELINE = """
pipeline = Pipeline(
    "tiny",
    every="day",
    sources=SOURCES,
    steps=[
        SqlModel("shop_day", "shop_day.sql", grain=["shop"]),
        SqlModel("shop_all", "shop_all.sql", grain=["shop"], windowed=False),
    ],
)
"""
SHOP_ALL = "select d.shop, sum(d.amount) as amount from exploitation.shop_day as d group by d.shop"
TABLES = (
    *("landing.batch", "formatted.sale", "formatted.visit", "quarantine.sale", "duplicate.sale"),
    *("exploitation.shop_day", "exploitation.shop_all"),
)


@pytest.fixture(name="whole", scope="module")
def _whole(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    sql = {"shop_day.sql": SHOP_DAY, "shop_all.sql": SHOP_ALL}
    project = TinyProject(tmp_path_factory.mktemp("whole") / "project", PIPELINE, sql)
    for run in range(RUNS):
        day = f"2026-02-{run + 1:02}T10:00:00"
        project.sales(f"{run}.csv", (run, "a", 10 + run, day), (run - 1, "b", 5, day), (90, "c", -1, day))
        project.visits(f"{run}.csv", ("a", 60, day), ("b", -5, day))
        assert project.run().ok
    assert all(project.lake.log(name).checkpoints == [CHECKPOINT] for name in TABLES)
    assert check(project.open(), deep=True).is_whole
    return project


@pytest.fixture(name="project")
def _project(whole: TinyProject, tmp_path: Path) -> TinyProject:
    return whole.copy(tmp_path / "project")


def commit(project: TinyProject, dataset: str, version: int) -> Path:
    return project.lake.log(dataset).path(version)


def replaced(file: Path) -> None:
    shutil.copyfile(file.with_name(commit_name(1)), file)


def other_findings(project: TinyProject) -> list[str]:
    """What `check` finds, but for data files that are needed no more, which `maintain` removes."""
    findings = check(project.open(), deep=True).findings
    return [str(finding.error()) for finding in findings if finding.what != What.LEFT]


def assert_same(project: TinyProject, whole: TinyProject) -> None:
    assert contents(project.root) == contents(whole.root)
    assert accounts(project.root) == accounts(whole.root)


@pytest.mark.parametrize("version", [pytest.param(0, marks=pytest.mark.long), OLD, CHECKPOINT])
@pytest.mark.parametrize("damage", [empty, cut, gone, replaced])
@pytest.mark.parametrize("dataset", TABLES)
def test_a_damaged_old_commit_is_named_and_put_aside(
    project: TinyProject,
    whole: TinyProject,
    dataset: str,
    damage: Callable[[Path], None],
    version: int,
    request: pytest.FixtureRequest,
) -> None:
    if dataset not in ("formatted.sale", "formatted.visit") and not request.config.getoption("--long"):
        pytest.skip("of other tables in the long mode")
    damage(commit(project, dataset, version))
    (finding,) = check(project.open()).findings
    assert (finding.what, finding.dataset) == (What.OLD_COMMIT, dataset)
    assert finding.where.endswith(commit_name(version))
    assert all((finding.expected, finding.found, finding.state, finding.next_step))
    if damage in (empty, gone) and version != 0 and (damage is empty or version != CHECKPOINT):
        assert run_command(project.root, "status")[0] == 1
    repair(project.open())
    result = project.run()
    assert (result.ok, result.receipts, result.warnings) == (True, [], [])
    assert other_findings(project) == []
    assert_same(project, whole)
    maintain(project.open())
    assert check(project.open(), deep=True).is_whole

    shutil.rmtree(project.root / "operations" / "receipt")
    result = project.run()
    assert (result.ok, result.receipts) == (True, []), "the ledger had the receipt, which is folded"
    assert_same(project, whole)


@pytest.mark.parametrize("dataset", TABLES)
@pytest.mark.parametrize("damage", [empty, gone])
def test_a_run_puts_aside_what_it_notices(
    project: TinyProject, whole: TinyProject, damage: Callable[[Path], None], dataset: str
) -> None:
    damage(commit(project, dataset, OLD))
    result = project.run()
    assert (result.ok, result.receipts) == (True, [])
    (warning,) = result.warnings
    assert f"{dataset}: expected the commit of version {OLD}" in warning
    assert run_command(project.root, "status")[0] == 0
    assert other_findings(project) == []
    assert_same(project, whole)
    with pytest.raises(Exception, match=f"version {OLD}"):
        project.lake.read(dataset, OLD)
    for version in (OLD - 1, CHECKPOINT, RUNS - 2):
        assert project.lake.read(dataset, version).files == whole_files(whole, project, dataset, version)

    shutil.rmtree(project.root / "operations" / "receipt")
    result = project.run()
    assert (result.ok, result.receipts) == (True, []), "the ledger had the receipt, which is folded"
    assert_same(project, whole)


def whole_files(whole: TinyProject, project: TinyProject, dataset: str, version: int) -> tuple[str, ...]:
    files = whole.lake.read(dataset, version).files
    return tuple(file.replace(str(whole.root), str(project.root)) for file in files)


@pytest.mark.parametrize("damage", [empty, cut, gone])
@pytest.mark.parametrize("dataset", ["formatted.sale", "formatted.visit", "exploitation.shop_day"])
def test_a_ledger_made_again_without_a_receipt_doubles_nothing(
    project: TinyProject, whole: TinyProject, dataset: str, damage: Callable[[Path], None]
) -> None:
    damage(commit(project, dataset, OLD))
    shutil.rmtree(project.root / "operations")
    result = project.run()
    assert result.ok
    assert LEDGER_GONE in result.warnings
    assert any(w.startswith(f"{dataset}: expected the receipts of versions {OLD}") for w in result.warnings)
    assert_same(project, whole)
    project.run()
    assert other_findings(project) == []


def test_maintain_mends_before_it_folds(project: TinyProject, whole: TinyProject) -> None:
    cut(commit(project, "formatted.sale", OLD))
    assert any(f"version {OLD}" in warning for warning in maintain(project.open()).warnings)
    assert maintain(project.open()).warnings == ()
    assert check(project.open(), deep=True).is_whole
    assert_same(project, whole)


@pytest.mark.parametrize("tables", [["formatted.visit"], ["landing.batch"], ["operations.run"], None])
@pytest.mark.parametrize("is_named", [False, True])
def test_a_checkpoint_that_is_gone_is_done_without(
    project: TinyProject, whole: TinyProject, tables: list[str] | None, is_named: bool
) -> None:
    """Also one that a log only names, while its real one is there."""
    for name in tables or project.lake.datasets():
        log = project.lake.log(name)
        if is_named:
            (log.folder / LAST_CHECKPOINT).write_text('{"version": 12, "size": 20}')
        else:
            for file in log.folder.glob("*.checkpoint.parquet"):
                file.unlink()
    assert run_command(project.root, "status")[0] == (0 if tables == ["operations.run"] else 1)
    assert check(project.open()).findings
    result = project.run()
    assert (result.ok, result.receipts) == (True, [])
    assert result.warnings
    assert other_findings(project) == []
    assert_same(project, whole)
    rows = "select count(*) from operations.run"
    if tables is not None:
        assert project.rows(rows) == [(whole.rows(rows)[0][0] + 1,)]
    assert project.run().warnings == []


def test_what_reads_a_lost_table_is_made_again_in_the_same_run(
    project: TinyProject, whole: TinyProject
) -> None:
    shutil.rmtree(project.root / "exploitation" / "shop_day")
    assert {receipt.dataset for receipt in project.run().receipts} == {
        "exploitation.shop_day",
        "exploitation.shop_all",
    }
    assert_same(project, whole)
    assert project.run().receipts == []
