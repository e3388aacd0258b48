"""Texts that mean null: in which columns, in which formats, in quotes or not."""

from __future__ import annotations

import io
import json
from itertools import product
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.errors import SettingsError
from conftest import Trial

METER = """
    class Meter(Contract):
        "A reading of a meter."
        meter: str | None
        kwh: int | None
        note: str | None
    """
COLUMNS = "meter, kwh, note"
HEADER = "meter,kwh,note\n"
BOTH = 'null = ["?", "NA"]'
OF_COLUMNS = 'null = ["?"]\n[sources.sale.column.note]\nnull = ["NA"]\n[sources.sale.column.kwh]\nnull = []'


@pytest.fixture
def meters(trial: Trial) -> Trial:
    trial.event_time = None
    return trial.contract(METER)


def read(trial: Trial, data: str | bytes, name: str = "a.csv") -> tuple[list[Any], list[Any]]:
    """The rows of a file in its order, and what was turned away of it."""
    trial.drop(data, name)
    trial.run_well()
    rows = trial.formatted(COLUMNS, order="_batch, _row")
    assert trial.accounted()[0] == len(rows) + len(trial.quarantined())
    return rows, trial.quarantined()


def test_only_an_unquoted_field_is_null(meters: Trial) -> None:
    rows, bad = read(meters.settings(BOTH), HEADER + '?,NA,NA\n"?",1,"NA"\n?x, ?,\nb,"?",""\n')
    assert rows == [(None, None, None), ("?", 1, "NA")]
    assert bad == [
        (4, "?x, ?,", ["kwh: ' ?' is not a whole number"]),
        (5, 'b,"?",""', ["kwh: '?' is not a whole number"]),
    ]


def test_a_quoted_field_is_null_where_the_settings_say_so(meters: Trial) -> None:
    meters.settings(f"{BOTH}\nnull_in_quotes = true")
    rows, bad = read(meters, HEADER + '?,"NA","?"\n"",1,""\n')
    assert (rows, bad) == ([(None, None, None), ("", 1, "")], [])


def test_an_empty_text_in_quotes_can_be_null(meters: Trial) -> None:
    meters.settings('null = [""]\nnull_in_quotes = true')
    assert read(meters, HEADER + '"","",""\n') == ([(None, None, None)], [])


def test_a_column_has_texts_of_its_own(meters: Trial) -> None:
    rows, bad = read(meters.settings(OF_COLUMNS), HEADER + '?,1,?\nNA,2,NA\n"?",3,"NA"\na,?,b\n')
    assert rows == [(None, 1, "?"), ("NA", 2, None), ("?", 3, "NA")]
    assert bad == [(5, "a,?,b", ["kwh: '?' is not a whole number"])]


def test_every_field_of_many_small_files(meters: Trial) -> None:
    """Read in one statement, and compared with a rule of three lines."""
    fields = ("?", "NA", '"?"', '"NA"', "", '""', "7", "?7")
    meters.settings(OF_COLUMNS.replace("null = []", 'null = ["?", "NA"]'))
    lines = [f"{a},{b},{c}" for a, b, c in product(fields, fields, fields)]
    for number in range(8):
        meters.drop(HEADER + "\n".join(lines[number::8]), f"{number}.csv")
    meters.run_well()

    def value(field: str, *nulls: str) -> str | None:
        return None if field in ("", *nulls) else field.strip('"')

    expected = [
        (value(a, "?"), number and int(number), value(c, "NA"))
        for a, b, c in product(fields, fields, fields)
        for number in [value(b, "?", "NA")]
        if number in (None, "7")
    ]
    found = meters.formatted(COLUMNS, order="_line")
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert meters.accounted() == (512, len(expected), 512 - len(expected), 0)


