"""A changed setting formats the files of its source again; one that changes no row does not."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from backbone.column_settings import ColumnSettings
from backbone.contracts.contract import Contract
from backbone.formatted.source import FormattedSource
from backbone.source_settings import SourceSettings


class Reading(Contract):
    """A reading."""

    read_at: datetime
    kwh: float


OTHERS = {
    "path", "modified_within", "connection", "query", "every", "start", "end", "refetch",  # where from
    "redelivery", "latest",  # which of several rows counts: only under a key
}  # fmt: skip
CHANGED: dict[str, Any] = {
    "format": "csv",
    "columns": {"kwh": ["kWh", "kwh"]},
    "encoding": "cp1252",
    "delimiter": ";",
    "quote": "'",
    "escape": "\\",
    "header": False,
    "skip": 1,
    "skip_until": "read_at",
    "comment": "#",
    "footer": ["Total"],
    "skip_empty_records": True,
    "header_rows": 2,
    "trim": True,
    "timezone": "Europe/Lisbon",
    "date_format": "%d/%m/%Y",
    "datetime_format": "%d/%m/%Y",
    "epoch": "seconds",
    "decimal_separator": ",",
    "thousands_separator": "'",
    "null": ["NA"],
    "null_in_quotes": True,
    "from_path": "(?P<kwh>.)",
    "column": {"kwh": {"sign": "%"}},
    "unpivot": {"columns": "*", "name": "read_at", "value": "kwh"},
    "when": [{"path": "a*", "skip": 1}],
    "extra_columns": "refuse",
}
OF_COLUMN: dict[str, Any] = {
    "null": [],
    "null_in_quotes": True,
    "date_format": "%d/%m/%Y",
    "datetime_format": "%d/%m/%Y",
    "epoch": "seconds",
    "sign": "%",
    "constant": "1",
    "row_key": True,
}


def fingerprint(**settings: Any) -> str:
    return FormattedSource("reading", Reading, SourceSettings(**settings), "read_at").fingerprint


@pytest.mark.parametrize("name", sorted({*SourceSettings.model_fields} - OTHERS))
def test_a_setting_of_how_files_are_read_changes_it(name: str) -> None:
    assert fingerprint(**{name: CHANGED[name]}) != fingerprint()


@pytest.mark.parametrize("name", ColumnSettings.model_fields)
def test_a_setting_of_a_column_changes_it(name: str) -> None:
    column = {"kwh": {name: OF_COLUMN[name]}}
    assert fingerprint(column=column) != fingerprint()
    assert fingerprint(column=column) != fingerprint(column={"read_at": {name: OF_COLUMN[name]}})


def test_what_is_set_to_its_default_changes_nothing() -> None:
    assert fingerprint(null=[], trim=False, header_rows=1, when=[], footer=[]) == fingerprint()
