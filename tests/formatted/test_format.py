"""Batches come, are corrected, refused and formatted again; the accounts hold throughout."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import GOOD, HEADER, ONE, SALE, THREE, TWO, Trial

LOOSE = SALE.replace("ge=0, ", "")
REFUND = HEADER + ONE + TWO.replace("3.25", "-3.25") + THREE


def persisted(trial: Trial) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in trial.persistent.rglob("*") if path.is_file()}


def test_a_corrected_contract_brings_back_what_was_turned_away(trial: Trial) -> None:
    trial.drop(REFUND)
    trial.drop(GOOD, "more.csv")
    trial.run_well()
    assert trial.accounted() == (6, 5, 1, 0)
    before = persisted(trial)
    trial.contract(LOOSE).run_well()
    assert trial.accounted() == (6, 6, 0, 0)
    assert trial.quarantined() == []
    trial.contract(SALE).run_well()
    assert trial.accounted() == (6, 5, 1, 0)
    assert [line for line, *_ in trial.quarantined()] == [3]
    assert persisted(trial) == before
    assert trial.run_well().receipts == []


def test_a_description_changes_no_row(trial: Trial) -> None:
    trial.drop()
    trial.run_well()
    trial.contract(SALE.replace("ge=0, ", "ge=0, description='in GBP', ").replace("Something", "A thing"))
    assert trial.run_well().receipts == []


def test_a_column_may_be_added_and_taken_away(trial: Trial) -> None:
    trial.drop("sale_id,item,price,sold_at,till\n1,tea,2.5,2026-01-01,7\n2,tea,2.5,2026-01-01,x\n")
    trial.drop(HEADER + THREE, "old.csv")
    trial.run_well()
    assert trial.accounted() == (3, 3, 0, 0)
    trial.contract(f"{SALE.rstrip()}\n    till: int | None = None\n").run_well()
    assert trial.formatted("sale_id, till") == [(1, 7), (3, None)]
    assert trial.accounted() == (3, 2, 1, 0)
    trial.contract(f"{SALE.rstrip()}\n    till: str | None = None\n").run_well()
    assert trial.formatted("sale_id, till") == [(1, "7"), (2, "x"), (3, None)]
    trial.contract(SALE).run_well()
    assert trial.formatted("* exclude (_batch, _row, _line)")[0][:2] == (1, "tea")
    assert len(trial.formatted("* exclude (_batch, _row, _line)")[0]) == 4
    assert trial.accounted() == (3, 3, 0, 0)


def test_a_column_that_old_files_lack_is_told_and_undone(trial: Trial) -> None:
    trial.drop()
    trial.run_well()
    trial.contract(f"{SALE.rstrip()}\n    till: int\n")
    ended = trial.command("run")
    assert ended.status == 1
    assert "expected the column 'till'" in ended.errors
    assert trial.formatted() == [1, 2, 3], "the table stays as it was"
    assert trial.accounted() == (3, 3, 0, 0)
    trial.contract(SALE).run_well()
    assert trial.formatted() == [1, 2, 3]
    assert trial.accounted() == (3, 3, 0, 0)


@pytest.mark.parametrize("bad", [b"", b"a,b\n1,2\n", "sale_id,\xe4".encode("utf-16")])
def test_a_refused_version_leaves_the_one_before_it_in_force(trial: Trial, bad: bytes) -> None:
    trial.drop()
    trial.run_well()
    versions = trial.versions()
    trial.drop(bad)
    for _ in range(2):
        assert trial.command("run").status == 1
        assert trial.formatted() == [1, 2, 3]
        assert trial.accounted() == (3, 3, 0, 0)
        assert trial.account().unformatted == 1
        assert trial.versions()["formatted.sale"] == versions["formatted.sale"]
    trial.contract(LOOSE)
    assert trial.command("run").status == 1
    assert trial.accounted() == (3, 3, 0, 0)
    trial.drop(HEADER + ONE)
    trial.run_well()
    assert trial.formatted() == [1]
    assert trial.account().unformatted == 0


def test_one_refused_file_keeps_no_other_from_being_formatted(trial: Trial) -> None:
    trial.drop(b"", "a.csv")
    trial.drop(GOOD, "b.csv")
    assert trial.command("run").status == 1
    assert trial.formatted() == [1, 2, 3]


def test_a_file_missing_from_persistent_landing_is_told(trial: Trial) -> None:
    trial.drop()
    trial.run_well()
    (batch,) = trial.batches()
    data = (trial.root / batch.path).read_bytes()
    (trial.root / batch.path).unlink()
    assert trial.run_well().receipts == [], "it has been formatted"
    trial.contract(LOOSE)
    ended = trial.command("run")
    assert ended.status == 1
    assert f"found none at {batch.path}" in ended.errors
    assert "restore the file" in ended.errors
    (trial.root / batch.path).write_bytes(data)
    trial.run_well()
    assert trial.accounted() == (3, 3, 0, 0)


def test_a_version_takes_its_quarantined_rows_with_it(trial: Trial) -> None:
    trial.drop(REFUND)
    trial.run_well()
    trial.drop(GOOD)
    trial.run_well()
    assert trial.quarantined() == []
    assert trial.accounted() == (3, 3, 0, 0)
    trial.drop(HEADER + "x,,,\n")
    trial.run_well()
    assert trial.accounted() == (1, 0, 1, 0)


def test_every_row_may_go(trial: Trial) -> None:
    trial.drop()
    trial.run_well()
    trial.drop(HEADER)
    trial.run_well()
    assert trial.formatted() == []
    assert trial.accounted() == (0, 0, 0, 0)
    trial.drop(GOOD)
    trial.run_well()
    assert trial.formatted() == [1, 2, 3]


@pytest.mark.parametrize(
    ("section", "data"),
    [
        ('delimiter = ";"', GOOD.replace(",", ";").replace("tea", "tea,with")),
        ("skip = 1", "a note\n" + GOOD),
        ('decimal_separator = ","', GOOD.replace(",", ";").replace(".", ",")),
        ('columns = { item = "artikel" }', GOOD.replace("item", "artikel")),
        ('datetime_format = "%d.%m.%Y %H:%M:%S"', GOOD.replace("2026-01-0", "0").replace(" ", ".01.2026 ")),
    ],
    ids=["delimiter", "skip", "decimal comma", "columns", "format of times"],
)
def test_a_corrected_setting_formats_again(trial: Trial, section: str, data: str) -> None:
    if "datetime" in section:
        lines = HEADER, *(f"{n},tea,1.00,0{n}.01.2026 08:00:00\n" for n in (1, 2, 3))
        data = "".join(lines)
    trial.drop(data)
    trial.run()
    trial.settings(section).run_well()
    assert trial.formatted() == [1, 2, 3]
    assert trial.accounted() == (3, 3, 0, 0)
