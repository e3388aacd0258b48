"""The SQL that turns the columns of a raw file into the contract's, and keeps what breaks it.

It computes values and whether each is good. Why one is not is asked later, of the rows that are not good:
see `reasons.py`. The texts of all reasons would make up two thirds of the SQL, and DuckDB would read them
for each file, however few rows are bad.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from backbone.column_settings import ColumnSettings
from backbone.contracts.contract import (
    Column,
    Notation,
    accepts,
    ok_sql,
    quote_identifier,
    quote_literal,
    read_sql,
    value_sql,
)
from backbone.engines.duckdb.raw_file import TEXT
from backbone.source_settings import SourceSettings

MARK = "\ufeff"  # the byte order mark
NUMBERS = {"INTEGER", "UINTEGER", "FLOAT", "DOUBLE"}
BLANKS = " \t\u00a0"
REFUSAL, RECORD = "_bad[1]", "_bad[2]"


@dataclass(frozen=True)
class RawColumn:
    """A column of a raw file: an SQL expression of it, and the SQL type that it has.

    `is_number` is the condition, if there is one, that a text is a number of JSON: with a decimal point and
    nothing between thousands, whatever the source's notation. `knows_quotes` says that its reader has told
    texts in quotes from others, and made a null of those of the others that mean null.
    """

    sql: str
    sql_type: str = "VARCHAR"
    is_number: str | None = None
    knows_quotes: bool = False


@dataclass(frozen=True)
class Refusal:
    """What makes a whole row bad: a condition over the raw file's columns, and the reason, SQL both."""

    condition: str
    reason: str


@dataclass(frozen=True)
class Check:
    """A field, and the notation in which a layout of files has it.

    `named_by` is set where the field is one of the two of a cell, a column's value in a row of its own: the
    position of the field that takes the columns' names.
    """

    column: Column
    notation: Notation
    named_by: int | None = None


@dataclass(frozen=True)
class ConformSql:
    """Lists of expressions for `Database.load`, and the checks of the fields.

    The first level is what the database reads in each column, rightly or not; the second the values; the last
    the contract's columns and `_bad`, which is null for a good row, else a list of texts: the only reason of
    a row that is bad as a whole; the record, where the reader gives it; by field, its raw text; and by field,
    whether its value is good. A struct of the same costs a fifth of all that is done with the rows here.

    `width` is the number of rows that each record makes, where columns become rows, and `cells` are the names
    of these columns; else None.
    """

    levels: tuple[str, ...]
    checks: tuple[Check, ...]
    width: int | None = None
    cells: tuple[str, ...] | None = None


def conform_sql(
    fields: Sequence[Column],
    raw: Sequence[RawColumn | None],
    settings: SourceSettings,
    refusals: Sequence[Refusal] = (),
    *,
    text: str = f"raw.{TEXT}",
    also: Mapping[str, str] | None = None,
) -> ConformSql:
    """The expressions for one layout of files.

    Parameters
    ----------
    raw : by field, the column that it reads; None for a column that is absent, which is null.
    refusals : further reasons; where one holds, the first such is the only one given.
    text : of the whole record.
    also : further columns, by name their SQL over the raw columns; they stand before the contract's.
    """
    raw = [
        None if found is None else with_nulls(c, found, settings)
        for c, found in zip(fields, raw, strict=True)
    ]
    written = notation_of(settings)
    refusal = refusal_sql(refusals)
    reads, values, select = [f"{text} as _text", f"{refusal} as _refusal"], ["v._text", "v._refusal"], []
    for name, sql in (also or {}).items():
        reads.append(f"{sql} as {name}")
        values.append(f"v.{name}")
        select.append(f"v.{name}")
    good, raws, checks = [], [], []
    for i, (column, found) in enumerate(zip(fields, raw, strict=True)):
        is_text = found is None or found.sql_type == "VARCHAR"
        check = Check(column, notation_for(written, column, found, settings))
        read, value = field_sql(i, check, found)
        reads += read
        values += [f"{value} as v{i}", f"v.r{i}"]
        select.append(f"v.v{i} as {quote_identifier(column.name)}")
        good.append(ok_sql(column, f"v.r{i}", f"v.v{i}", check.notation))
        raws.append(f"v.r{i}" if is_text else f"cast(v.r{i} as varchar)")
        checks.append(check)
    ok = " and ".join(["v._refusal is null", *good])
    bad = f"[v._refusal, v._text, {', '.join(raws)}] || cast([{', '.join(good)}] as varchar[])"
    select.append(f"case when {ok} then null else {bad} end as _bad")
    return ConformSql((", ".join(reads), ", ".join(values), ", ".join(select)), tuple(checks))


