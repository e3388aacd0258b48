"""A damaged `operations.commit` or `operations.pin` is made again as far as something else has it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from backbone.lake.data_files import logged_files
from backbone.lake.finding import What
from backbone.ledger.facts import facts_of_commit
from backbone.ledger.folded import Folded
from backbone.ledger.known import LOST
from backbone.ledger.tables import OF_RECEIPTS
from backbone.maintain import maintain
from backbone.pinning import pin, pins
from backbone.repair.check import check
from backbone.repair.perform import repair
from projects import LEDGER_GONE, SHOP_DAY, TinyProject, contents

PIPELINE = """
pipeline = Pipeline(
    "tiny",
    every="day",
    sources=SOURCES,
    steps=[
        SqlModel(
            "shop_day",
            "shop_day.sql",
            grain=["shop"],
            measures={"amount": "sum(amount) from formatted.sale"},
        ),
        SqlModel("shop_all", "shop_all.sql", grain=["shop"], windowed=False),
    ],
)
"""
SHOP_ALL = "select d.shop, sum(d.amount) as amount from exploitation.shop_day as d group by d.shop"


def grow(project: TinyProject, runs: range) -> None:
    for run in runs:
        day = f"2026-02-{run // 10 + 1:02}T10:00:00"
        project.sales(f"{run % 9}.csv", (run, "a", 1, day), (run // 2, "b", -1 if run % 5 == 4 else 2, day))
        assert project.run().ok


@pytest.fixture(name="grown", scope="module")
def _grown(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    """A project with folded receipts: of repaired tables, new versions of files, one that was gone."""
    place = tmp_path_factory.mktemp("grown") / "project"
    sql = {"shop_day.sql": SHOP_DAY, "shop_all.sql": SHOP_ALL}
    project = TinyProject(place, PIPELINE, sql, "[maintain]\nkeep_days = 0\n")
    grow(project, range(4))
    for dataset in ("formatted.sale", "exploitation.shop_day"):
        Path(project.lake.read(dataset).files[0]).unlink()
    repair(project.open())
    grow(project, range(4, 6))
    pin(project.open(), "trial", {"formatted.sale": None})
    pin(project.open(), "other", {"formatted.sale": None, "exploitation.shop_day": None})
    for runs in (range(6, 20), range(20, 33)):
        grow(project, runs)
        maintain(project.open())
    assert check(project.open(), deep=True).findings == []
    return project


@pytest.fixture(name="project")
def _project(grown: TinyProject, tmp_path: Path) -> TinyProject:
    return grown.copy(tmp_path / "project")


def index_of(project: TinyProject) -> dict[str, list[tuple[object, ...]]]:
    """The ledger, without what it says of itself."""
    return {
        name: project.rows(
            f"select * from operations.{name}"
            + (" where dataset not like 'operations.%'" if name != "batch" else "")
            + " order by all"
        )
        for name in OF_RECEIPTS
    }


def facts(project: TinyProject) -> dict[str, list[str]]:
    """What the ledger is made from, by table."""
    opened = project.open()
    with opened.database("test") as database:
        folded = Folded(opened.lake, database)
        found = {}
        for dataset in opened.lake.datasets():
            if not dataset.startswith("operations."):
                history = folded.history(dataset)
                assert history.lost == ()
                of_all = (f for c in history.commits if c.receipt for f in facts_of_commit(dataset, c))
                found[dataset] = sorted(map(repr, of_all))
        return found


def gone(file: Path) -> None:
    file.unlink()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize("damage", [gone, cut])
def test_receipts_are_folded_again_from_the_ledger(
    project: TinyProject, damage: Callable[[Path], None]
) -> None:
    before, ledger, whole = facts(project), index_of(project), contents(project.root)
    for file in project.lake.read("operations.commit").files:
        damage(Path(file))
    assert {f.dataset for f in check(project.open()).findings} == {"operations.commit"}
    assert {f.where for f in maintain(project.open()).failures} <= {"operations.commit"}

    done = repair(project.open())
    assert done.plan.left == ()
    assert not [line for line in done.done if line.startswith("Lost")], done.done
    assert check(project.open(), deep=True).findings == []
    assert facts(project) == before
    assert project.run().receipts == [], "the ledger was good"
    assert maintain(project.open()).failures == ()
    for name in OF_RECEIPTS:
        shutil.rmtree(project.root / "operations" / name)
    result = project.run()
    assert (result.receipts, result.warnings) == ([], [LEDGER_GONE])
    assert (index_of(project), contents(project.root)) == (ledger, whole)


@pytest.mark.parametrize("is_log", [True, False])
def test_a_run_folds_receipts_again_where_the_table_is_gone(project: TinyProject, is_log: bool) -> None:
    before, ledger, whole = facts(project), index_of(project), contents(project.root)
    folder = project.lake.log("operations.commit").folder
    shutil.rmtree(folder if is_log else folder.parent)
    result = project.run()
    assert (result.ok, result.receipts) == (True, [])
    assert any("as far as the ledger has them" in warning for warning in result.warnings)
    assert facts(project) == before
    for name in OF_RECEIPTS:
        shutil.rmtree(project.root / "operations" / name)
    assert project.run().receipts == []
    assert (index_of(project), contents(project.root)) == (ledger, whole)


def test_receipts_that_nothing_has_are_named(project: TinyProject) -> None:
    """The ledger is damaged too: half of a receipt is not taken for one."""
    whole = contents(project.root)
    for name in ("commit", "window"):
        for file in logged_files(project.lake, f"operations.{name}")[1]:
            gone(Path(file.path))
    done = repair(project.open()).done
    assert any(line.startswith("Lost: formatted.sale: the receipts of versions 0 to") for line in done), done
    assert project.run().ok
    assert contents(project.root) == whole
    assert {f.what for f in check(project.open(), deep=True).findings} <= {What.LEFT}
    again = project.run()
    assert (again.receipts, again.warnings) == ([], [])
    assert maintain(project.open()).failures == ()


def test_a_table_that_began_again_does_so_when_folded_again(project: TinyProject) -> None:
    shutil.rmtree(project.root / "exploitation" / "shop_all")
    assert project.run().ok
    before, whole = facts(project), contents(project.root)
    assert project.rows(f"select count(*) from operations.commit where receipt like '%\"{LOST}\"%'") == [(1,)]
    for file in project.lake.read("operations.commit").files:
        gone(Path(file))
    assert not [line for line in repair(project.open()).done if line.startswith("Lost")]
    assert facts(project) == before
    for name in OF_RECEIPTS:
        shutil.rmtree(project.root / "operations" / name)
    assert (project.run().receipts, contents(project.root)) == ([], whole)


def places(project: TinyProject) -> set[tuple[str, int]]:
    return {(p.dataset, p.version) for p in pins(project.open())}


def test_pins_that_are_left_stay_and_lost_ones_are_named(project: TinyProject) -> None:
    before, whole = places(project), contents(project.root)
    pin(project.open(), "new", {"landing.batch": None})
    files = [Path(file.path) for file in logged_files(project.lake, "operations.pin")[1]]
    assert len(files) > 1
    newest = max(files, key=lambda file: file.stat().st_mtime)
    for file in files:
        if file != newest:
            gone(file)
    (left,) = {f.dataset for f in check(project.open()).findings}
    assert left == "operations.pin"
    done = repair(project.open()).done
    assert done[0].startswith("Lost: operations.pin: ")
    assert any("pinned again as restored" in line for line in done), done
    assert before <= places(project)
    assert "landing.batch" in {dataset for dataset, _ in places(project)}
    assert "restored" in {p.name for p in pins(project.open())}
    assert check(project.open(), deep=True).findings == []
    assert maintain(project.open()).failures == ()
    assert project.run().receipts == []
    assert contents(project.root) == whole
    for dataset, version in before:
        assert project.lake.read(dataset, version).version == version


def test_a_run_pins_again_what_only_a_pin_can_have_kept(project: TinyProject) -> None:
    before = places(project)
    shutil.rmtree(project.root / "operations" / "pin")
    result = project.run()
    assert result.receipts == []
    assert any("pinned again as restored" in warning for warning in result.warnings)
    assert places(project) == before
    assert maintain(project.open()).failures == ()
    assert check(project.open(), deep=True).findings == []
