"""A contract or setting that files in the table can't meet leaves the table as it was, until it is mended."""

from __future__ import annotations

from typing import Any

import pytest

from backbone.formatted import format as format_module
from conftest import GOOD, HEADER, KEYED_SALE, ONE, SALE, THREE, TWO, Trial
from projects import TinyProject, contents

TILL = f"{SALE.rstrip()}\n    till: int\n"
WITH_TILL = "sale_id,item,price,sold_at,till\n9,tea,2.50,2026-01-03 08:00:00,7\n"
TYPO = 'columns = { item = "itme" }'


def stored(trial: Trial) -> dict[str, list[tuple[object, ...]]]:
    """All rows of the source's tables."""
    lake = trial.open().lake
    zones = [z for z in ("formatted", "quarantine", "duplicate") if lake.exists(trial.table(z))]
    return {zone: trial.rows(f"select * from {trial.table(zone)} order by all") for zone in zones}


def test_a_typo_in_a_setting_leaves_the_table_as_it_was(trial: Trial) -> None:
    trial.drop(HEADER + ONE + TWO.replace("3.25", "-1"), "a.csv")
    trial.drop(HEADER + THREE, "b.csv")
    trial.run_well()
    before, versions = stored(trial), trial.versions()
    trial.settings(TYPO)
    trial.drop(GOOD.replace("item", "itme"), "new.csv")
    for _ in range(2):
        ended = trial.command("run")
        assert ended.status == 1
        assert "NotRepublished: formatted.sale: 2 of the 2 files in the table" in ended.errors
        assert f"a.csv (batch {trial.batches()[0].batch}, 2 rows): expected the column 'itme'" in ended.errors
        assert "b.csv" in ended.errors
        assert "new.csv" not in ended.errors
        assert "its tables stay as they were, and new files wait" in ended.errors
        assert "mend [sources.sale] in backbone.toml" in ended.errors
        assert "make the field optional" in ended.errors
        assert "backbone run --accept-loss sale" in ended.errors
        assert stored(trial) == before
        now = trial.versions()
        assert {n: v for n, v in now.items() if n != "landing.batch"} == {
            n: v for n, v in versions.items() if n != "landing.batch"
        }
        assert trial.accounted() == (3, 2, 1, 0)
        assert trial.account().unformatted == 1
    trial.settings("")
    assert trial.command("run").status == 1, "the new file lacks the column, which is its fault alone"
    assert stored(trial) == before
    trial.drop(HEADER + "7,tea,1,2026-01-04\n", "new.csv")
    trial.run_well()
    assert trial.formatted() == [1, 3, 7]
    assert trial.accounted() == (4, 3, 1, 0)