def refusal_sql(refusals: Sequence[Refusal]) -> str:
    """SQL of the first reason that makes a whole row bad; null without one."""
    cases = " ".join(f"when {refusal.condition} then {refusal.reason}" for refusal in refusals)
    return f"case {cases} end" if cases else "cast(null as varchar)"


def notation_for(
    written: Notation, column: Column, found: RawColumn | None, settings: SourceSettings
) -> Notation:
    """How the values of one column are written; of one with types, only what its texts do not show."""
    notation, own = written, settings.column.get(column.name, ColumnSettings())
    if own.date_format is not None:
        notation = replace(notation, date_format=own.date_format)
    if own.datetime_format is not None or own.epoch is not None:
        notation = replace(notation, datetime_format=own.datetime_format, epoch=own.epoch)
    if found is None or found.sql_type == "VARCHAR":
        return notation
    return Notation(settings.timezone, epoch=notation.epoch if _is_number(found.sql_type) else None)


def _is_number(sql_type: str) -> bool:
    return sql_type.startswith("DECIMAL") or sql_type.endswith("INT") or sql_type in NUMBERS


def field_sql(i: int, check: Check, found: RawColumn | None) -> tuple[list[str], str]:
    """What to read for the field `i`, and its value, over what was read."""
    column, notation = check.column, check.notation
    if found is None:
        return [f"cast(null as varchar) as r{i}"], f"cast(null as {column.sql_type})"
    reads = [f"{found.sql} as r{i}"]
    if found.sql_type != "VARCHAR" and accepts(column, found.sql_type):
        return reads, f"cast(v.r{i} as {column.sql_type})"
    text = found.sql
    if found.sql_type != "VARCHAR":
        text = f"cast({found.sql} as varchar)"
        reads.append(f"{text} as t{i}")
    source = f"v.r{i}" if found.sql_type == "VARCHAR" else f"v.t{i}"
    read = read_sql(column, text, notation)
    value = value_sql(column, source, notation, None if read is None else f"v.n{i}")
    if found.is_number is not None:
        of_number = replace(notation, decimal_separator=".", thousands_separator=None)
        if value_sql(column, source, of_number) != value_sql(column, source, notation):
            number = value_sql(column, source, of_number)
            reads.append(f"{found.is_number} as is{i}")
            value = f"case when v.is{i} then {number} else {value} end"
    return reads if read is None else [*reads, f"{read} as n{i}"], value


def with_given(
    fields: Sequence[Column], raw: Sequence[RawColumn | None], settings: SourceSettings
) -> list[RawColumn | None]:
    """The raw columns with those of given fields, which every reader calls `g0`, `g1` and so on."""
    places = {column.name: i for i, column in enumerate(c for c in fields if settings.is_given(c.name))}
    return [
        RawColumn(f"raw.g{places[column.name]}") if column.name in places else found
        for column, found in zip(fields, raw, strict=True)
    ]