def test_a_large_file_with_texts_of_one_column(meters: Trial) -> None:
    """It is read twice, in parallel, and each row must come from one line."""
    fields = ("?", "NA", '"?"', "x")
    lines = [f"{fields[n % 4]},{n},{fields[n // 4 % 4]}" for n in range(400_000)]
    meters.settings(OF_COLUMNS).drop(HEADER + "\n".join(lines))
    meters.run_well()
    assert len("\n".join(lines)) > 4 * 1024 * 1024, "large enough to be read by several threads"
    found = meters.rows(
        "select kwh % 16, count(*), count(meter), count(note), min(meter), min(note), max(_row - kwh), "
        "min(_row - kwh), max(_line - kwh), min(_line - kwh) from formatted.sale group by all order by all"
    )
    meter = [(0, None), (25_000, "NA"), (25_000, "?"), (25_000, "x")]
    note = [(25_000, "?"), (0, None), (25_000, "?"), (25_000, "x")]
    assert found == [
        (n, 25_000, meter[n % 4][0], note[n // 4][0], meter[n % 4][1], note[n // 4][1], 0, 0, 2, 2)
        for n in range(16)
    ]


def test_a_null_beyond_the_last_column_is_not_passed_over(meters: Trial) -> None:
    lines = "".join(f"m,{n},\n" for n in range(200))
    lines = "".join(f"{line[:-1]}x,\n" for line in lines.splitlines(keepends=True))
    rows, bad = read(meters.settings(BOTH), HEADER + lines + "m,200,x,?\n")
    assert len(rows) == 200
    assert [raw for _, raw, _ in bad] == ["m,200,x,?"]


def test_a_repeated_header_is_no_row_though_a_name_means_null(trial: Trial) -> None:
    trial.event_time = None
    trial.contract('class Pair(Contract):\n    "Two texts."\n    a: str | None\n    b: str | None\n')
    trial.settings('null = ["a"]').drop("a,b\n1,2\na,b\na,c\n", "a.csv")
    trial.run_well()
    assert trial.formatted("a, b", order="_row") == [("1", "2"), (None, "c")]
    assert trial.quarantined() == [(3, "a,b", ["the line repeats the header"])]


def test_what_stands_in_json_as_it_is_written(meters: Trial) -> None:
    meters.settings('null = ["NA", "-999"]')
    records = [{"meter": "NA", "kwh": -999, "note": "-999"}, {"meter": "na", "kwh": 1, "note": ["NA"]}]
    rows, bad = read(meters, "".join(json.dumps(record) + "\n" for record in records), "a.jsonl")
    assert (rows, bad) == ([(None, None, None), ("na", 1, '["NA"]')], [])


def test_the_texts_of_a_parquet_file(meters: Trial) -> None:
    meters.settings('null = ["NA", "-999"]')
    out = io.BytesIO()
    columns = {"meter": ["NA", "m"], "kwh": pa.array([-999, 1]), "note": pa.array([b"NA", b"n"], pa.binary())}
    pq.write_table(pa.table(columns), out)
    rows, bad = read(meters, out.getvalue(), "a.parquet")
    assert (rows, bad) == ([(None, -999, None), ("m", 1, "n")], [])


def test_a_changed_text_formats_the_files_of_its_source_again(meters: Trial) -> None:
    rows, bad = read(meters, HEADER + "a,NA,b\n")
    assert (rows, len(bad)) == ([], 1)
    meters.settings('null = ["NA"]').run_well()
    assert meters.formatted(COLUMNS) == [("a", None, "b")]
    assert meters.accounted() == (1, 1, 0, 0)
    assert not meters.run().receipts


@pytest.mark.parametrize(
    ("section", "setting", "problem"),
    [
        ('null = [";"]\ndelimiter = ";"', "null", "';' holds the delimiter"),
        ('null = ["a\\"b"]', "null", "holds the quote"),
        ('null = ["\\\\N"]\nescape = "\\\\"', "null", "holds the escape"),
        ('null = ["a\\nb"]', "null", "holds the line end"),
        ('null = ["\\u0000"]', "null", "without a NUL"),
        ('[sources.sale.column.note]\nnull = ["\\""]', "column.note.null", "holds the quote"),
    ],
)
def test_a_text_that_no_unquoted_field_has(meters: Trial, section: str, setting: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=f"sources.sale.{setting}: ") as caught:
        meters.settings(section).open()
    assert problem in str(caught.value)


def test_an_escape_in_a_text_is_read_in_quotes_too(meters: Trial) -> None:
    meters.settings('null = ["\\\\N"]\nescape = "\\\\"\nnull_in_quotes = true')
    assert read(meters, HEADER + "\\N,\\N,x\n") == ([(None, None, "x")], [])


def test_a_section_of_no_field(meters: Trial) -> None:
    with pytest.raises(SettingsError, match=r"\[sources.sale.column.note2\]") as caught:
        meters.settings("[sources.sale.column.note2]\nnull = []").open()
    assert "the contract has no field 'note2'; it has kwh, meter, note" in str(caught.value)