def test_what_depends_on_the_source_is_not_run_and_others_are(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    project = TinyProject(tmp_path_factory.mktemp("project"))
    project.sales("a.csv", (1, "x", 5, "2026-02-01T10:00:00"))
    project.visits("a.csv", ("x", 5, "2026-02-01T10:00:00"))
    assert project.run().ok
    toml = project.root / "backbone.toml"
    plain = toml.read_text()
    toml.write_text(f'{plain}\n[sources.sale]\ncolumns = {{ shop = "shup" }}\n')
    project.visits("b.csv", ("y", 5, "2026-02-02T10:00:00"))
    result = project.run()
    assert {*result.failures} == {"formatted.sale"}
    assert result.stopped
    assert "formatted.visit" in [r.dataset for r in result.receipts]
    toml.write_text(plain)
    assert project.run().ok


def test_accepted_losses_are_listed_and_passed_over_from_then_on(trial: Trial) -> None:
    trial.drop(HEADER + ONE, "a.csv")
    trial.drop(HEADER + TWO + THREE, "b.csv")
    trial.drop(WITH_TILL, "c.csv")
    trial.run_well()
    trial.contract(TILL)
    assert trial.command("run").status == 1
    ended = trial.command("run", "--accept-loss", "sale")
    assert ended.status == 0
    first, second, _ = trial.batches()
    for batch, rows in ((first, "1 row"), (second, "2 rows")):
        told = (
            f"Warning: formatted.sale: published without {batch.name} (batch {batch.batch}, {rows}): expected"
        )
        assert told in ended.errors
    receipt = trial.open().lake.last_receipt("formatted.sale")
    assert receipt is not None
    assert [w.partition(" (")[0] for w in receipt.warnings] == [
        "published without a.csv",
        "published without b.csv",
    ]
    assert {*receipt.removed_batches} == {first.batch, second.batch}
    assert trial.formatted() == [9]
    for _ in range(2):
        assert trial.run_well().receipts == []
        assert trial.accounted() == (1, 1, 0, 0)
        assert trial.account().unformatted == 2
    trial.drop(WITH_TILL.replace("9,", "8,"), "d.csv")
    trial.run_well()
    assert trial.run_well().receipts == [], "also after another receipt"
    trial.drop(WITH_TILL.replace("9,", "1,"), "a.csv")
    trial.run_well()
    assert trial.formatted() == [1, 8, 9]
    assert trial.account().unformatted == 1
    trial.contract(SALE).run_well()
    assert trial.formatted() == [1, 2, 3, 8, 9], "under another contract they are tried again"


def test_a_new_file_that_is_refused_is_its_own_fault_alone(trial: Trial) -> None:
    trial.drop()
    trial.run_well()
    trial.drop(b"a,b\n1,2\n", "bad.csv")
    trial.drop(WITH_TILL, "c.csv")
    ended = trial.command("run")
    assert ended.status == 1
    assert "NotRepublished" not in ended.errors
    assert trial.formatted() == [1, 2, 3, 9]
    ended = trial.command("run", "--accept-loss", "sale")
    assert ended.status == 0
    assert "published without bad.csv" in ended.errors
    assert "never formatted" in ended.errors
    assert trial.run_well().receipts == []
    assert trial.account().unformatted == 1


def test_a_refused_new_version_leaves_the_one_before_under_a_changed_contract_too(trial: Trial) -> None:
    trial.drop(WITH_TILL, "a.csv")
    trial.run_well()
    trial.drop(GOOD, "a.csv")
    trial.contract(TILL)
    ended = trial.command("run")
    assert ended.status == 1
    assert "NotRepublished" not in ended.errors
    assert trial.formatted("sale_id, till") == [(9, 7)]
    assert trial.command("run", "--accept-loss", "sale").status == 0
    assert trial.formatted("sale_id, till") == [(9, 7)]
    assert trial.run_well().receipts == []


def test_a_version_in_force_is_not_replaced_by_an_older_one(trial: Trial) -> None:
    trial.drop(WITH_TILL, "a.csv")
    trial.drop(WITH_TILL.replace("9,", "8,"), "b.csv")
    trial.run_well()
    trial.drop(GOOD, "a.csv")
    trial.run_well()
    trial.contract(TILL)
    assert trial.command("run").status == 1
    assert trial.formatted() == [1, 2, 3, 8]
    assert trial.command("run", "--accept-loss", "sale").status == 0
    assert trial.formatted() == [8]
    assert trial.run_well().receipts == []


def test_an_unknown_source_is_wrong_use(trial: Trial) -> None:
    trial.drop()
    ended = trial.command("run", "--accept-loss", "sole")
    assert ended.status == 2
    assert "source sole" in ended.errors
    assert trial.batches() == [], "nothing was landed"


def test_a_query_source_goes_on_without_some_of_its_windows(trial: Trial) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(trial.root / "shop.db")) as shop, shop:
        shop.execute("create table sale (sale_id integer, item text, price text, sold_at text)")
        shop.executemany(
            "insert into sale values (?, 'tea', '1', ?)", [(n, f"2026-01-0{n} 08:00:00") for n in (1, 2, 3)]
        )
    trial.connections = '[connections.shop]\nurl = "sqlite:///shop.db"\n'
    query = "select * from sale where sold_at >= $window_start and sold_at < $window_end"
    section = f'connection = "shop"\nquery = "{query}"\nstart = 2026-01-01\nend = 2026-01-04\n'
    trial.settings(section).run_well()
    assert trial.formatted() == [1, 2, 3]
    trial.contract(TILL)
    ended = trial.command("run")
    assert ended.status == 1
    assert "3 of the 3 files in the table" in ended.errors
    assert trial.command("run", "--accept-loss", "sale").status == 0
    assert trial.formatted() == []
    assert trial.run_well().receipts == []


def test_a_contract_that_is_taken_back_after_a_run_died_gives_what_was_there(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows of the other contract that the run had put into quarantine and duplicates are replaced."""
    trial.contract(KEYED_SALE)
    trial.drop(HEADER + ONE + TWO.replace("3.25", "-1"), "a.csv")
    trial.drop(HEADER + ONE + THREE, "b.csv")
    trial.drop(WITH_TILL, "c.csv")
    trial.run_well()
    before = contents(trial.root)
    assert all(before[f"{zone}.sale"] for zone in ("quarantine", "duplicate"))
    trial.contract(f"{KEYED_SALE.rstrip()}\n    till: int\n")
    put = format_module._Publishing._put

    def dies(this: format_module._Publishing, zone: str, *rest: Any) -> Any:
        if zone == "formatted":
            raise KeyboardInterrupt
        return put(this, zone, *rest)

    monkeypatch.setattr(format_module._Publishing, "_put", dies)
    with pytest.raises(KeyboardInterrupt):
        trial.run(accept_loss=["sale"])
    monkeypatch.undo()
    assert contents(trial.root)["quarantine.sale"] != before["quarantine.sale"]
    trial.contract(KEYED_SALE).run_well()
    assert contents(trial.root) == before
    trial.account()
    assert trial.run_well().receipts == []
