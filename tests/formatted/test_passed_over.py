"""Lines that the settings say are no records: passed over where a record could begin, and counted."""

from __future__ import annotations

from itertools import product

import pytest
from pollution.every_file import polluted_files
from pollution.outcome import EXACT, EXEMPT, QUARANTINED, outcome
from pollution.polluted import Polluted
from pollution.reading import read_each
from pollution.tables import Line, tables

from backbone.errors import SettingsError
from conftest import Trial

NOTE = """
    class Note(Contract):
        "A note."
        id: int
        note: str
    """
SHAPE = """
    skip_until = "id,"
    comment = "#"
    footer = ["Total", "end data"]
    skip_empty_records = true
    """
HEADER = "id,note\n"


@pytest.fixture
def notes(trial: Trial) -> Trial:
    trial.event_time = None
    return trial.contract(NOTE).settings(SHAPE)


def read(trial: Trial, data: str | bytes, name: str = "a.csv") -> tuple[list[tuple[int, str]], str]:
    """Lines and texts of the formatted rows, and what was passed over."""
    trial.drop(data, name)
    (receipt,) = [receipt for receipt in trial.run_well().receipts if receipt.stage == "format"]
    passed = [note.partition(": ")[2] for note in receipt.notes if note.startswith(f"passed over in {name}")]
    return trial.formatted("_line, note", order="_line"), "".join(passed)


def test_each_kind_is_counted(notes: Trial) -> None:
    data = 'from, the pump\n\n# of 2026\nid,note\n1,a\n# b,c\n,\n2,"#c"\n, \nTotal,2\n\nend data\n'
    rows, passed = read(notes, data)
    assert rows == [(5, "a"), (8, "#c")]
    assert passed == "1 comment, 2 empty records, 2 footers, 3 lines before the header"
    assert notes.quarantined() == []
    assert notes.accounted() == (2, 2, 0, 0)


def test_comments_before_the_header(notes: Trial) -> None:
    rows, passed = read(notes.settings('comment = "//"'), "// a\n// id,note\nid,note\n1,a\n")
    assert (rows, passed) == ([(4, "a")], "2 comments")


def test_what_is_quoted_is_no_comment_and_no_footer(notes: Trial) -> None:
    data = 'id,note\n1,"a\n# b\n,\nTotal\nc"\n2,"\n#"\n'
    assert read(notes, data) == ([(2, "a\n# b\n,\nTotal\nc"), (7, "\n#")], "")
    rows, passed = read(notes, data + "# d\n", "b.csv")
    assert (len(rows), passed) == (4, "1 comment")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_order_of_lines(notes: Trial, newline: str) -> None:
    """Against a rule of a few lines; the records are on lines of their own."""
    some = ["7,a", "# x", ",", "8,b,9", "", "Total", "Sum 3"]
    files = {f"{n:03}.csv": lines for n, lines in enumerate(product(some, repeat=3))}
    for name, lines in files.items():
        notes.drop(newline.join(["id,note", *lines, ""]), name)
    notes.settings(SHAPE.replace('skip_until = "id,"', "")).run_well()
    found: dict[str, list[tuple[int, str]]] = {name: [] for name in files}
    names = {batch.batch: batch.name for batch in notes.batches()}
    for batch, line in notes.rows("select _batch, _line from formatted.sale"):
        found[names[batch]].append((line, "formatted"))
    for batch, line in notes.rows("select _batch, line from quarantine.sale"):
        found[names[batch]].append((line, "quarantine"))
    for name, lines in files.items():
        expected, footer = [], False
        for number, line in enumerate(lines, 2):
            footer = footer or line == "Total"
            if line == "7,a":
                expected.append((number, "quarantine" if footer else "formatted"))
            elif line in ("8,b,9", "Sum 3") and not footer:
                expected.append((number, "quarantine"))
        assert sorted(found[name]) == expected, lines


