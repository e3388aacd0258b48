"""A setting that is not used costs nothing: the SQL made for a source is what it was before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from backbone.contracts.contract import Contract, Key, columns
from backbone.engines.duckdb.raw_sql import raw_rows, rows_of_files
from backbone.formatted.binding import bind
from backbone.formatted.csv.file import open_csv
from backbone.formatted.json.file import json_sql
from backbone.formatted.parse import _typed_sql
from backbone.formatted.source import FormattedSource
from backbone.source_settings import SourceSettings

GOLDEN = Path(__file__).parent / "unset_settings.sql"
"""Made by the code of 30 November 2026, before there were texts that mean null and all that came after."""
HEADER = "reading_id,note,kind,price,level,good,day,read_at"
FILES = {
    f"{HEADER}\n1,,gas,1,1,t,2026-01-01,2026-01-01\n": SourceSettings(),
    f"{HEADER},\n1,,gas,1,1,t,2026-01-01,2026-01-01,\n": SourceSettings(
        decimal_separator=",", delimiter=",", datetime_format="%d/%m/%Y", timezone="Europe/Lisbon"
    ),
}
TYPES = ["BIGINT", "BLOB", "VARCHAR", "DOUBLE", "VARCHAR", "BOOLEAN", "DATE", "TIMESTAMP"]


class Reading(Contract):
    """A reading."""

    reading_id: Annotated[int, Key]
    note: str | None
    kind: Literal["gas", "heat"]
    price: Annotated[Decimal, Field(ge=0, max_digits=8, decimal_places=2)] | None = None
    level: float | None = None
    good: bool | None = None
    day: date | None = None
    read_at: datetime


def _made(folder: Path) -> Iterator[str]:
    fields = columns(Reading)
    for text, settings in FILES.items():
        path = folder / "a.csv"
        path.write_text(text)
        file = open_csv(path, fields, settings, "formatted.reading")
        raw = replace(file.raw, path=Path("a.csv"))
        yield raw_rows(raw)
        yield rows_of_files([raw, raw], "_file")
        binding = bind([column.name for column in fields], fields, settings, "formatted.reading")
        for sql in (
            file.conform_sql(fields, settings),
            json_sql(fields, settings),
            json_sql(fields, settings, labelled=True),
            _typed_sql(fields, binding, TYPES, settings),
        ):
            yield from sql.levels
        yield FormattedSource("reading", Reading, settings, "read_at").fingerprint


def test_the_sql_and_the_fingerprint_are_what_they_were(tmp_path: Path) -> None:
    assert "".join(f"{line}\n" for line in _made(tmp_path)) == GOLDEN.read_bytes().decode()
