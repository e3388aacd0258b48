"""Fields that no column of a file has: parts of its path, constants, and keys made of file and record."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from backbone.contracts.column import Column
from backbone.contracts.contract import quote_identifier, quote_literal
from backbone.engines.duckdb.database import Database
from backbone.errors import BatchRefused
from backbone.formatted.binding import UNTOUCHED, source_of
from backbone.source_settings import SourceSettings

NAMES = "stage_names"


def given_fields(fields: Sequence[Column], settings: SourceSettings) -> list[str]:
    """The fields whose values are the same in all records of a file: parts of its path, and constants.

    Their raw columns are called `g0`, `g1` and so on, in this order.
    """
    return [column.name for column in fields if settings.is_given(column.name)]


def given_values(
    fields: Sequence[Column], settings: SourceSettings, name: str, where: str
) -> tuple[str | None, ...]:
    """The texts of the given fields for a file of this name; None for a part that its path does not have.

    Raises
    ------
    BatchRefused
        When the path does not match `from_path`.

    Examples
    --------
    >>> day = Column("day", "DATE", False, False, False, "", ())
    >>> settings = SourceSettings(from_path=r"_(?P<day>\\d{8})")
    >>> given_values([day], settings, "north/dev_20260105.csv", "formatted.reading, batch 7f3a")
    ('20260105',)
    """
    parts: Mapping[str, str | None] = {}
    if settings.from_path is not None:
        found = re.search(settings.from_path, name)
        if found is None:
            raise BatchRefused(
                where,
                f"expected a path that matches from_path = {settings.from_path!r}, found {name!r}",
                UNTOUCHED,
                f"mend from_path in [sources.{source_of(where)}], or deliver the file under another name",
            )
        parts = found.groupdict()
    return tuple(
        parts[field] if field in parts else settings.column[field].constant
        for field in given_fields(fields, settings)
    )


def row_key_sql(
    database: Database, fields: Sequence[str], settings: SourceSettings, names: Mapping[str, str]
) -> tuple[str, str]:
    """SQL of a staged row's fields, and what to join to its table `t`, which has a column `_batch`.

    Parameters
    ----------
    names : by batch, the name of its file.

    Returns
    -------
    The list of fields, among them the keys made of file and record; and the beginning of a join, to be
    followed by SQL of the row's batch; empty without such keys.
    """
    if not any(settings.is_row_key(field) for field in fields):
        return ", ".join(map(quote_identifier, fields)), ""
    import pyarrow as pa

    # Versions of a file that add to each other would have the same keys.
    versioned = settings.redelivery == "append"
    begins = [f"{name}@{batch}" if versioned else name for batch, name in names.items()]
    database.take(
        NAMES,
        pa.table({"batch": pa.array(names, pa.string()), "begin": pa.array(begins, pa.string())}),
    )
    place = "t._row"
    if settings.unpivot is not None:  # stays the same when the file comes with more columns
        column = f"coalesce(cast({quote_identifier(settings.unpivot.name)} as varchar), '')"
        place = f"t._record || {quote_literal('#')} || {column}"
    listed = (
        f"{NAMES}.begin || {quote_literal('#')} || {place} as {quote_identifier(field)}"
        if settings.is_row_key(field)
        else quote_identifier(field)
        for field in fields
    )
    return ", ".join(listed), f" join {NAMES} on {NAMES}.batch = "