def with_nulls(column: Column, found: RawColumn, settings: SourceSettings) -> RawColumn:
    """A text column in which texts that mean null are null, as far as its reader did not see to it.

    The sign of a number is left out too.

    Examples
    --------
    >>> note = Column("note", "VARCHAR", True, False, False, "", ())
    >>> with_nulls(note, RawColumn("raw.c3"), SourceSettings(null=["?"], null_in_quotes=True)).sql
    "case when raw.c3 in ('?') then null else raw.c3 end"
    """
    nulls = settings.nulls_of(column.name)
    texts = nulls.anywhere if found.knows_quotes else tuple(sorted({*nulls.texts}))
    if texts and found.sql_type == "VARCHAR":
        listed = ", ".join(map(quote_literal, texts))
        found = replace(found, sql=f"case when {found.sql} in ({listed}) then null else {found.sql} end")
    own = settings.column.get(column.name)
    if own is None or own.sign is None or found.sql_type != "VARCHAR":
        return found
    return replace(found, sql=without_sign(found.sql, own.sign))


def without_sign(text: str, sign: str) -> str:
    """SQL of a number's text without a sign such as `%` before or behind it, and the blanks around that.

    Examples
    --------
    >>> import duckdb
    >>> texts = ["12 %", "%12", "-% 5", "% -5", "5", "5%%", "%"]
    >>> sql = f"select {without_sign('t', '%')} from unnest({texts}) as _(t)"
    >>> [text for (text,) in duckdb.sql(sql).fetchall()]
    ['12', '12', '-5', '-5', '5', '5%', '']
    """
    some = re.escape(sign)
    pattern = rf"^([ \t]*[+-]?)[ \t]*{some}[ \t]*|[ \t]*{some}[ \t]*$"
    return f"regexp_replace({text}, {quote_literal(pattern)}, '\\1')"


def trimmed(text: str) -> str:
    """SQL of a text without the blanks around it; null for one of blanks only, which is an empty field.

    Examples
    --------
    >>> import duckdb
    >>> sql = f"select {trimmed('t')} from unnest([' a b ', '  ', '', null]) as _(t)"
    >>> [text for (text,) in duckdb.sql(sql).fetchall()]
    ['a b', None, '', None]
    """
    bare = f"trim({text}, {quote_literal(BLANKS)})"
    return f"case when {text} <> '' and {bare} = '' then null else {bare} end"


def raw_text(field: int) -> str:
    """SQL of the raw text of a field, by position, of a bad row."""
    return f"_bad[{field + 3}]"


def is_good(field: int, fields: int) -> str:
    """SQL of whether the value of a field is good, as a text, of a bad row."""
    return f"_bad[{field + 3 + fields}]"


def repeats_header(fields: Sequence[Column], raw: Sequence[RawColumn | None], cells: int = 0) -> bool:
    """Whether a line with the header's own names would be taken for a row.

    Parameters
    ----------
    cells : how many more columns become rows.
    """
    read = [column for column, found in zip(fields, raw, strict=True) if found]
    return len(read) + cells > 1 and all(column.sql_type == "VARCHAR" for column in read)


def notation_of(settings: SourceSettings) -> Notation:
    """How the source writes its values."""
    return Notation(
        settings.timezone,
        settings.date_format,
        settings.datetime_format,
        settings.decimal_separator,
        settings.thousands_separator,
        settings.epoch,
    )


def header_again(
    raw: Sequence[RawColumn | None], names: Sequence[str], quote: str, nulls: Sequence[Set[str]]
) -> Refusal:
    """A row in which every column that is read holds its own name.

    Where files were put together, the first name follows a byte order mark, which makes quotes part of it.

    Parameters
    ----------
    names : those of a row of the header; one may be empty.
    nulls : by field, texts that the reader gives as null: a name among them may stand behind any null.
    """
    same = []
    for found, name, null in zip(raw, names, nulls, strict=True):
        if found is not None:
            texts = [name]
            if re.search(r"\braw\.c0(?:_\d+)?\b", found.sql):
                texts += [f"{MARK}{name}", f"{MARK}{quote}{name}{quote}"]
            either = [f"{found.sql} = {quote_literal(text)}" for text in texts]
            if not name or not null.isdisjoint(texts):
                either.append(f"{found.sql} is null")
            same.append("(" + " or ".join(either) + ")")
    return Refusal(" and ".join(same), quote_literal("the line repeats the header"))
