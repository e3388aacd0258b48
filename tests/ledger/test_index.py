"""`operations.*` is an index over the receipts: it can be lost, and is made again from the commits."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from backbone.lake.pieces import MANY_PIECES
from backbone.ledger.facts import Ran
from backbone.ledger.index import Index
from backbone.ledger.tables import OF_RECEIPTS
from projects import TinyProject, accounts, built, contents, finished


def _history(root: Path) -> TinyProject:
    project = TinyProject(root)
    project.sales("a.csv", (1, "x", 1, "2026-02-01T10:00:00"), (2, "x", -1, "2026-02-01T10:00:00"))
    project.visits("a.csv", ("y", 1, "2026-02-02T10:00:00"))
    assert project.run().ok
    project.sales("b.csv", (1, "x", 1, "2026-02-03T10:00:00"))
    assert project.run().ok
    project.sales("b.csv", (3, "x", 1, "2026-02-04T10:00:00"))
    assert built(project.run(), "shop_day") == ["2026-02-01", "2026-02-03", "2026-02-04"]
    return project


def _index(project: TinyProject) -> dict[str, list[tuple[object, ...]]]:
    return {name: project.rows(f"select * from operations.{name} order by all") for name in OF_RECEIPTS}


def test_a_lost_index_is_made_again_and_nothing_becomes_stale(tmp_path: Path) -> None:
    project = _history(tmp_path)
    before, rows = _index(project), accounts(tmp_path)
    shutil.rmtree(tmp_path / "operations")
    versions = project.versions()
    result = project.run()
    assert (result.ok, result.receipts) == (True, [])
    assert _index(project) == before
    assert accounts(tmp_path) == rows
    after = project.versions()
    assert {name: after[name] for name in versions} == versions
    project.sales("c.csv", (9, "x", 1, "2026-02-01T10:00:00"))
    assert built(project.run(), "shop_day") == ["2026-02-01"]


@pytest.mark.parametrize(
    "lost", [*((name,) for name in OF_RECEIPTS), ("receipt", "window"), ("run",)], ids=" and ".join
)
def test_an_index_that_is_half_there_is_completed(lost: tuple[str, ...], tmp_path: Path) -> None:
    """A run that dies while it indexes leaves facts without the receipts that say they are indexed."""
    project = _history(tmp_path)
    rows, before = accounts(tmp_path), _index(project)
    for name in lost:
        shutil.rmtree(tmp_path / "operations" / name)
    assert project.run().receipts == []
    assert _index(project) == before
    assert accounts(tmp_path) == rows
    assert project.run().receipts == []


def _as_made_by_an_older_version(project: TinyProject) -> None:
    """Write the tables with the columns of old: `inputs` as JSON text in two of them, and no warnings."""
    read: dict[tuple[str, int], dict[str, int]] = {}
    for dataset, version, name, at in project.rows("select * from operations.input"):
        read.setdefault((dataset, version), {})[name] = at
    shutil.rmtree(project.root / "operations" / "input")
    for name in ("receipt", "window"):
        table = project.lake.open(f"operations.{name}").to_pyarrow_table()
        keys = zip(table["dataset"].to_pylist(), table["version"].to_pylist(), strict=True)
        table = table.append_column("inputs", pa.array([json.dumps(read.get(key, {})) for key in keys]))
        shutil.rmtree(project.root / "operations" / name)
        old = [column for column in table.column_names if column != "warnings"]
        write_deltalake(str(project.root / "operations" / name), table.select(old))


def test_an_index_with_the_columns_of_an_older_version_is_made_again(tmp_path: Path) -> None:
    project = _history(tmp_path)
    before, rows = _index(project), accounts(tmp_path)
    asked = [("status",), ("history", "exploitation.shop_day", "-f", "json")]
    answers = [finished(tmp_path, *command) for command in asked]
    _as_made_by_an_older_version(project)
    assert "inputs" in {name for name, _ in project.lake.read("operations.window").columns}
    # Who reads before the next run sees what the receipts say.
    assert [finished(tmp_path, *command) for command in asked] == answers
    assert finished(tmp_path, "run") == (0, "Nothing is stale.\n", "")
    assert _index(project) == before
    assert accounts(tmp_path) == rows
    runs = project.rows("select count(*) from operations.run")
    project.sales("c.csv", (9, "x", 1, "2026-02-01T10:00:00"))
    assert built(project.run(), "shop_day") == ["2026-02-01"]
    assert project.rows("select count(*) from operations.run") == [(runs[0][0] + 1,)]


def test_a_kill_while_the_index_is_made_again_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = _history(tmp_path)
    before = _index(project)
    for written in range(len(OF_RECEIPTS)):
        shutil.rmtree(tmp_path / "operations" / "input", ignore_errors=True)
        append = Index._append
        left = [written]

        def dying(self: Index, *arguments: object, append: Any = append, left: list[int] = left) -> None:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            append(self, *arguments)

        monkeypatch.setattr(Index, "_append", dying)
        with pytest.raises(KeyboardInterrupt):
            project.run()
        monkeypatch.undo()
        assert project.run().receipts == []
        assert _index(project) == before


def test_what_a_commit_read_is_a_table(tmp_path: Path) -> None:
    project = _history(tmp_path)
    assert project.rows(
        "select version, input, input_version from operations.input "
        "where dataset = 'exploitation.shop_day' order by all"
    ) == [
        (0, "formatted.sale", 0),
        (0, "formatted.visit", 0),
        (1, "formatted.sale", 1),
        (1, "formatted.visit", 0),
        (2, "formatted.sale", 2),
        (2, "formatted.visit", 0),
    ]
    # Which windows were computed from an old version of a table?
    assert project.rows(
        "select w.window_start::date::text from operations.window as w "
        "join operations.input as i using (dataset, version) "
        "where i.input = 'formatted.sale' and i.input_version = 0 order by 1"
    ) == [("2026-02-01",), ("2026-02-02",)]
    shown = json.loads(
        finished(tmp_path, "history", "exploitation.shop_day", "-f", "json")[1].splitlines()[0]
    )
    assert shown["inputs"] == ["formatted.sale@2", "formatted.visit@0"]


def test_a_project_that_has_only_landed_has_all_tables_of_the_index(tmp_path: Path) -> None:
    project = TinyProject(tmp_path)
    project.sales("a.csv", (1, "x", 1, "2026-02-01T10:00:00"))
    assert project.run(land_only=[]).ok
    assert {name: len(rows) for name, rows in _index(project).items()} == {
        "change": 0, "input": 0, "window": 0, "batch": 0, "receipt": 2,
    }  # fmt: skip
    status, output, _ = finished(tmp_path, "history", "landing.batch", "-f", "json")
    assert (status, [json.loads(line)["inputs"] for line in output.splitlines()]) == (0, [[], []])


def test_the_index_stays_small(tmp_path: Path) -> None:
    project = TinyProject(tmp_path)
    assert project.run().ok
    opened = project.open()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with opened.database("test") as database:
        index = Index(project.lake, database, opened.scratch("test"))
        for number in range(50):
            index.add_run(Ran(str(number), now, "done", [], [], []).row())
            index.write()
    assert len(project.lake.read("operations.run").files) <= MANY_PIECES
    assert project.rows("select count(distinct run_id) from operations.run") == [(51,)]
    assert project.run().receipts == []


@pytest.mark.parametrize("lost", ["formatted/sale", "exploitation/shop_day"])
def test_a_lost_table_is_computed_again_and_what_comes_after_reaches_its_readers(
    lost: str, tmp_path: Path
) -> None:
    project, other = _history(tmp_path / "one"), _history(tmp_path / "other")
    before = contents(project.root)
    shutil.rmtree(project.root / lost)
    assert project.run().ok
    assert contents(project.root) == before
    assert project.run().receipts == []
    indexed = dict(project.rows("select dataset, max(version) from operations.receipt group by 1"))
    versions = {name: at for name, at in project.versions().items() if not name.startswith("operations.")}
    assert indexed == versions
    for each in (project, other):
        each.sales("late.csv", (9, "x", 5, "2026-02-01T09:00:00"))
        assert "2026-02-01" in built(each.run(), "shop_day")
    assert contents(project.root) == contents(other.root)
