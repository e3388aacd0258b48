"""`status` shows what the runs last warned of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backbone.dataset import Receipt
from backbone.lake.publish import Staged, publish
from projects import TinyProject, run_command


def _commit(project: TinyProject, dataset: str, *warnings: str, replaces_all: bool = False) -> None:
    """A commit that changes no row, with warnings in its receipt."""
    version = project.lake.version(dataset) + 1
    schema = project.lake.open(dataset).to_pyarrow_table().schema
    receipt = Receipt("run", "format", dataset, "", warnings=warnings, replaces_all=replaces_all)
    staged = Staged((), 0, schema)
    assert (
        publish(project.lake, dataset, staged, receipt, transaction=("test", version), remove=[]) == version
    )


@pytest.fixture
def project(tmp_path: Path) -> TinyProject:
    made = TinyProject(tmp_path)
    made.sales("a.csv", (1, "x", 1, "2026-02-01T10:00:00"))
    assert made.run().ok
    return made


def _warnings(project: TinyProject) -> dict[str, list[str]]:
    """What `status` shows, which has to be the same in both its forms."""
    assert project.run().ok  # which stores what the commits say
    status, output, errors = run_command(project.root, "status")
    assert (status, errors) == (0, "")
    found = json.loads(run_command(project.root, "status", "-f", "json")[1])["warnings"]
    times = {warned["dataset"]: warned["at"][:16] for warned in found}
    shown = [line for line in output.splitlines() if "Warning: " in line]
    assert shown == [
        f"{times[warned['dataset']]}  Warning: {warned['dataset']}: {text}"
        for warned in found
        for text in warned["warnings"]
    ]
    assert times == {
        dataset: f"{at:%Y-%m-%d %H:%M}"
        for dataset, at in project.rows(
            "select dataset, max(committed_at) from operations.receipt where len(warnings) > 0 group by 1"
        )
        if dataset in times
    }
    return {warned["dataset"]: warned["warnings"] for warned in found}


def test_the_last_warnings_of_each_dataset_are_shown(project: TinyProject) -> None:
    assert _warnings(project) == {}
    _commit(project, "formatted.sale", "column a is ignored")
    _commit(project, "formatted.sale", "column b is ignored", "column c is missing")
    _commit(project, "formatted.visit", "one more")
    _commit(project, "formatted.sale")
    expected = {
        "formatted.sale": ["column b is ignored", "column c is missing"],
        "formatted.visit": ["one more"],
    }
    assert _warnings(project) == expected
    assert project.rows(
        "select warnings from operations.receipt where dataset = 'formatted.sale' "
        "order by version desc limit 2"
    ) == [([],), (["column b is ignored", "column c is missing"],)]


def test_a_table_that_is_made_again_has_no_warnings_of_before(project: TinyProject) -> None:
    _commit(project, "formatted.sale", "column a is ignored")
    assert _warnings(project) == {"formatted.sale": ["column a is ignored"]}
    _commit(project, "formatted.sale", replaces_all=True)
    assert _warnings(project) == {}
    _commit(project, "formatted.sale", "column b is ignored", replaces_all=True)
    assert _warnings(project) == {"formatted.sale": ["column b is ignored"]}


def test_a_warning_is_shown_as_it_is_written(project: TinyProject) -> None:
    text = f"[bold] {'long ' * 60}[/bold] \\"
    _commit(project, "formatted.sale", text)
    assert _warnings(project) == {"formatted.sale": [text]}
