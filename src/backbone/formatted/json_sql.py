"""The SQL that turns the records of a JSON file into typed values and reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backbone.contract import Column, Notation, failures_sql, ok_sql, quote_identifier, value_sql


def json_select(fields: Sequence[Column], notation: Notation) -> tuple[str, str]:
    """The expressions that turn raw columns into values, and values into columns and reasons.

    Columns are named by their position, so no name of a field means anything. Numbers of JSON have a decimal
    point, and nothing between thousands, whatever the notation of the source is for texts.
    """
    of_numbers = replace(notation, decimal_separator=".", thousands_separator=None)
    values, names, good, failures = (
        ["raw.line as _line", "raw.problem as _problem", "raw.text as _text"],
        [],
        [],
        [],
    )
    for i, column in enumerate(fields):
        value = value_sql(column, f"raw.c{i}", notation)
        if value_sql(column, f"raw.c{i}", of_numbers) != value:
            value = f"case when raw.n{i} then {value_sql(column, f'raw.c{i}', of_numbers)} else {value} end"
        values += [f"{value} as v{i}", f"raw.c{i} as r{i}"]
        names.append(f"v.v{i} as {quote_identifier(column.name)}")
        good.append(ok_sql(column, f"v.r{i}", f"v.v{i}", notation))
        failures += failures_sql(column, f"v.r{i}", f"v.v{i}", notation)
    is_good = " and ".join(["v._problem is null", *good])
    listed = f"list_filter([{', '.join(failures)}], lambda reason: reason is not null)"
    reasons = f"case when {is_good} then null when v._problem is not null then [v._problem] else {listed} end"
    raw = f"case when {is_good} then null else v._text end"
    return ", ".join(values), ", ".join(["v._line", f"{reasons} as _reasons", *names, f"{raw} as _raw"])
