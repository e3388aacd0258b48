"""The SQL of every reason why a staged row breaks the contract."""

from __future__ import annotations

from collections.abc import Sequence

from backbone.contracts.contract import failures_sql, quote_identifier
from backbone.engines.duckdb.database import Database
from backbone.formatted.conform import REFUSAL, Check, is_good, raw_text


def failing_fields(database: Database, table: str) -> list[int]:
    """The fields, by position, of which a value is bad in some row of a table made by `conform_sql`."""
    fields = "(len(_bad) - 2) // 2"
    places = f"list_filter(range({fields}), lambda place: _bad[place + 3 + {fields}] = 'false')"
    rows = database.fetch(
        f"select distinct unnest({places}) from {table} where _bad is not null and {REFUSAL} is null"
    )
    return sorted(place for (place,) in rows)


def reasons_sql(checks: Sequence[Check], failing: Sequence[int], rows: str, others: Sequence[str]) -> str:
    """A query of bad rows with all their reasons, in the order of the fields.

    Parameters
    ----------
    failing : the fields that may have a reason.
    rows : the FROM item of the bad rows, among them a table `p` made by `conform_sql`.
    others : further columns of `rows` to select; they stand before `reasons`.
    """
    columns, failures = [f"{other} as o{i}" for i, other in enumerate(others)], []
    for i in failing:
        column = checks[i].column
        columns += [f"p.{raw_text(i)} as r{i}", f"p.{quote_identifier(column.name)} as v{i}"]
        of_field = failures_sql(column, f"r.r{i}", f"r.v{i}", checks[i].notation)
        named_by = checks[i].named_by
        if named_by is not None:  # a record that is bad itself has no cells of its own
            columns += [f"p.{is_good(i, len(checks))} as ok{i}", f"p.{raw_text(named_by)} as name{i}"]
            place = f"' (column ' || chr(39) || r.name{i} || chr(39) || ')'"
            of_field = [f"case when r.ok{i} = 'false' then {reason} || {place} end" for reason in of_field]
        failures += of_field
    listed = (
        f"list_filter([{', '.join(['cast(null as varchar)', *failures])}], lambda reason: reason is not null)"
    )
    return (
        f"select {', '.join(f'r.o{i}' for i in range(len(others)))}, "
        f"case when r.refusal is not null then [r.refusal] else {listed} end as reasons "
        f"from (select {', '.join([*columns, f'p.{REFUSAL} as refusal'])} from {rows}) as r"
    )
