"""The same bytes under another name are warned of, where the rows of both are in the table."""

from __future__ import annotations

from backbone.runner import RunResult
from conftest import GOOD, HEADER, Trial

OTHER = HEADER + "9,bun,1.00,2026-01-05 08:00:00\n"


def same_bytes(result: RunResult) -> list[str]:
    return [w for r in result.receipts for w in r.warnings if "same bytes" in w]


def test_the_same_bytes_under_another_name_are_warned_of_once(trial: Trial) -> None:
    trial.drop(GOOD, "a.csv")
    assert same_bytes(trial.run_well()) == []
    trial.drop(GOOD, "a (1).csv")
    trial.drop(OTHER, "b.csv")
    result = trial.run_well()
    assert same_bytes(result) == [
        "'a (1).csv' has the same bytes as 'a.csv', and the rows of both count. If it is one "
        "delivery, deliver one of the two with its header only, or give the contract a Key"
    ]
    assert trial.formatted() == [1, 1, 2, 2, 3, 3, 9]
    assert same_bytes(trial.run_well()) == []
    trial.drop(HEADER, "a (1).csv", age_s=30)  # as the warning says
    assert same_bytes(trial.run_well()) == []
    assert trial.formatted() == [1, 2, 3, 9]


def test_the_same_bytes_in_one_run_are_one_warning(trial: Trial) -> None:
    for name in ("a.csv", "b.csv", "c/a.csv"):
        trial.drop(GOOD, name)
    (text,) = same_bytes(trial.run_well())
    assert "'b.csv' (and 1 more) has the same bytes as 'a.csv'" in text


def test_versions_no_longer_current_and_tables_without_rows_are_not_compared(trial: Trial) -> None:
    trial.drop(GOOD, "a.csv")
    trial.run_well()
    trial.drop(OTHER, "a.csv", age_s=30)
    trial.drop(GOOD, "b.csv")
    trial.drop(HEADER, "empty 1.csv")
    trial.drop(HEADER, "empty 2.csv")
    assert same_bytes(trial.run_well()) == []


def test_under_append_nothing_can_be_taken_out(trial: Trial) -> None:
    trial.settings('redelivery = "append"')
    trial.drop(GOOD, "a.csv")
    trial.drop(GOOD, "b.csv")
    (text,) = same_bytes(trial.run_well())
    assert text.endswith("If it is one delivery, give the contract a Key")


def test_under_a_key_the_rows_of_one_are_duplicates(keyed: Trial) -> None:
    keyed.drop(GOOD, "a.csv")
    keyed.drop(GOOD, "b.csv")
    (text,) = same_bytes(keyed.run_well())
    assert text.endswith("as 'a.csv'; its rows are duplicates under the Key of the contract")
    assert keyed.accounted() == (6, 3, 0, 3)


def test_one_line_of_json_is_a_row(trial: Trial) -> None:
    line = '{"sale_id": 1, "item": "tea", "price": 2.5, "sold_at": "2026-01-01 08:00:00"}\n'
    trial.drop(line, "a.jsonl")
    trial.drop(line, "b.jsonl")
    assert len(same_bytes(trial.run_well())) == 1


def test_files_that_are_refused_are_not_warned_of(trial: Trial) -> None:
    trial.drop("a,b\n1,2\n", "a.csv")
    trial.drop("a,b\n1,2\n", "b.csv")
    trial.drop(GOOD, "good.csv")
    trial.drop(GOOD, "good.jsonl")
    ended = trial.command("run")
    assert ended.status == 1
    assert "same bytes" not in ended.errors
    assert trial.formatted() == [1, 2, 3]


def test_landing_says_nothing_before_the_rows_count(trial: Trial) -> None:
    trial.drop(GOOD, "a.csv")
    trial.drop(GOOD, "b.csv")
    assert "same bytes" not in trial.command("land").errors
    ended = trial.command("run")
    assert (
        "Warning: formatted.sale: 'b.csv' has the same bytes as 'a.csv', and the rows of both" in ended.errors
    )
    assert "Warning: formatted.sale: 'b.csv' has the same bytes as 'a.csv'" in trial.command("status").output


def test_a_version_in_force_behind_a_refused_one_counts(trial: Trial) -> None:
    trial.drop(GOOD, "a.csv")
    trial.run_well()
    trial.drop("a,b\n1,2\n", "a.csv", age_s=30)
    trial.drop(GOOD, "b.csv")
    assert len(same_bytes(trial.run())) == 1
    assert trial.formatted() == [1, 1, 2, 2, 3, 3]


def test_the_warning_comes_again_when_all_is_formatted_again(trial: Trial) -> None:
    """What was warned of a table before it was made again is shown no longer."""
    trial.drop(GOOD, "a.csv")
    trial.drop(GOOD, "b.csv")
    trial.run_well()
    trial.settings('timezone = "Europe/Lisbon"')
    assert len(same_bytes(trial.run_well())) == 1
    assert "same bytes" in trial.command("status").output
