"""Damaged files under each setting of how files are read: none makes a silent outcome possible."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pollution.every_file import sample
from pollution.outcome import SILENT, outcome
from pollution.polluted import Polluted
from pollution.reading import read_each

SETTINGS = {
    "texts that mean null": 'null = ["?", "n/a"]',
    "texts that mean null, in quotes": 'null = ["?", "n/a"]\nnull_in_quotes = true',
    "fields that no column has": (
        'from_path = "^(?P<made_of_path>.*)\\\\.csv$"\n'
        '[sources.record.column.made_constant]\nconstant = "x"\n'
        "[sources.record.column.made_key]\nrow_key = true"
    ),
    "times as numbers": 'epoch = "seconds"',
    "settings of some files": '[[sources.record.when]]\npath = "*1.csv"\nnull = ["?"]',
    "comments, footers and empty records": 'comment = "§"\nfooter = ["~~"]\nskip_empty_records = true',
    "blanks around fields": "trim = true",
    "several names of a column": 'columns = {{ {field} = ["{field}", "Column X"] }}',
    "texts of one column that mean null": '[sources.record.column.{field}]\nnull = ["?", "n/a"]',
}
"""None of the texts is in a clean table, so the rows that are right stay the same."""


def _under(one: Polluted, setting: str) -> Polluted:
    setting = setting.format(field=one.table.fields[-1].name)
    if "header = false" in one.settings and setting.startswith("columns"):
        return one
    return replace(one, settings="\n".join(filter(None, [one.settings, setting])))


def _judged(one: Polluted) -> Polluted:
    """A file as its account is judged: without the records of empty fields that the settings pass over."""
    if "skip_empty_records" not in one.settings:
        return one
    lines = tuple(
        line
        for line in one.lines
        if line.role != "foreign" or not line.record or line.record.strip(f" {one.table.delimiter}")
    )
    return replace(one, lines=lines)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_a_sample_of_damaged_files(setting: str, tmp_path: Path) -> None:
    files = [_under(one, setting) for one in sample(per_family=1)]
    found = [(one, outcome(_judged(one), reading)) for one, reading in read_each(files, tmp_path)]
    assert [f"{one}: {result.problem}" for one, result in found if result.kind == SILENT] == []
