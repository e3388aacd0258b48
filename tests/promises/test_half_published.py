"""A run that dies between the bad rows of a source and its good ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from backbone.dataset import Receipt
from backbone.formatted import format as formatting
from backbone.repair.check import check
from clock import Clock
from projects import TinyProject, accounts, contents, run_command

LOOSE, STRICT = "ge=0", "ge=7"


class Died(KeyboardInterrupt):
    """Ends a run where it is, as a killed process would."""


def bound(project: TinyProject, lowest: str) -> None:
    """Have the contract of a sale ask for another lowest amount."""
    module = project.root / f"{project.module}.py"
    text = module.read_text(encoding="utf-8")
    for other in (LOOSE, STRICT):
        text = text.replace(
            f"amount: Annotated[int, Field({other})]", f"amount: Annotated[int, Field({lowest})]"
        )
    module.write_text(text, encoding="utf-8")


def die_before(monkeypatch: pytest.MonkeyPatch, project: TinyProject, zone: str) -> None:
    """Run until rows are to be replaced in a zone."""
    put = formatting._Publishing._put

    def dying(self: formatting._Publishing, of: str, *rest: object) -> Receipt:
        if of == zone and self.source.name == "sale":
            raise Died
        return put(self, of, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(formatting._Publishing, "_put", dying)
        with pytest.raises(KeyboardInterrupt):
            project.run()


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> TinyProject:
    project = TinyProject(tmp_path / "project")
    for run in range(2):
        day = f"2026-02-0{run + 1}T10:00:00"
        project.sales(f"{run}.csv", (run, "a", 5, day), (9, "b", 8 + run, day), (20 + run, "c", -1, day))
        assert project.run().ok
    return project


@pytest.mark.parametrize("zone", ["duplicate", "formatted"])
def test_it_is_no_damage(project: TinyProject, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project.sales("2.csv", (9, "b", 1, "2026-02-03T10:00:00"), (30, "c", -1, "2026-02-03T10:00:00"))
    die_before(monkeypatch, project, zone)
    assert check(project.open(), deep=True).findings == []
    code, out, _ = run_command(project.root, "status")
    assert (code, "differ" in out) == (0, False)
    assert [receipt.dataset for receipt in project.run().receipts] == [
        "formatted.sale",
        "exploitation.shop_day",
    ]
    assert accounts(project.root)["sale"] == (8, 3, 3, 2)


@pytest.mark.parametrize("years", [0, 10, -10])
@pytest.mark.parametrize("zone", ["duplicate", "formatted"])
def test_what_was_changed_back_is_formatted_again(
    project: TinyProject, zone: str, years: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(project.root), accounts(project.root)
    bound(project, STRICT)
    clock = Clock(monkeypatch)
    clock.set(years)
    die_before(monkeypatch, project, zone)
    assert contents(project.root) != before[0]
    bound(project, LOOSE)
    die_before(monkeypatch, project, "duplicate")
    clock.set(0)
    assert project.run().ok
    assert (contents(project.root), accounts(project.root)) == before


@pytest.mark.parametrize("years", [0, 10, -10])
def test_rows_that_won_again_leave_the_duplicates(
    project: TinyProject, years: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    clock.set(years)
    with monkeypatch.context() as patch:
        patch.setattr(formatting, "remove_revived", lambda *_: (_ for _ in ()).throw(Died()))
        project.sales("1.csv", (1, "a", 5, "2026-02-02T10:00:00"))
        with pytest.raises(KeyboardInterrupt):
            project.run()
    assert len(contents(project.root)["duplicate.sale"]) == 1
    clock.set(0)
    assert project.run().ok
    assert contents(project.root)["duplicate.sale"] == []
    assert accounts(project.root)["sale"] == (4, 3, 1, 0)
    assert project.run().receipts == []
