"""Columns that are not read are said: once, by the file with which they come."""

from __future__ import annotations

import pytest

from backbone.dataset import Receipt
from conftest import HEADER, KEYED_SALE, SALE, Trial

OPTIONAL = f"{SALE.rstrip()}\n    note: str | None = None\n"
FULL = HEADER.replace("\n", ",note\n")


def rows(header: str, number: int) -> str:
    more = ",x" * (header.count(",") - 3)
    return f"{header}{number},tea,1.00,2026-01-0{number}{more}\n"


def last(trial: Trial) -> Receipt:
    receipt = trial.open().lake.last_receipt("formatted.sale")
    assert receipt is not None
    return receipt


@pytest.fixture
def noted(trial: Trial) -> Trial:
    return trial.contract(OPTIONAL)


def test_a_column_that_changes_its_name_is_warned_of_once(noted: Trial) -> None:
    noted.drop(rows(FULL, 1), "1.csv")
    assert "Warning" not in noted.command("run").errors
    noted.drop(rows(FULL.replace("note", "remark"), 2), "2.csv")
    ended = noted.command("run")
    assert ended.status == 0
    warning = (
        "unlike the file before it, 2.csv has the column 'remark', which no field uses, "
        "and lacks the column 'note', whose field is null"
    )
    assert ended.errors.count("Warning") == 1
    assert f"Warning: formatted.sale: {warning}\n" in ended.errors
    assert last(noted).warnings == (warning,)
    assert {"ignored column remark", "no column note, whose field is null"} <= {*last(noted).notes}
    assert noted.formatted("sale_id, note") == [(1, "x"), (2, None)]
    noted.drop(rows(FULL.replace("note", "remark"), 3), "3.csv")
    assert "Warning" not in noted.command("run").errors
    assert last(noted).warnings == ()
    noted.drop(rows(FULL, 4), "4.csv")
    assert "Warning" not in noted.command("run").errors, "all of it is read"
    noted.drop(rows(HEADER, 5), "5.csv")
    assert "5.csv lacks the column 'note'" in noted.command("run").errors


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_redelivery_without_a_column_says_how_many_values_go(noted: Trial, form: str) -> None:
    """Also where the file before it, which is another one, lacked the column too."""

    def deliver(name: str, number: int, note: bool) -> str:
        if form == "csv":
            noted.drop(rows(FULL if note else HEADER, number), name)
        else:
            more = ', "note": "x"' if note else ""
            record = (
                f'"sale_id": {number}, "item": "tea", "price": 1.00, "sold_at": "2026-01-0{number}"{more}'
            )
            noted.drop(f"{{{record}}}\n", name)
        ended = noted.command("run")
        assert ended.status == 0
        return ended.errors

    first, second = f"1.{form}", f"2.{form}"
    deliver(first, 1, note=True)
    deliver(second, 2, note=False)
    told = deliver(first, 1, note=False)
    assert (
        "Warning: formatted.sale: delivered again without the column 'note' that the version before had: "
        f"1 value is null now ({first} 1)\n"
    ) in told
    assert noted.formatted("sale_id, note") == [(1, None), (2, None)]
    assert "delivered again" not in deliver(first, 1, note=True)
    assert noted.formatted("sale_id, note") == [(1, "x"), (2, None)]


def test_a_redelivery_lacks_the_column_that_the_settings_of_its_file_name(noted: Trial) -> None:
    noted.settings('[[sources.sale.when]]\npath = "1*"\ncolumns = { note = "remark" }')
    old = rows(FULL.replace("note", "remark"), 1) + rows("", 2)[:-1] + ",\n"
    noted.drop(old, "1.csv")
    noted.drop(rows(FULL, 3), "3.csv")
    assert "Warning" not in noted.command("run").errors
    noted.drop(rows(HEADER, 1), "1.csv")
    noted.drop(rows(HEADER, 3), "3.csv")
    told = noted.command("run").errors
    for column, file in (("remark", "1.csv"), ("note", "3.csv")):
        assert (
            f"delivered again without the column {column!r} that the version before had: 1 value is null now "
            f"({file} 1)"
        ) in told


def test_what_the_first_file_has_is_noted_only(noted: Trial) -> None:
    noted.drop(rows(HEADER.replace("\n", ",till\n"), 1), "1.csv")
    assert "Warning" not in noted.command("run").errors
    assert last(noted).notes == ("ignored column till", "no column note, whose field is null")
    noted.drop(rows(HEADER.replace("\n", ",till\n"), 2), "2.csv")
    assert "Warning" not in noted.command("run").errors


def test_one_warning_for_all_files_of_a_run(noted: Trial) -> None:
    names = ["", ",a", ",a,b", ",a,b,c", ",a,b,c,d", ",a,b,c,d,e"]
    for number, name in enumerate(names, 1):
        noted.drop(rows(HEADER.replace("\n", f"{name}\n"), number), f"{number}.csv")
    ended = noted.command("run")
    assert ended.errors.count("Warning") == 1
    assert (
        "unlike the file before it, 2.csv has the column 'a', which no field uses; "
        "3.csv has the column 'b', which no field uses; 4.csv has the column 'c', which no field uses; "
        "2 more files differ too"
    ) in ended.errors


def test_keys_of_json_records_are_compared_too(noted: Trial) -> None:
    sale = '{"sale_id":%d,"item":"tea","price":"1","sold_at":"2026-01-02"%s}\n'
    noted.drop(sale % (1, ""), "1.jsonl")
    noted.run_well()
    noted.drop(sale % (2, ',"x":1') + sale % (3, ""), "2.jsonl")
    assert "2.jsonl has the column 'x', which no field uses" in noted.command("run").errors
    noted.drop(sale % (4, ',"x":null'), "3.jsonl")
    assert "Warning" not in noted.command("run").errors
    assert noted.formatted() == [1, 2, 3, 4]