def test_a_record_below_a_footer_is_not_lost(notes: Trial) -> None:
    rows, passed = read(notes, "id,note\n1,a\nTotal,1\nmore\n2,b\n3,c\nend\n")
    assert (rows, passed) == ([(2, "a")], "3 footers")
    reason = ["the line is below the footer, which begins in line 3"]
    assert notes.quarantined() == [(5, "2,b", reason), (6, "3,c", reason)]
    assert notes.accounted() == (3, 1, 2, 0)


def test_a_line_whose_quotes_are_not_closed_may_be_a_piece_of_a_text(notes: Trial) -> None:
    rows, passed = read(notes, 'id,note\n1,a\n2,b\n# of"\n3,c\n')
    assert (rows, passed) == ([(2, "a"), (5, "c")], "")
    assert [raw for _, raw, _ in notes.quarantined()] == ["2,b", '# of"']


def test_a_table_of_one_column(notes: Trial) -> None:
    notes.contract('class One(Contract):\n    "A text."\n    note: str | None\n').settings('comment = "#"')
    assert read(notes, "note\na\n# b\n\nc\n") == ([(2, "a"), (4, None), (5, "c")], "1 comment")


def test_the_same_is_read_in_a_file_without_such_lines(notes: Trial) -> None:
    lines = "".join(f"{n},x\n" for n in range(3000))
    rows, passed = read(notes, HEADER + lines)
    assert (len(rows), passed) == (3000, "")
    rows, passed = read(notes, HEADER + lines + "# x\n", "b.csv")
    assert (len(rows), passed) == (6000, "1 comment")


def test_comments_say_nothing_of_a_delimiter_at_the_end_of_each_line(notes: Trial) -> None:
    data = "id,note\n" + "".join(f"{n},a,\n# b\n# c\n" for n in range(60))
    rows, passed = read(notes, data)
    assert (len(rows), passed) == (60, "120 comments")
    assert notes.quarantined() == []


def test_no_line_that_begins_so(notes: Trial) -> None:
    notes.drop("note,id\na,1\n", "a.csv")
    (error,) = notes.run().failures.values()
    assert "expected a line that begins with skip_until = 'id,', found none in 2 lines" in str(error)
    assert "mend skip_until in [sources.sale]" in str(error)


def test_a_changed_setting_formats_the_files_again(notes: Trial) -> None:
    rows, _ = read(notes, "id,note\n1,a\nSum,1,1\n")
    assert (len(rows), len(notes.quarantined())) == (1, 1)
    notes.settings(SHAPE.replace("Total", "Sum")).run_well()
    assert notes.quarantined() == []


def test_many_files_have_one_sum(notes: Trial) -> None:
    for number in range(21):
        notes.drop(f"id,note\n{number},a\n# x\n", f"{number}.csv")
    (receipt,) = [receipt for receipt in notes.run_well().receipts if receipt.stage == "format"]
    assert receipt.notes == ("passed over in 21 files: 21 comments",)


@pytest.mark.parametrize("section", ['skip_until = ""', 'comment = " "', 'footer = ["a", "b\\nc"]'])
def test_beginnings_that_can_not_be_meant(notes: Trial, section: str) -> None:
    with pytest.raises(SettingsError, match="expected the beginning of a line"):
        notes.settings(section).open()


def _begins_footer(line: Line) -> bool:
    return line.role == "foreign" and line.text.startswith("Total")


def _without_footer(one: Polluted) -> Polluted:
    """A file for the judge, who knows of no footer: without the lines that begin it."""
    lines = tuple(line for line in one.lines if not _begins_footer(line))
    return Polluted(one.kind, one.place, one.table, lines)


def test_damaged_files_with_a_footer(notes: Trial, tmp_path_factory: pytest.TempPathFactory) -> None:
    found = []
    for table in tables():
        files = [
            Polluted(one.kind, one.place, one.table, one.lines, settings='footer = ["Total"]')
            for one in polluted_files(table)
            if one.kind.startswith("footer")
        ]
        found += read_each(files, tmp_path_factory.mktemp("footers"))
    for one, reading in found:
        result = outcome(_without_footer(one), reading)
        begins_so = any(map(_begins_footer, one.lines))
        assert result.kind in ((EXACT,) if begins_so else (QUARANTINED, EXEMPT)), f"{one}: {result}"
