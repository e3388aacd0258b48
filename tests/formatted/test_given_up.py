"""A file that can't be formatted can be given up: runs go on without it, and a good one takes its place."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from conftest import GOOD, HEADER, ONE, SALE, THREE, TWO, Trial

TILL = f"{SALE.rstrip()}\n    till: int\n"
WITH_TILL = HEADER.replace("\n", ",till\n") + ONE.replace("\n", ",7\n")


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as files:
        files.writestr("sales.csv", GOOD)
    return out.getvalue()


BAD: dict[str, str | bytes] = {
    "an archive": archive(),
    "a page": "<!doctype html><html><p>sign in</p></html>",
    "a header of another table": "a,b\n1,2\n",
    "nothing": b"",
}


def states(trial: Trial) -> tuple[int, int]:
    """How many files are not formatted, and given up; `status` shows the same in both its forms."""
    (source,) = json.loads(trial.command("status", "-f", "json").output)["sources"]
    unformatted, given_up = source["unformatted"], source["given_up"]
    shown = trial.command("status").output
    for count, state in ((unformatted, "not formatted"), (given_up, "given up")):
        assert (f"{count} {state}" in shown) == (count > 0)
        assert (state in shown.split("\n\n")[0]) == (count > 0)
    return unformatted, given_up


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_a_new_file_is_given_up_and_replaced_by_a_good_one(trial: Trial, data: str | bytes) -> None:
    trial.drop(HEADER + ONE, "good.csv")
    trial.drop(data, "bad.csv")
    for _ in range(2):
        ended = trial.command("run")
        assert ended.status == 1
        assert "; or give it up: backbone run --accept-loss sale" in ended.errors
        assert states(trial) == (1, 0)
    ended = trial.command("run", "--accept-loss", "sale")
    assert ended.status == 0
    bad = next(b for b in trial.batches() if b.name == "bad.csv")
    assert f"published without bad.csv (batch {bad.batch}, never formatted): expected" in ended.errors
    for _ in range(2):
        ended = trial.command("run")
        assert (ended.status, ended.output) == (0, "Nothing is stale.\n")
        assert states(trial) == (0, 1)
        assert trial.command("plan").output == "Nothing to do.\n"
    trial.drop(data, "bad.csv", age_s=30)
    trial.run_well()
    assert states(trial) == (0, 1), "the same bytes again are no new version"
    trial.drop(HEADER + TWO, "bad.csv", age_s=20)
    trial.run_well()
    assert trial.formatted() == [1, 2]
    assert states(trial) == (0, 0)


def test_a_new_version_is_given_up_and_the_one_before_stays(trial: Trial) -> None:
    trial.drop(HEADER + ONE, "a.csv")
    trial.run_well()
    for age, data in ((30, archive()), (20, "a,b\n1,2\n")):  # a second broken one is its own fault
        trial.drop(data, "a.csv", age_s=age)
        assert trial.command("run").status == 1
        assert states(trial) == (1, 0)
        ended = trial.command("run", "--accept-loss", "sale")
        assert ended.status == 0
        assert ended.errors.count("published without a.csv") == 1
        assert "never formatted; the version before it stays): expected" in ended.errors
        assert trial.formatted() == [1]
        assert trial.run_well().receipts == []
        assert states(trial) == (0, 1)
    trial.drop(HEADER + TWO, "a.csv", age_s=10)
    trial.run_well()
    assert trial.formatted() == [2]
    assert states(trial) == (0, 0)


def test_under_another_contract_it_is_tried_again_and_stays_given_up_if_it_fails(trial: Trial) -> None:
    trial.drop(HEADER + ONE, "a.csv")
    trial.drop(WITH_TILL.replace("item", "Item"), "b.csv")
    trial.drop(archive(), "c.csv")
    trial.run(accept_loss=["sale"])
    assert states(trial) == (0, 2)
    trial.settings('timezone = "Europe/Lisbon"')
    ended = trial.command("run")
    assert ended.status == 0
    assert ended.errors.count("published without") == 2
    assert trial.run_well().receipts == []
    assert states(trial) == (0, 2)
    trial.contract(f"{SALE.rstrip()}\n    till: int | None = None\n".replace("item", "Item"))
    trial.settings('columns = { Item = "Item" }')
    assert trial.command("run").status == 1, "a.csv, which is in the table, has no such column"
    assert trial.command("run", "--accept-loss", "sale").status == 0
    assert trial.formatted("Item, till") == [("tea", 7)]
    assert states(trial) == (0, 2)


def test_an_older_version_never_replaces_one_that_was_lost(trial: Trial) -> None:
    trial.drop(WITH_TILL, "a.csv")
    trial.drop(WITH_TILL, "b.csv")
    trial.run_well()
    trial.drop(HEADER + THREE, "a.csv", age_s=30)
    trial.run_well()
    trial.contract(TILL)
    assert trial.command("run", "--accept-loss", "sale").status == 0
    assert trial.formatted("sale_id, till") == [(1, 7)]
    for section in ("", 'timezone = "Europe/Lisbon"', 'timezone = "UTC"'):
        trial.settings(section).run_well()
        assert trial.formatted("sale_id, till") == [(1, 7)]
        assert states(trial) == (0, 1)
    trial.contract(SALE).run_well()
    assert trial.formatted() == [1, 3]
    assert states(trial) == (0, 0)


def test_under_append_each_version_is_given_up_by_itself(trial: Trial) -> None:
    trial.settings('redelivery = "append"')
    trial.drop(HEADER + ONE, "a.csv")
    trial.run_well()
    trial.drop(archive(), "a.csv", age_s=30)
    assert trial.command("run").status == 1
    assert trial.command("run", "--accept-loss", "sale").status == 0
    trial.drop(HEADER + TWO, "a.csv", age_s=20)
    trial.run_well()
    assert trial.formatted() == [1, 2]
    assert states(trial) == (0, 1)


def test_what_was_given_up_does_not_stop_other_sources_of_a_later_failure(trial: Trial) -> None:
    """A file that fails later is a failure, though another was given up."""
    trial.drop(archive(), "a.csv")
    trial.run(accept_loss=["sale"])
    trial.drop(archive(), "b.csv")
    trial.drop(HEADER + ONE, "c.csv")
    ended = trial.command("run")
    assert ended.status == 1
    assert "b.csv" in ended.errors
    assert "a.csv" not in ended.errors
    assert trial.formatted() == [1]
    assert states(trial) == (1, 1)


def test_the_plan_says_what_failed_in_the_last_run_and_the_way_out(trial: Trial) -> None:
    trial.drop(HEADER + ONE, "a.csv")
    trial.drop(archive(), "b.csv")
    trial.command("run")
    planned = trial.command("plan")
    assert "1 file, " in planned.output
    assert "failed in the last run" in planned.output
    assert "Note: formatted.sale: the last run refused b.csv. A run fails again, unless" in planned.errors
    assert "backbone run --accept-loss sale" in planned.errors
    assert trial.command("run", "--accept-loss", "sale").status == 0

    trial.settings('columns = { item = "itme" }')
    planned = trial.command("plan")
    assert "contract or settings" in planned.output
    assert "failed in the last run" not in planned.output, "no run has tried it"
    assert "Note" not in planned.errors
    assert trial.command("run").status == 1
    for _ in range(2):
        planned = trial.command("plan")
        assert "failed in the last run" in planned.output
        assert "Note: formatted.sale: the last run published nothing of it, as files in the" in planned.errors
        assert "publish without these files: backbone run --accept-loss sale" in planned.errors
        (task,) = json.loads(trial.command("plan", "--json").output)["tasks"]
        assert len(task["parts"][0]["notes"]) == 1
        assert trial.command("run").status == 1
    trial.settings("")
    assert trial.command("plan").output == "Nothing to do.\n"
    trial.run_well()
    trial.settings('timezone = "Europe/Lisbon"')
    assert "failed in the last run" not in trial.command("plan").output
