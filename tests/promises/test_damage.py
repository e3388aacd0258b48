"""Damage that no log shows is found by `check`, and what can be mended is mended by `repair` and `run`.

The damage of logs is in `test_damaged_logs.py`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from damages import cut, empty, garbage, gone, longer

from backbone.dataset import ZONES
from backbone.lake.checkpoint import write_checkpoint
from backbone.lake.data_files import logged_files
from backbone.lake.finding import Finding, What
from backbone.lake.log import checkpoint_name
from backbone.repair.check import check
from backbone.repair.perform import Repaired, repair
from projects import SHOP_DAY, TinyProject, accounts, contents, deliveries, finished, run_command

PIPELINE = """
def add(context):
    new = context.read("formatted.sale", ["sold_at", "amount"]).read_all().to_pylist()
    total = 0 if context.previous is None else max(r["total"] for r in context.previous.table().to_pylist())
    rows = []
    for day in sorted({row["sold_at"].replace(hour=0) for row in new}):
        total += sum(row["amount"] for row in new if row["sold_at"].replace(hour=0) == day)
        rows.append({"window_start": day, "total": total})
    schema = pa.schema([("window_start", pa.timestamp("us", "UTC")), ("total", pa.int64())])
    return pa.Table.from_pylist(rows, schema)


