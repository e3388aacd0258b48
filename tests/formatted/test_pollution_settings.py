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
    "the beginning of the header": 'skip_until = "{first}"',
    "a header of two rows": "header_rows = 2",
    "several names of a column": 'columns = {{ {field} = ["{field}", "Column X"] }}',
    "a column that becomes rows": (
        '[sources.record.unpivot]\ncolumns = ["{first}"]\nname = "made_name"\nvalue = "{first}"'
    ),
    "texts of one column that mean null": '[sources.record.column.{field}]\nnull = ["?", "n/a"]',
}
"""None of the texts is in a clean table, so the rows that are right stay the same."""


def _under(one: Polluted, setting: str) -> Polluted:
    setting = setting.format(first=one.table.fields[0].name, field=one.table.fields[-1].name)
    if setting.startswith("header_rows"):
        return _with_units(one)
    if "header = false" in one.settings and setting.startswith("columns"):
        return one
    return replace(one, settings="\n".join(filter(None, [one.settings, setting])))


def _with_units(one: Polluted) -> Polluted:
    """A file whose header has a second row, if its first line is the header."""
    header, fields = one.lines[0] if one.lines else None, one.table.fields
    if header is None or header.role != "header" or "columns" in one.section or "skip" in one.section:
        return one
    names = ", ".join(f'{field.name} = "{field.name} u"' for field in fields)
    units = replace(
        header,
        role="layout",
        cells=("u",) * len(fields),
        delimiters=(one.table.delimiter,) * (len(fields) - 1),
    )
    settings = "\n".join(filter(None, [one.settings, f"header_rows = 2\ncolumns = {{ {names} }}"]))
    return replace(one, lines=(header, units, *one.lines[1:]), settings=settings)


def _judged(one: Polluted, setting: str) -> Polluted:
    """A file as its account is judged: without the lines that the setting passes over and counts."""
    lines = list(one.lines)
    if "skip_empty_records" in setting:
        sign = f" {one.table.delimiter}"
        lines = [e for e in lines if e.role != "foreign" or not e.record or e.record.strip(sign)]
    if "skip_until" in setting:
        begin = one.table.fields[0].name
        places = [place for place, line in enumerate(lines) if line.text.startswith(begin)]
        lines = lines[places[0] if places else 0 :]
    return replace(one, lines=tuple(lines))


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_a_sample_of_damaged_files(setting: str, tmp_path: Path) -> None:
    before = {_under(one, setting): one for one in sample(per_family=1)}
    found = [
        (one, outcome(_judged(before[one], setting), reading)) for one, reading in read_each(before, tmp_path)
    ]
    assert [f"{one}: {result.problem}" for one, result in found if result.kind == SILENT] == []
