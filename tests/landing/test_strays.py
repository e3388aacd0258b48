"""What is in the landing folders and belongs to no source is named and passed over."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backbone.dataset import Receipt
from backbone.landing.persistent import ARRIVAL
from backbone.runner import RunResult
from conftest import GOOD, HEADER, Trial

OTHER = HEADER + "9,bun,1.00,2026-01-05 08:00:00\n"


def warnings(result: RunResult) -> list[str]:
    """All warnings of a run; a receipt has them where something was landed."""
    return [*result.warnings, *(w for r in result.receipts for w in r.warnings)]


def later(trial: Trial, by: timedelta = timedelta(microseconds=5)) -> Path:
    """The folder of an arrival after all that are recorded, as a run that died leaves it."""
    arrivals = [b.arrived_at for b in trial.batches()]
    return trial.persistent / (max(arrivals, default=datetime.now(UTC)) + by).strftime(ARRIVAL)


STRAYS = {
    "a file beside the sources": "../notes.txt",
    "what the Finder leaves": "../.DS_Store",
    "a folder of no source": "../nobody/2026-11-29T000000.000000Z/a.csv",
    "a file in the source's folder": "a.csv",
    "what the Finder leaves there": ".DS_Store",
    "a folder whose name is no time": "backup/a.csv",
    "a time that is none": "2999-02-30T000000.000000Z/a.csv",
    "a time with less digits": "2026-11-29T000000.1Z/a.csv",
    "a name after all times": "zzz/a.csv",
    "a name as long as a time": "zzzz-zz-zzTzzzzzz.zzzzzzZ/a.csv",
    "an arrival in years": "2999-01-01T000000.000000Z/a.csv",
}


@pytest.mark.parametrize("place", STRAYS.values(), ids=STRAYS)
@pytest.mark.parametrize("new", [True, False], ids=["new", "landed before"])
def test_a_stray_is_named_and_passed_over(trial: Trial, place: str, new: bool) -> None:
    if not new:
        trial.drop(GOOD)
        trial.run_well()
    stray = trial.write(trial.persistent / place, OTHER)
    trial.drop(GOOD)
    named = Path("landing/persistent/sale") / place
    top = named.parent if named.suffix == ".csv" and named.parent.name != "sale" else named
    text = str(top).replace("/sale/..", "").removesuffix("/2026-11-29T000000.000000Z")
    for _ in range(2):
        found = warnings(trial.run_well())
        assert found == [
            f"passed over in persistent landing, as no run put it there: {text}; move it elsewhere, and what "
            "should be landed into landing/temporal/SOURCE"
        ]
        assert stray.read_text() == OTHER
        assert trial.formatted() == [1, 2, 3]
    assert {b.name for b in trial.batches()} == {"sales.csv"}


@pytest.mark.parametrize("stray", [".DS_Store", "b.csv~", "b.csv.bak", "#b.csv#", ".b.csv.swp", "b.csv.tmp"])
def test_what_a_dead_run_left_is_adopted_without_what_an_editor_put_beside_it(
    trial: Trial, stray: str
) -> None:
    trial.drop(GOOD)
    trial.run_well()
    folder = later(trial)
    trial.write(folder / "b.csv", OTHER)
    trial.write(folder / stray, OTHER.replace("9,", "10,"))
    trial.write(folder / "c.csv.part", b"half")
    (named,) = warnings(trial.run_well())
    assert f"{folder.name}/{stray};" in named
    assert trial.formatted() == [1, 2, 3, 9]
    assert not (folder / "c.csv.part").exists()
    assert warnings(trial.run_well()) == []


def test_a_delivery_may_have_the_name_of_a_backup(trial: Trial) -> None:
    trial.write(later(trial) / "sales.csv.bak", OTHER)
    assert warnings(trial.run_well()) == []
    assert trial.formatted() == [9]


def test_a_link_in_persistent_landing_is_a_stray(trial: Trial, tmp_path: Path) -> None:
    later(trial).parent.mkdir(parents=True)
    later(trial).symlink_to(trial.write(tmp_path / "x" / "a.csv", OTHER).parent)
    assert len(warnings(trial.run_well())) == 1
    assert trial.formatted() == []


def test_many_strays_are_one_warning(trial: Trial) -> None:
    for n in range(25):
        trial.write(trial.persistent / f"note {n:02}.txt", "x")
    (text,) = warnings(trial.run_well())
    assert "note 00.txt, " in text
    assert "note 09.txt and 15 more;" in text


def test_a_warning_is_printed_and_is_no_failure(trial: Trial) -> None:
    trial.write(trial.root / "landing" / "persistent" / "notes.txt", "x")
    ended = trial.command("run")
    assert ended.status == 0
    assert (
        "Warning: passed over in persistent landing, as no run put it there: landing/persistent/notes.txt"
        in (ended.errors)
    )


def test_the_receipt_has_the_warnings_of_a_run_that_lands(trial: Trial) -> None:
    trial.drop(GOOD)
    trial.write(trial.root / "landing" / "persistent" / "notes.txt", "x")
    trial.run_well()
    [(found,)] = trial.rows("select warnings from operations.receipt where len(warnings) > 0")
    assert "notes.txt" in str(found)


def test_what_is_dropped_for_no_source_is_named(trial: Trial) -> None:
    trial.write(trial.root / "landing" / "temporal" / "sales" / "2026" / "a.csv", GOOD)
    trial.write(trial.root / "landing" / "temporal" / "b.csv", GOOD)
    (trial.root / "landing" / "temporal" / "empty").mkdir()
    (text,) = warnings(trial.run_well())
    assert text == (
        "not taken, as it is in the folder of no source: landing/temporal/b.csv, landing/temporal/sales; the "
        "project's sources are sale, and a file is dropped into landing/temporal/SOURCE"
    )


def test_arrivals_that_are_recorded_are_not_looked_into(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(5):
        trial.drop(GOOD, f"{n}.csv")
    trial.run_well()
    scandir, seen = os.scandir, []

    def watched(path: str | Path | int = ".") -> object:
        seen.append(Path(str(path)))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", watched)
    trial.run_well()
    assert [p for p in seen if trial.persistent in p.parents] == []


def test_listing_ten_thousand_arrivals_is_fast(trial: Trial) -> None:
    from backbone.landing.persistent import PersistentLanding
    from backbone.ledger.manifest import Manifest

    trial.drop(GOOD)
    trial.run_well()
    first = trial.batches()[0].arrived_at
    for n in range(1, 10_000):
        (trial.persistent / (first - timedelta(microseconds=n)).strftime(ARRIVAL)).mkdir()
    landing = PersistentLanding(trial.root, Manifest(tuple(trial.batches())))
    started = time.perf_counter()
    assert list(landing.unrecorded(["sale"])) == []
    assert landing.strays == []
    assert time.perf_counter() - started < 1


def test_a_receipt_without_warnings_reads_as_before() -> None:
    receipt = Receipt(run_id="r", stage="land", dataset="landing.batch", fingerprint="")
    assert Receipt.from_json(receipt.to_json()).warnings == ()