pipeline = Pipeline(
    "tiny",
    every="day",
    sources=SOURCES,
    steps=[
        SqlModel(
            "shop_day",
            "shop_day.sql",
            grain=["shop"],
            conserves={"amount": "sum(amount) from formatted.sale"},
        ),
        SqlModel("shop_all", "shop_all.sql", grain=["shop"], windowed=False),
        Step("total", add, reads=["formatted.sale"], grain=[], previous=True),
    ],
)
"""
SHOP_ALL = "select d.shop, sum(d.amount) as amount from exploitation.shop_day as d group by d.shop"
LEDGER = tuple(f"operations.{name}" for name in ("change", "input", "window", "batch", "receipt", "run"))
TABLES = (
    *("landing.batch", "formatted.sale", "formatted.visit", "quarantine.sale", "duplicate.sale"),
    *("exploitation.shop_day", "exploitation.shop_all", "exploitation.total"),
    *LEDGER,
)


@pytest.fixture(name="whole", scope="module")
def _whole(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    """A project of four runs: late rows, corrections, duplicates, bad rows and a redelivery."""
    sql = {"shop_day.sql": SHOP_DAY, "shop_all.sql": SHOP_ALL}
    project = TinyProject(tmp_path_factory.mktemp("whole") / "project", PIPELINE, sql)
    for run in range(4):
        day = f"2026-02-0{run + 1}T10:00:00"
        bad, late = (90 + run, "c", -1, day), (50 + run, "d", 3, "2026-02-01T12:00:00")
        project.sales(f"{run}.csv", (run, "a", 10 + run, day), (run + 1, "b", 5, day), bad, late)
        project.visits(f"{run}.csv", ("a", 60, day), ("b", -5, day))
        if run == 2:
            project.sales("0.csv", (0, "a", 7, "2026-02-01T11:00:00"))
        assert project.run().ok
    assert check(project.open(), deep=True).is_whole
    assert {"exploitation.shop_all", "duplicate.sale"} <= {*contents(project.root)}
    return project


def found_by_check(project: TinyProject, *, deep: bool = False) -> list[Finding]:
    return check(project.open(), deep=deep).findings


def repaired(project: TinyProject, *, deep: bool = False) -> Repaired:
    return repair(project.open(), deep=deep)


def has_four_parts(finding: Finding) -> bool:
    return all((finding.where, finding.expected, finding.found, finding.state, finding.next_step))


# --- data files ---


def garbage_inside(file: Path) -> None:
    """Only the pages: where the file begins and ends it is whole, so that its footer can be read."""
    import pyarrow.parquet as pq

    metadata, data = pq.read_metadata(file), bytearray(file.read_bytes())
    end = max(
        metadata.row_group(g).column(c).data_page_offset
        + metadata.row_group(g).column(c).total_compressed_size
        for g in range(metadata.num_row_groups)
        for c in range(metadata.num_columns)
    )
    data[4:end] = b"\xff" * (end - 4)
    file.write_bytes(data)


DAMAGES = (gone, cut, empty, longer, garbage, garbage_inside)


def of_data() -> Iterator[Any]:
    """Every damage of every table; some of them in the usual run, in which each occurs."""
    for place, dataset in enumerate(TABLES):
        for number, damage in enumerate(DAMAGES):
            for files in ("first", "all"):
                usual = number == place % len(DAMAGES) and files == ("first", "all")[place % 2]
                marks = [] if usual else [pytest.mark.long]
                name = f"{dataset} {damage.__name__} {files}"
                yield pytest.param(dataset, damage, files, marks=marks, id=name)


@pytest.mark.parametrize(("dataset", "damage", "files"), list(of_data()))
def test_a_damaged_data_file_is_found_and_made_good(
    whole: TinyProject, dataset: str, damage: Callable[[Path], None], files: str, tmp_path: Path
) -> None:
    project, deep = whole.copy(tmp_path / "project"), damage is garbage_inside
    there = [Path(file.path) for file in logged_files(project.lake, dataset)[1]]
    for file in there if files == "all" else there[:1]:
        damage(file)

    findings = found_by_check(project, deep=deep)
    found = [f for f in findings if f.dataset == dataset and f.what in (What.DATA, What.LEDGER)]
    assert found, findings
    assert all(map(has_four_parts, findings))
    status, out, errors = run_command(project.root, "check", *(["--deep"] if deep else []))
    assert (status, errors) == (1, "")
    assert found[0].what in out
    if dataset not in LEDGER and not deep:
        status, out, errors = run_command(project.root, "status")
        assert status == 1, out
        assert dataset in out + errors

    result = repaired(project, deep=deep)
    assert result.plan.left == ()
    assert repaired(project, deep=deep).plan.steps == (), "a second repair found something to do"
    run = project.run()

    assert run.ok, [str(error) for error in run.failures.values()]
    assert contents(project.root) == contents(whole.root)
    assert accounts(project.root) == accounts(whole.root)
    assert deliveries(project.root) == deliveries(whole.root)
    assert {f.what for f in found_by_check(project, deep=True)} <= {What.LEFT}
    again = project.run()
    assert (again.receipts, again.failures) == ([], {})


@pytest.mark.parametrize(
    "dataset",
    ["formatted.sale", "quarantine.sale", "duplicate.sale", "exploitation.shop_day", "landing.batch"],
)
def test_a_run_that_reads_a_damaged_file_names_it(whole: TinyProject, dataset: str, tmp_path: Path) -> None:
    project = whole.copy(tmp_path / "project")
    for file in logged_files(project.lake, dataset)[1]:
        gone(Path(file.path))
    project.sales("9.csv", (300, "a", 2, "2026-02-01T10:00:00"))
    status, _, errors = run_command(project.root, "run")
    assert status == 1
    assert f"{dataset}: expected to read {dataset.replace('.', '/')}/" in errors
    assert "backbone repair" in errors


# --- originals ---


def original(project: TinyProject, name: str) -> Path:
    return max((project.root / "landing" / "persistent" / "sale").glob(f"*/{name}"))


def edited(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"a,1", b"a,2"))


def edited_longer(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"7,a,1,2026-02-01T10:00:00\n")


def edited_secretly(file: Path) -> None:
    stat = file.stat()
    edited(file)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize("damage", [gone, edited, edited_longer, edited_secretly])
def test_a_damaged_original_is_named_and_left_where_it_is(
    whole: TinyProject, damage: Callable[[Path], None], tmp_path: Path
) -> None:
    project, deep = whole.copy(tmp_path / "project"), damage is edited_secretly
    file = original(project, "1.csv")
    before = file.read_bytes()
    damage(file)
    after = file.read_bytes() if file.exists() else None
    assert after != before
    (finding,) = found_by_check(project, deep=deep)
    assert (finding.what, has_four_parts(finding)) == (What.ORIGINAL, True)
    assert finding.where == file.relative_to(project.root).as_posix()
    assert run_command(project.root, "check", *(["--deep"] if deep else []))[0] == 1

    result = repaired(project, deep=deep)
    assert [left for left, _ in result.plan.left] == [finding]
    assert (result.plan.steps, result.done) == ((), [])
    assert (file.read_bytes() if file.exists() else None) == after
    assert project.run().ok
    assert contents(project.root) == contents(whole.root), "what was formatted from it stays"
    file.write_bytes(before)
    assert found_by_check(project) == []


@pytest.mark.parametrize("damage", [gone, edited])
@pytest.mark.parametrize("zone", ["formatted", "quarantine", "duplicate"])
def test_rows_without_an_original_are_named_as_lost(
    whole: TinyProject, damage: Callable[[Path], None], zone: str, tmp_path: Path
) -> None:
    """The rows are gone, and one of the files that they came from too: the others are made good."""
    project = whole.copy(tmp_path / "project")
    file = original(project, "1.csv")
    for logged in logged_files(project.lake, f"{zone}.sale")[1]:
        gone(Path(logged.path))
    damage(file)
    status, plan, _ = run_command(project.root, "repair")
    assert status == 1
    assert "stays in the tables" not in plan
    status, out, errors = run_command(project.root, "repair", "--yes")
    assert (status, errors) == (1, "")
    lost = [line for line in out.splitlines() if line.startswith("Lost:")]
    assert len(lost) == 1, out
    assert "1.csv" in lost[0]
    assert [line for line in plan.splitlines() if line.startswith("Lost:")] == lost
    status, out, _ = run_command(project.root, "repair")
    assert status == 1
    assert "rows of it were lost" in " ".join(out.split())
    refused = project.run()
    assert not refused.ok
    assert "1.csv" in str(refused.failures["formatted.sale"])

    assert project.run(accept_loss=["sale"]).ok
    assert project.rows("select count(*) from formatted.sale where sale_id = 51") == [(0,)]
    expected = whole.rows(
        "select sale_id from formatted.sale where _batch not in "
        "(select batch from landing.batch where name = '1.csv' and source = 'sale') order by 1"
    )
    there = project.rows("select sale_id from formatted.sale order by 1")
    assert {*expected} <= {*there}, "a row of another file is lost"
    accounts(project.root, without=["sale"])


def test_an_original_that_is_gone_with_the_manifest_is_named(whole: TinyProject, tmp_path: Path) -> None:
    """Before the run that records the originals again, and after it, until it is back or given up."""
    project = whole.copy(tmp_path / "project")
    file = original(project, "1.csv")
    before = file.read_bytes()
    ((batch,),) = project.rows("select batch from landing.batch where source = 'sale' and name = '1.csv'")
    shutil.rmtree(project.root / "landing" / "batch")
    file.unlink()
    for mended in (False, True):
        if mended:
            assert "formatted.sale" in project.run().failures
        (finding,) = (f for f in found_by_check(project) if f.what == What.BATCH)
        assert (finding.where, has_four_parts(finding)) == (f"formatted.sale, batch {batch}", True)
        status, out, errors = run_command(project.root, "status")
        assert (status, errors) == (1, "")
        assert f"Damaged: formatted.sale, batch {batch}" in out
        status, out, _ = run_command(project.root, "repair")
        assert status == 1
        assert f"Can't be mended: formatted.sale, batch {batch}" in out

    given_up = project.copy(tmp_path / "given up")
    assert given_up.run(accept_loss=["sale"]).ok
    assert found_by_check(given_up, deep=True) == []
    file.write_bytes(before)
    repaired(project)
    assert project.run().ok
    assert contents(project.root) == contents(whole.root)
    assert found_by_check(project, deep=True) == []


@pytest.mark.parametrize("lost", [("batch",), ("batch", "operations"), ("a file of it",)])
def test_an_edit_is_found_when_the_manifest_is_lost(
    whole: TinyProject, lost: tuple[str, ...], tmp_path: Path
) -> None:
    """The receipts of landing have the hashes; where they are gone with the manifest, that is said."""
    project = whole.copy(tmp_path / "project")
    file = original(project, "1.csv")
    shutil.rmtree(project.root / "formatted" / "sale")
    if "operations" in lost:
        shutil.rmtree(project.root / "operations")
    if "batch" in lost:
        shutil.rmtree(project.root / "landing" / "batch")
    else:
        for logged in logged_files(project.lake, "landing.batch")[1]:
            gone(Path(logged.path))
        edited(file)
        done = repaired(project).done
        assert not any("nothing shows it" in line for line in done), done
    edited(file)
    run = project.run()
    if "operations" in lost:
        assert any("if they were edited, nothing shows it" in w for w in run.warnings), run.warnings
        return
    assert not any("nothing shows it" in warning for warning in run.warnings)
    (refused,) = run.failures.values()
    assert "1.csv" in str(refused)
    assert "was edited or damaged" in str(refused)
    (finding,) = (f for f in found_by_check(project) if f.what == What.ORIGINAL)
    assert finding.where == file.relative_to(project.root).as_posix()


# --- the ledger and the manifest ---


def test_a_ledger_that_is_gone_is_made_again(whole: TinyProject, tmp_path: Path) -> None:
    project = whole.copy(tmp_path / "project")
    shutil.rmtree(project.root / "operations")
    assert {f.what for f in found_by_check(project)} == {What.LEDGER}
    assert run_command(project.root, "check")[0] == 1
    repaired(project)
    assert project.run().receipts == []
    assert (contents(project.root), accounts(project.root)) == (contents(whole.root), accounts(whole.root))
    assert found_by_check(project, deep=True) == []


def test_a_ledger_that_says_something_else_is_made_again(whole: TinyProject, tmp_path: Path) -> None:
    """A row of a table of the ledger is another one, under a commit that is well formed."""
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake

    project = whole.copy(tmp_path / "project")
    path = str(project.lake.path("operations.change"))
    rows = DeltaTable(path).to_pyarrow_table().to_pylist()
    schema = pa.schema(DeltaTable(path).schema().to_arrow())
    write_deltalake(path, pa.Table.from_pylist(rows[1:], schema), mode="overwrite")
    (finding,) = found_by_check(project, deep=True)
    assert (finding.what, finding.where) == (What.LEDGER, "operations.change")
    repaired(project, deep=True)
    assert found_by_check(project, deep=True) == []
    assert project.run().receipts == []


def test_a_manifest_and_a_ledger_that_are_gone_are_made_again(whole: TinyProject, tmp_path: Path) -> None:
    project = whole.copy(tmp_path / "project")
    shutil.rmtree(project.root / "operations")
    shutil.rmtree(project.root / "landing" / "batch")
    assert {f.what for f in found_by_check(project)} == {What.LOG, What.LEDGER}
    status, out, _ = run_command(project.root, "status")
    assert status == 1
    assert "Damaged: landing.batch: expected the commit of version" in out
    done = repaired(project.copy(tmp_path / "repaired")).done
    run = project.run()
    for warnings in (done, run.warnings):
        assert any(warning.startswith("landing.batch: expected the commit") for warning in warnings)
    assert run.ok
    assert contents(project.root) == contents(whole.root)
    assert deliveries(project.root) == deliveries(whole.root)
    assert found_by_check(project, deep=True) == []


# --- checkpoints ---


@pytest.mark.parametrize("damage", [garbage, cut, empty, garbage_inside])
@pytest.mark.parametrize(
    "dataset", ["landing.batch", "formatted.sale", "exploitation.shop_day", "operations.receipt"]
)
def test_a_damaged_checkpoint_is_put_aside(
    whole: TinyProject, dataset: str, damage: Callable[[Path], None], tmp_path: Path
) -> None:
    project = whole.copy(tmp_path / "project")
    lake, deep = project.lake, damage is garbage_inside
    version = lake.version(dataset)
    write_checkpoint(lake.path(dataset), version, lake.barrier)
    lake.barrier.wait()
    damage(lake.log(dataset).folder / checkpoint_name(version))
    findings = found_by_check(project, deep=deep)
    assert {f.what for f in findings} <= {What.CHECKPOINT, What.LEDGER}
    assert findings
    repaired(project, deep=deep)
    assert found_by_check(project, deep=True) == [] or dataset == "operations.receipt"
    assert project.run().receipts == []
    assert contents(project.root) == contents(whole.root)


def test_a_run_puts_a_damaged_checkpoint_aside(whole: TinyProject, tmp_path: Path) -> None:
    project = whole.copy(tmp_path / "project")
    lake = project.lake
    write_checkpoint(lake.path("formatted.sale"), 2, lake.barrier)
    lake.barrier.wait()
    garbage(lake.log("formatted.sale").folder / checkpoint_name(2))
    status, out, _ = run_command(project.root, "status")
    assert status == 1
    assert "formatted.sale: expected the checkpoint of version 2" in " ".join(out.split())
    result = project.run()
    assert (result.ok, result.receipts) == (True, [])
    assert any("expected the checkpoint of version 2" in warning for warning in result.warnings)
    assert contents(project.root) == contents(whole.root)
    assert run_command(project.root, "status")[0] == 0


# --- commits ---


def folder_for(commit: Path) -> None:
    commit.unlink()
    commit.mkdir()


@pytest.mark.parametrize("mended_by", ["run", "repair"])
@pytest.mark.parametrize("damage", [folder_for, empty])
@pytest.mark.parametrize(
    ("dataset", "place"), [("landing.batch", -1), ("formatted.sale", -2), ("quarantine.sale", -1)]
)
def test_a_damaged_commit_is_named_and_put_aside_once(
    whole: TinyProject,
    dataset: str,
    place: int,
    damage: Callable[[Path], None],
    mended_by: str,
    tmp_path: Path,
) -> None:
    """The rest of the project goes on; what is mended by a repair is not found damaged again by it."""
    project = whole.copy(tmp_path / "project")
    log = project.lake.log(dataset)
    version = log.versions[place]
    damage(log.path(version))
    (finding,) = (f for f in found_by_check(project) if f.what == What.LOG)
    assert (finding.where, has_four_parts(finding)) == (dataset, True)
    for reading in (["status"], ["check"], ["repair"]):
        status, out, errors = run_command(project.root, *reading)
        assert (status, errors) == (1, ""), reading
        assert dataset in out
    warnings = repaired(project).done if mended_by == "repair" else project.run().warnings
    about = [warning for warning in warnings if warning.startswith(f"{dataset}: ")]
    assert len(about) == 1, warnings
    assert f"goes on from version {version - 1}" in about[0]
    aside = project.root / ".backbone" / "damaged" / dataset
    assert [path.name for path in aside.glob("before-*/*")].count(log.path(version).name) == 1
    run = project.run()
    assert (run.ok, [warning for warning in run.warnings if "expected" in warning]) == (True, [])
    assert contents(project.root) == contents(whole.root)
    assert deliveries(project.root) == deliveries(whole.root)
    assert {f.what for f in found_by_check(project, deep=True)} <= {What.LEFT}
    assert run_command(project.root, "maintain")[0] == 0


# --- what nobody expects ---


@pytest.mark.parametrize("zone", ZONES)
def test_what_nobody_expects_is_put_aside(whole: TinyProject, zone: str, tmp_path: Path) -> None:
    project = whole.copy(tmp_path / "project")
    table = next(name for name in TABLES if name.startswith(f"{zone}."))
    strays = [
        project.root / zone / "notes.txt",
        project.root / zone / "Old things" / "a.csv",
        project.lake.path(table) / "export.csv",
        project.lake.path(table) / "part.parquet",
        project.lake.log(table).folder / "copy of 0.json",
    ]
    if zone == "landing":
        place = original(project, "1.csv").parent
        strays += [place / "2.csv", place.parent / "0.csv", place.parent.parent / "nobody" / "1.csv"]
    for stray in strays:
        stray.parent.mkdir(exist_ok=True)
        stray.write_text("something")
    for hidden in (project.root / zone / ".gitkeep", project.lake.path(table) / ".DS_Store"):
        hidden.write_text("")
    findings = found_by_check(project)
    assert [f.what for f in findings] == [What.UNEXPECTED] * len(strays), [f.where for f in findings]
    assert all(map(has_four_parts, findings))
    assert run_command(project.root, "check")[0] == 1

    repaired(project)
    assert not any(stray.exists() for stray in strays)
    aside = [p.read_text() for p in (project.root / ".backbone" / "damaged").rglob("*") if p.is_file()]
    assert aside == ["something"] * len(strays)
    assert found_by_check(project) == []
    assert project.run().receipts == []
    assert contents(project.root) == contents(whole.root)


def test_a_name_that_breaks_lines_is_shown_on_one(whole: TinyProject, tmp_path: Path) -> None:
    project = whole.copy(tmp_path / "project")
    (project.root / "formatted" / "a\nb.csv").write_text("something")
    for arguments in (["check"], ["repair"], ["repair", "--yes"]):
        _, out, _ = run_command(project.root, *arguments)
        assert "formatted/a\\nb.csv" in out, arguments
    assert found_by_check(project) == []


def test_what_a_dead_run_left_is_named_as_such(whole: TinyProject, tmp_path: Path) -> None:
    project = whole.copy(tmp_path / "project")
    left = project.lake.path("formatted.sale") / f"{'0a' * 16}.parquet"
    left.write_bytes(b"PAR1")
    (finding,) = found_by_check(project)
    assert (finding.what, finding.next_step) == (What.LEFT, "backbone maintain")
    assert run_command(project.root, "repair", "--yes") == (
        0,
        "backbone maintain sees to 1 more finding, which does no harm: "
        f"formatted/sale/{left.name}\nThere is nothing to repair.\n",
        "",
    )
    assert left.exists()
    assert run_command(project.root, "maintain")[0] == 0
    assert not left.exists()


@pytest.mark.parametrize("is_empty", [True, False])
def test_what_a_run_left_of_no_table_is_put_aside(whole: TinyProject, is_empty: bool, tmp_path: Path) -> None:
    project = whole.copy(tmp_path / "project")
    place = project.root / "formatted" / "foo"
    (place / "_delta_log").mkdir(parents=True)
    if not is_empty:
        (place / f"{'0a' * 16}.parquet").write_bytes(b"PAR1")
    (finding,) = found_by_check(project)
    assert (finding.what, finding.where, finding.next_step) == (What.LEFT, "formatted/foo", "backbone repair")
    assert run_command(project.root, "repair", "--yes")[0] == 0
    assert not place.exists()
    assert (project.root / ".backbone" / "damaged" / "formatted" / "foo").exists()
    assert found_by_check(project) == []


def test_a_log_that_a_repair_mends_leaves_nothing_that_it_cannot(whole: TinyProject, tmp_path: Path) -> None:
    """The data file of the lost commit is for `maintain`."""
    project = whole.copy(tmp_path / "project")
    log = project.lake.log("formatted.sale")
    log.path(log.versions[-1]).write_bytes(b"")
    status, out, _ = run_command(project.root, "repair", "--yes")
    assert (status, "Can't be mended" in out) == (0, False), out
    assert project.run().ok
    assert {f.what for f in found_by_check(project)} <= {What.LEFT}
    assert run_command(project.root, "maintain")[0] == 0
    assert found_by_check(project) == []


# --- beside a run ---


def test_a_run_that_is_writing_is_no_finding(whole: TinyProject, tmp_path: Path) -> None:
    """Runs go on while the project is looked at again and again."""
    import threading

    project = whole.copy(tmp_path / "project")
    ended = threading.Event()
    failures: list[str] = []

    def keep_running() -> None:
        try:
            for number in range(4):
                day = f"2026-02-1{number}T10:00:00"
                project.sales(f"x{number}.csv", (number, "a", 1, day), (200 + number, "b", -1, day))
                status, _, errors = finished(project.root, "run")
                failures.extend([errors] if status else [])
        finally:
            ended.set()

    opened = project.open()
    writer = threading.Thread(target=keep_running)
    writer.start()
    looks = 0
    while not ended.is_set():
        findings = check(opened, deep=looks % 3 == 0).findings
        assert findings == []
        looks += 1
    writer.join()
    assert failures == []
    assert looks > 3
    assert found_by_check(project, deep=True) == []
