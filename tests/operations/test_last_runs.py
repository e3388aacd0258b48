"""`status` shows what failed in the last runs, and what landing warned of."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from backbone.ledger.tables import columns
from backbone.operations import last_runs as module
from backbone.operations.last_runs import last_runs
from projects import TinyProject, run_command

SALE = (1, "x", 1, "2026-02-01T10:00:00")
WRONG = '\n[sources.sale]\ncolumns = { shop = "shup" }\n'


@pytest.fixture
def project(tmp_path: Path) -> TinyProject:
    made = TinyProject(tmp_path)
    made.sales("a.csv", SALE)
    assert made.run().ok
    return made


def status(project: TinyProject) -> dict[str, Any]:
    """What `status` shows, which has to be the same in both its forms."""
    found: dict[str, Any] = json.loads(run_command(project.root, "status", "-f", "json")[1])
    code, output, errors = run_command(project.root, "status")
    assert (code, errors) == (0, "")
    for failed in found["failures"]:
        assert f"{failed['at'][:16]}  Failed: {failed['error']}\n" in output
    assert output.count("  Failed: ") == len(found["failures"])
    for warned in found["warnings"]:
        for text in warned["warnings"]:
            assert f"{warned['at'][:16]}  Warning: {warned['dataset']}: {text}\n" in output
    return found


def failures(project: TinyProject) -> list[str]:
    return [failed["error"] for failed in status(project)["failures"]]


def warnings(project: TinyProject) -> list[tuple[str, list[str]]]:
    return [(warned["dataset"], warned["warnings"]) for warned in status(project)["warnings"]]


def test_a_source_that_can_not_be_republished_is_shown_with_the_way_out(project: TinyProject) -> None:
    assert failures(project) == []
    toml = project.root / "backbone.toml"
    plain = toml.read_text()
    toml.write_text(plain + WRONG)
    assert not project.run().ok
    (failed,) = failures(project)
    assert failed.startswith(
        "formatted.sale: the only file in the table can't be formatted under the current"
    )
    assert "expected the column 'shup'" in failed
    assert "backbone run --accept-loss sale" in failed
    assert run_command(project.root, "land")[0] == 0
    assert failures(project) == [failed], "landing formats nothing"
    toml.write_text(plain)
    assert project.run().receipts == []
    assert failures(project) == []
    runs = project.rows("select count(*) from operations.run")
    assert project.run().ok
    assert project.rows("select count(*) from operations.run") == runs, "nothing new is to be said"


def test_a_refused_file_is_shown_until_a_good_one_of_its_name_comes(project: TinyProject) -> None:
    project.drop("sale", "b.csv", ["%PDF-1.7"])
    assert not project.run().ok
    (failed,) = failures(project)
    assert "(b.csv): expected a table as text" in failed
    assert "have the table itself delivered under the same name" in failed
    assert [s["unformatted"] for s in status(project)["sources"]] == [1, 0]
    project.sales("b.csv", (2, "y", 1, "2026-02-01T10:00:00"))
    assert project.run().ok
    assert failures(project) == []
    assert [s["unformatted"] for s in status(project)["sources"]] == [0, 0]


def test_a_file_that_is_not_taken_is_shown_until_it_is_gone(project: TinyProject) -> None:
    path = os.fsencode(project.root / "landing" / "temporal" / "sale") + b"/\xff.csv"
    Path(os.fsdecode(path)).write_text("a\n")
    assert run_command(project.root, "land")[0] == 1
    (failed,) = failures(project)
    assert "expected a file name in UTF-8" in failed
    assert not project.run().ok
    assert failures(project) == [failed], "shown once"
    Path(os.fsdecode(path)).unlink()
    assert project.run().receipts == []
    assert failures(project) == []


def test_what_landing_warns_of_without_landing_anything_is_shown(project: TinyProject) -> None:
    stray = project.root / "landing" / "temporal" / "nobody"
    stray.mkdir()
    (stray / "a.csv").write_text("a\n")
    result = project.run()
    assert len(result.warnings) == 1
    assert result.receipts == []
    assert warnings(project) == [("landing", result.warnings)]
    project.sales("b.csv", (2, "x", 1, "2026-02-01T10:00:00"))
    assert project.run().warnings == []
    assert warnings(project) == [("landing.batch", result.warnings)], "the receipt has it now"
    assert project.run().warnings == result.warnings
    assert warnings(project) == [("landing", result.warnings)], "shown once"
    (stray / "a.csv").unlink()
    stray.rmdir()
    assert project.run().warnings == []
    assert [dataset for dataset, _ in warnings(project)] == ["landing.batch"]


def test_runs_recorded_without_warnings_say_nothing(
    project: TinyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = project.open()
    with opened.database("test") as database:
        assert len(last_runs(project.lake, database, ["tiny"])) == 1
        assert len(last_runs(project.lake, database, ["other"])) == 1
        monkeypatch.setattr(module, "columns", lambda table: columns(table)[:-1])
        assert last_runs(project.lake, database, ["tiny"]) == []
