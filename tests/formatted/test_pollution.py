"""Damaged files of every kind: nothing of them is formatted wrongly, and nothing is lost without a word."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from pollution.every_file import polluted_files, sample
from pollution.exempt import REST, VALUES, WHOLE
from pollution.on_the_page import by_table, exempt_kinds
from pollution.outcome import EXACT, EXEMPT, KINDS, QUARANTINED, REFUSED, SILENT, outcome
from pollution.polluted import Polluted
from pollution.reading import Reading, read_each
from pollution.tables import Line, Row, Table, tables

TABLES = {table.name: table for table in tables()}
NOTED = TABLES["three columns, last nullable"]
ALL = list(NOTED.rows)


def silent(files: list[tuple[Polluted, Reading]]) -> list[str]:
    """What is wrong, file by file, with the beginning of its text."""
    found = [(one, reading, outcome(one, reading)) for one, reading in files]
    assert {result.kind for *_, result in found} <= set(KINDS)
    return [
        f"{one}: {result.problem}\n  {one.text[:300]!r}\n  formatted: {_wrong(one, reading)}"
        for one, reading, result in found
        if result.kind == SILENT
    ]


def not_on_the_page(files: list[tuple[Polluted, Reading]]) -> list[str]:
    """The exempt kinds that the page shows no example of."""
    exempt = {one.family for one, reading in files if outcome(one, reading).kind == EXEMPT}
    return sorted(exempt - {*exempt_kinds()})


def _wrong(one: Polluted, reading: Reading) -> str:
    return repr([row for row in reading.rows if row not in one.rows][:3])


def test_a_sample_of_damaged_files(tmp_path: Path) -> None:
    files = read_each(sample(per_family=2), tmp_path)
    kinds = Counter(outcome(one, reading).kind for one, reading in files)
    assert all(kinds[kind] > 4 for kind in (EXACT, QUARANTINED, REFUSED)), kinds
    assert silent(files) == []
    assert not_on_the_page(files) == []


@pytest.mark.long
@pytest.mark.parametrize("name", TABLES)
def test_every_damaged_file(name: str, tmp_path: Path) -> None:
    files = read_each(polluted_files(TABLES[name]), tmp_path)
    (clean,) = [outcome(one, reading).kind for one, reading in files if one.kind == "clean"]
    assert clean == EXACT
    assert silent(files) == []
    assert not_on_the_page(files) == []
    assert Counter(outcome(one, reading).kind for one, reading in files) == by_table()[name]


def damaged(*lines: str, rows: list[Row] = ALL, table: Table = NOTED, kind: str = "clean") -> Polluted:
    """A file in which the first lines stand for the rows, in their order, and all others for none."""
    header = table.lines()[0]
    made = [
        Line(
            "row" if number < len(rows) else "foreign",
            (text,),
            (),
            row=number if number < len(rows) else None,
        )
        for number, text in enumerate(lines)
    ]
    return Polluted(kind, "here", table, (header, *made))


def read(*rows: Row, bad: tuple[str, ...] = (), counted: int | None = None) -> Reading:
    quarantined = tuple((raw, ("a reason",)) for raw in bad)
    return Reading(tuple(rows), quarantined, None, len(rows) + len(bad) if counted is None else counted)


ONE, TWO, THREE, FOUR, FIVE = NOTED.rows
CLEAN = ("1,tea,", "2,cake,", "3,milk,cold", '4,salt,""', "5,café,")


@pytest.mark.parametrize(
    ("lines", "reading", "kind"),
    [
        (CLEAN, read(*ALL), EXACT),
        (CLEAN, Reading(refused="no table"), REFUSED),
        (("1tea,", *CLEAN[1:]), read(*ALL[1:], bad=("1tea,",)), QUARANTINED),
        (("1,tea,x", *CLEAN[1:]), read((1, "tea", "x"), *ALL[1:]), EXEMPT),
        ((*CLEAN, "6,rye,"), read(*ALL, (6, "rye", None)), EXEMPT),
        ((*CLEAN, "Total", "6,rye,"), read(*ALL, (6, "rye", None), bad=("Total",)), EXEMPT),
        # a row that is lost, twice there, or accounted for wrongly
        (CLEAN, read(*ALL[1:]), SILENT),
        (CLEAN, read(ONE, *ALL), SILENT),
        (CLEAN, read(*ALL, counted=6), SILENT),
        (CLEAN, read(*ALL, bad=("1,tea,",)), SILENT),
        (CLEAN, read(*ALL[1:], bad=("1,tee,",)), SILENT),
        (CLEAN, Reading(tuple(ALL[1:]), (("1,tea,", ()),), None, 5), SILENT),
        (CLEAN, Reading(refused="ValueError", crashed=True), SILENT),
        # a row that is shifted, alone or among others that are turned away
        (("1,,tea,", *CLEAN[1:]), read((1, "", "tea"), *ALL[1:]), SILENT),
        (("1,,tea,", *CLEAN[1:]), read((1, None, "tea"), *ALL[1:]), SILENT),
        (("1,,tea,", "2cake,", *CLEAN[2:]), read((1, "", "tea"), *ALL[2:], bad=("2cake,",)), SILENT),
        # all but one row end in an empty field more: the last one says that it is none
        (
            ("1,x,tea,", "2,x,cake,", "3,x,milk,cold"),
            read((1, "x", "tea"), (2, "x", "cake"), bad=("3,x,milk,cold",)),
            SILENT,
        ),
        # the number of fields is right by accident
        (('1,te"a,b",', *CLEAN[1:]), read((1, 'te"a', 'b"'), *ALL[1:]), SILENT),
        # a text that swallows the next row
        (('1,tea,"', '2,cake,"', *CLEAN[2:]), read((1, "tea", "\n2,cake,"), *ALL[2:], bad=()), EXEMPT),
        (
            ('1,tea,"', '2,cake,"', '3,milk,"cold', *CLEAN[3:]),
            read((1, "tea", "\n2,cake,"), *ALL[3:], bad=('3,milk,"cold',)),
            SILENT,
        ),
    ],
)
def test_outcomes(lines: tuple[str, ...], reading: Reading, kind: str) -> None:
    rows = ALL[: min(len(lines), len(ALL))]
    assert outcome(damaged(*lines, rows=rows), reading).kind == kind


@pytest.mark.parametrize(
    ("lines", "reading", "proof"),
    [
        (("1,tea,x", *CLEAN[1:]), read((1, "tea", "x"), *ALL[1:]), WHOLE),
        (("1,tea,x", ",cake,", *CLEAN[2:]), read((1, "tea", "x"), *ALL[2:], bad=(",cake,",)), VALUES),
        (("1,tea,x", "2cake,", *CLEAN[2:]), read((1, "tea", "x"), *ALL[2:], bad=("2cake,",)), REST),
        # two texts are others, or a number is: the row may be shifted
        (("1,tee,x", "2cake,", *CLEAN[2:]), read((1, "tee", "x"), *ALL[2:], bad=("2cake,",)), ""),
        (("9,tea,", "2cake,", *CLEAN[2:]), read((9, "tea", None), *ALL[2:], bad=("2cake,",)), ""),
        # the accepted lines are not those of the rows, or not in their order
        (("1,tea,x", "2cake,", *CLEAN[2:]), read((1, "tea", "x"), *ALL[:1:-1], bad=("2cake,",)), ""),
        # of the accepted lines one has an empty field more
        (
            ("1,tea,x", "2cake,", *CLEAN[2:4], "5,café,,"),
            read((1, "tea", "x"), *ALL[2:], bad=("2cake,",)),
            "",
        ),
    ],
)
def test_the_proof_of_an_exempt_file(lines: tuple[str, ...], reading: Reading, proof: str) -> None:
    found = outcome(damaged(*lines), reading)
    assert (found.kind, found.proof) == (EXEMPT if proof else SILENT, proof)


def test_a_text_that_takes_in_rows_is_turned_away(tmp_path: Path) -> None:
    """All quotes are lost but two, which are texts. What lies between them is no text."""
    table = TABLES["three columns, last quoted"]
    (file,) = [
        one for one in polluted_files(table) if one.kind == "quote changed to none" and not one.settings
    ]
    between = file.text.partition('",')[2].rpartition('"')[0]
    good = ((0, "n0", "rye"), (7, "a", "b"), (1, "n1", "x"))
    reading = read(*good, (2, "n2", f",{between}"), bad=("z",))
    assert outcome(file, reading).kind == SILENT
    ((_, found),) = read_each([file], tmp_path)
    assert found.rows == good
    assert [raw for raw, _ in found.quarantined] == ["z", f'2,n2,",{between}"']
    assert outcome(file, found).proof == REST


def test_another_quote_is_not_a_text_with_apostrophes() -> None:
    """The file is clean in single quotes, which says what its rows are."""
    lines = ("1,'tea',", "2,'ca,ke',", "3,milk,cold", "4,salt,''", "5,café,")
    reading = read((1, "'tea'", None), THREE, FIVE, bad=(lines[1], lines[3]))
    assert outcome(damaged(*lines), reading).kind == SILENT
    lines = ("1,'tea',", "2cake,", *CLEAN[2:])
    reading = read((1, "'tea'", None), *ALL[2:], bad=("2cake,",))
    assert outcome(damaged(*lines), reading).kind == EXEMPT


def test_the_header_of_another_delimiter() -> None:
    """Texts that hold the header's delimiter are no rows."""
    table = TABLES["texts with other delimiters"]
    header, *lines = table.lines()
    header = replace(header, delimiters=(";", ";"))
    file = Polluted("clean", "here", table, (header, *lines))
    shifted = (lines[0].record.split(";")[0], lines[0].record.split(";")[1], None)
    reading = read(shifted, bad=tuple(line.record for line in lines[1:]))
    assert outcome(file, reading).kind == SILENT