def test_a_json_file_with_another_key_is_refused_where_asked(noted: Trial) -> None:
    noted.settings('extra_columns = "refuse"')
    sale = '{"sale_id":%d,"item":"tea","price":"1","sold_at":"2026-01-02"%s}\n'
    for number, more in ((1, ""), (2, ',"x":1'), (3, "")):
        noted.drop(sale % (number, more), f"{number}.jsonl")
    ended = noted.command("run")
    assert ended.status == 1
    assert "found the column 'x'" in ended.errors
    assert noted.formatted() == [1, 3]


def test_parquet_is_compared_too(noted: Trial) -> None:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    def file(**more: str) -> bytes:
        sink = io.BytesIO()
        table = {"sale_id": 1, "item": "tea", "price": "1", "sold_at": "2026-01-01"} | more
        pq.write_table(pa.table({name: [value] for name, value in table.items()}), sink)
        return sink.getvalue()

    noted.drop(file(note="x"), "1.parquet")
    noted.run_well()
    noted.drop(file(remark="x"), "2.parquet")
    assert "2.parquet has the column 'remark'" in noted.command("run").errors


def test_extra_columns_may_be_ignored(trial: Trial) -> None:
    trial.settings('extra_columns = "ignore"')
    for number, header in enumerate((HEADER, HEADER.replace("\n", ",till\n")), 1):
        trial.drop(rows(header, number), f"{number}.csv")
        assert "Warning" not in trial.command("run").errors
    assert last(trial).notes == ("ignored column till",)
    assert trial.formatted() == [1, 2]


def test_extra_columns_may_be_refused(trial: Trial) -> None:
    trial.drop(rows(HEADER, 1), "1.csv")
    trial.settings('extra_columns = "refuse"').run_well()
    trial.drop(rows(HEADER.replace("\n", ",till\n"), 2), "2.csv")
    trial.drop(rows(HEADER, 3), "3.csv")
    ended = trial.command("run")
    assert ended.status == 1
    assert "(2.csv): expected no column but those of the contract, found the column 'till'" in ended.errors
    assert trial.formatted() == [1, 3]
    trial.settings("").run_well()
    assert trial.formatted() == [1, 2, 3]
    trial.settings('extra_columns = "refuse"')
    assert "NotRepublished" in trial.command("run").errors
    assert trial.formatted() == [1, 2, 3]
    assert trial.settings('extra_columns = "no"').command("run").status == 2


def test_unnamed_columns_are_told_by_their_place(noted: Trial) -> None:
    noted.drop(rows(FULL, 1), "1.csv")
    noted.run_well()
    noted.drop(f",{FULL.replace('note', 'remark')}x,2,tea,1.00,2026-01-02,x\n", "2.csv")
    assert (
        "unlike the file before it, 2.csv has the column 'remark', the unnamed 1st column, "
        "which no field uses, and lacks"
    ) in noted.command("run").errors
    assert "ignored the unnamed 1st column" in last(noted).notes


def test_notes_are_in_the_receipt_of_the_formatted_table_only(noted: Trial) -> None:
    noted.contract(KEYED_SALE).drop(rows(HEADER.replace("\n", ",till\n"), 1) + "x,y,z,w,v\n", "1.csv")
    noted.run_well()
    assert last(noted).notes == ("ignored column till",)
    for zone in ("quarantine", "duplicate"):
        receipt = noted.open().lake.last_receipt(f"{zone}.sale")
        assert receipt is not None
        assert receipt.notes == ()


SALE_LINE = '{"sale_id":%d,"item":"tea","price":"1","sold_at":"2026-01-02"%s}\n'


def test_a_mapping_to_a_column_that_no_file_has_is_warned_of(noted: Trial) -> None:
    """A typo in the settings of an optional column makes it null in every row."""
    for number in (1, 2):
        noted.drop(rows(FULL, number), f"{number}.csv")
    noted.run_well()
    assert noted.formatted("note") == ["x", "x"]
    noted.settings('columns = { note = "noet" }')
    ended = noted.command("run")
    assert ended.status == 0
    warning = (
        "no file has the column 'noet', which [sources.sale] columns gives the field note; it is null in "
        "every row"
    )
    assert f"Warning: formatted.sale: {warning}\n" in ended.errors
    assert last(noted).warnings == (warning,)
    assert noted.formatted("note") == [None, None]
    noted.drop(rows(FULL, 3), "3.csv")
    assert "Warning" not in noted.command("run").errors, "it is said once"
    noted.drop(rows(FULL.replace("note", "noet"), 4), "4.csv")
    noted.settings("columns = { note = \"noet\" }\ntimezone = 'Europe/Lisbon'")
    assert "no file has" not in noted.command("run").errors, "one has it now"


def test_a_mapping_to_a_key_that_no_record_has_is_warned_of(noted: Trial) -> None:
    noted.settings('columns = { note = "remark" }')
    noted.drop(SALE_LINE % (1, ""), "1.jsonl")
    noted.drop(SALE_LINE % (2, ',"x":1'), "2.json")
    noted.drop("[]", "3.json")
    ended = noted.command("run")
    assert (
        "no file has the column 'remark', which [sources.sale] columns gives the field note" in ended.errors
    )
    noted.settings("columns = { note = \"remark\" }\ntimezone = 'Europe/Lisbon'")
    noted.drop(SALE_LINE % (3, ',"remark":null'), "3.jsonl")
    assert "no file has" not in noted.command("run").errors


def test_files_without_records_say_nothing_of_a_mapping(noted: Trial) -> None:
    noted.settings('columns = { note = "remark" }')
    noted.drop("[]", "1.json")
    assert "no file has" not in noted.command("run").errors
