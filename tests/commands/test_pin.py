"""`backbone pin` keeps versions, lists them and lets go of them; wrong use is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from projects import TinyProject, run_command


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> TinyProject:
    project = TinyProject(tmp_path / "project")
    for run in range(2):
        project.sales(f"{run}.csv", (run, "a", 1, "2026-02-01T10:00:00"))
        assert project.run().ok
    return project


def pinned(project: TinyProject) -> list[tuple[object, ...]]:
    return project.rows("select name, dataset, version from operations.pin order by all")


def test_versions_are_pinned_listed_and_let_go_of(project: TinyProject) -> None:
    root = project.root
    assert run_command(root, "pin") == (0, "Nothing is pinned.\n", "")
    done = run_command(root, "pin", "trial", "formatted.sale@0", "exploitation.shop_day")
    assert done == (0, "Pinned: exploitation.shop_day@1, formatted.sale@0.\n", "")
    assert run_command(root, "pin", "trial", "formatted.sale@0")[1] == "It is pinned already.\n"
    run_command(root, "pin", "other", "formatted.sale@0")
    expected = [("trial", "exploitation.shop_day", 1), ("trial", "formatted.sale", 0)]
    assert pinned(project) == [("other", "formatted.sale", 0), *expected]
    listed = run_command(root, "pin")[1].splitlines()
    assert listed[1].split()[:3] == ["trial", "exploitation.shop_day", "1"]
    assert len(listed) == 4
    assert (
        run_command(root, "pin", "--remove", "trial", "formatted.sale")[1] == "Removed: formatted.sale@0.\n"
    )
    assert run_command(root, "pin", "--remove", "other")[0] == 0
    assert pinned(project) == expected[:1]
    assert project.run().receipts == [], "nothing became stale"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("trial",), 2, "expected tables to pin as trial"),
        (("--remove",), 2, "expected the name of a pin"),
        (("trial", "formatted.sale@x"), 2, "formatted.sale@12"),
        (("trial", "formatted.sale@0", "formatted.sale@1"), 2, "formatted.sale twice"),
        (("a trial", "formatted.sale"), 2, "expected a name of letters"),
        (("trial", "formatted.nothing"), 1, "there is no such table"),
        (("trial", "../formatted.sale"), 1, "there is no such table"),
        (("trial", "formatted.sale@9"), 1, "expected version 9"),
        (("--remove", "nothing"), 1, "expected a pin of this name, found none; there are: none"),
    ],
)
def test_wrong_use_is_refused(
    project: TinyProject, arguments: tuple[str, ...], status: int, said: str
) -> None:
    found = run_command(project.root, "pin", *arguments)
    assert (found[0], found[1]) == (status, "")
    assert said in found[2]
    assert "Next: " in found[2]
    assert not project.lake.exists("operations.pin")
