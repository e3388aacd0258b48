"""The SQL that turns the columns of a raw file into the contract's, with every reason why a row breaks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backbone.contract import (
    Column,
    Notation,
    accepts,
    failures_sql,
    ok_sql,
    quote_identifier,
    quote_literal,
    value_sql,
)
from backbone.engines.protocol import TEXT
from backbone.settings import SourceSettings

MARK = "\ufeff"  # the byte order mark


@dataclass(frozen=True)
class RawColumn:
    """A column of a raw file: an SQL expression of it, and the SQL type that it has."""

    sql: str
    sql_type: str = "VARCHAR"


@dataclass(frozen=True)
class Refusal:
    """What makes a whole row bad: a condition over the raw file's columns, and the reason, SQL both."""

    condition: str
    reason: str


@dataclass(frozen=True)
class ConformSql:
    """Lists of expressions for `Engine.load`: over the raw columns, and over those."""

    values: str
    select: str


def conform_sql(
    fields: Sequence[Column],
    raw: Sequence[RawColumn | None],
    settings: SourceSettings,
    refusals: Sequence[Refusal] = (),
) -> ConformSql:
    """The expressions for one layout of files.

    Parameters
    ----------
    raw : by field, the column that it reads; None for a column that is absent, which is null.
    refusals : further reasons; where one holds, it is the only one given.
    """
    as_text, as_typed = notation_of(settings), Notation(settings.timezone)
    values, names, good, failures = [], [], [], []
    for i, (column, found) in enumerate(zip(fields, raw, strict=True)):
        text = found is None or found.sql_type == "VARCHAR"
        notation = as_text if text else as_typed
        source = found.sql if found else "cast(null as varchar)"
        if found and not text and accepts(column, found.sql_type):
            value = f"cast({source} as {column.sql_type})"
        else:
            source = source if text else f"cast({source} as varchar)"
            value = value_sql(column, source, notation)
        values += [f"{value} as v{i}", f"{source} as r{i}"]
        names.append(f"v.v{i} as {quote_identifier(column.name)}")
        good.append(ok_sql(column, f"v.r{i}", f"v.v{i}", notation))
        failures += failures_sql(column, f"v.r{i}", f"v.v{i}", notation)
    cases = ""
    for i, refusal in enumerate(refusals):
        values.append(f"coalesce({refusal.condition}, false) as refused{i}")
        good.append(f"not v.refused{i}")
        cases += f" when v.refused{i} then [{refusal.reason}]"
    values.append(f"raw.{TEXT} as _text")
    listed = f"list_filter([{', '.join(failures)}], lambda reason: reason is not null)"
    ok = " and ".join(good)
    reasons = f"case when {ok} then null{cases} else {listed} end as _reasons"
    raw_text = f"case when {ok} then null else v._text end as _raw"
    return ConformSql(", ".join(values), ", ".join([reasons, *names, raw_text]))


def repeats_header(fields: Sequence[Column], raw: Sequence[RawColumn | None], names: Sequence[str]) -> bool:
    """Whether a line with the header's own names would be taken for a row."""
    read = [(column, name) for column, found, name in zip(fields, raw, names, strict=True) if found]
    return len(read) > 1 and all(column.sql_type == "VARCHAR" for column, _ in read)


def notation_of(settings: SourceSettings) -> Notation:
    """How the source writes its values."""
    return Notation(
        settings.timezone,
        settings.date_format,
        settings.datetime_format,
        settings.decimal_separator,
        settings.thousands_separator,
    )


def header_again(raw: Sequence[RawColumn | None], names: Sequence[str], quote: str) -> Refusal:
    """A row in which every column that is read holds its own name.

    Where files were put together, the first name follows a byte order mark, which makes quotes part of it.
    """
    same = []
    for found, name in zip(raw, names, strict=True):
        if found is not None:
            texts = [name]
            if found.sql == "raw.c0":
                texts += [f"{MARK}{name}", f"{MARK}{quote}{name}{quote}"]
            same.append("(" + " or ".join(f"{found.sql} = {quote_literal(text)}" for text in texts) + ")")
    return Refusal(" and ".join(same), quote_literal("the line repeats the header"))
