"""The SQL that makes rows of columns: a row for each cell, which is a record's value in one of the columns.

The other fields are converted once for each record, before there are rows. A record that is bad itself, in
one of these fields or as a whole, makes one row, which is turned away; a cell that is bad makes one, and so
does each that is good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from backbone.column_settings import ColumnSettings
from backbone.contracts.contract import Column, accepts, ok_sql, quote_identifier, quote_literal
from backbone.contracts.conversion import ODD_FLOAT
from backbone.engines.duckdb.raw_file import TEXT
from backbone.formatted.conform import (
    Check,
    ConformSql,
    RawColumn,
    Refusal,
    field_sql,
    notation_for,
    notation_of,
    refusal_sql,
    with_nulls,
)
from backbone.source_settings import SourceSettings

SHOWN = 1_000
"""Characters of a record that are kept with a bad cell: a record may have thousands of them."""
EMPTY, OF_RECORD = "empty cell", "cell of a record that is turned away"
"""Why a cell makes no row."""


@dataclass(frozen=True)
class Cells:
    """The columns that become rows: their names, and what they hold.

    Attributes
    ----------
    names : of the columns; without any, each record has one empty cell.
    columns : all of one type.
    labels : by field, what a record calls it whose text is to be made: of its other fields and the cell.
        None are given where the reader has the text.
    """

    names: tuple[str, ...]
    columns: tuple[RawColumn, ...]
    labels: tuple[str, ...] = ()


def of_one_type(value: Column, columns: Sequence[RawColumn]) -> tuple[RawColumn, ...]:
    """Columns as they can stand below each other, exactly: of one type, or as texts.

    Examples
    --------
    >>> kwh = Column("kwh", "DOUBLE", False, False, False, "", ())
    >>> [column.sql for column in of_one_type(kwh, [RawColumn("c1", "DOUBLE"), RawColumn("c2", "FLOAT")])]
    ['cast(c1 as DOUBLE)', 'cast(c2 as DOUBLE)']
    >>> [column.sql for column in of_one_type(kwh, [RawColumn("c1", "DOUBLE"), RawColumn("c2", "BIGINT")])]
    ['cast(c1 as varchar)', 'cast(c2 as varchar)']
    """
    if len({column.sql_type for column in columns}) < 2:
        return tuple(columns)
    if all(accepts(value, column.sql_type) for column in columns):
        kind = value.sql_type
        return tuple(replace(c, sql=f"cast({c.sql} as {kind})", sql_type=kind) for c in columns)
    return tuple(
        RawColumn(column.sql, is_number="false")
        if column.sql_type == "VARCHAR"
        else RawColumn(f"cast({column.sql} as varchar)", is_number="true")
        for column in columns
    )


def unpivot_sql(
    fields: Sequence[Column],
    raw: Sequence[RawColumn | None],
    cells: Cells,
    settings: SourceSettings,
    refusals: Sequence[Refusal] = (),
    *,
    text: str = f"raw.{TEXT}",
    also: Mapping[str, str] | None = None,
) -> ConformSql:
    """The expressions for one layout of files, as those of `conform_sql`; each record makes `width` rows.

    Of a cell that makes no row, `_bad` is a list of one text: why it makes none.

    Parameters
    ----------
    also : as in `conform_sql`; with `_record`, the record's position from 0, `_row` is selected too.
    """
    assert settings.unpivot is not None
    name, value = ([c.name for c in fields].index(field) for field in settings.unpivot.fields)
    read = _Fields(fields, raw, cells, settings, name, value)
    also = also or {}
    width = max(len(cells.names), 1)
    names = ", ".join(map(quote_literal, cells.names or ("",)))
    columns = ", ".join(column.sql for column in cells.columns) or "cast(null as varchar)"
    numbers = ", ".join(column.is_number or "false" for column in cells.columns) or "false"
    has_numbers = any(column.is_number is not None for column in cells.columns)
    listed = [f"[{columns}] as _cells", *([f"[{numbers}] as _numbers"] if has_numbers else [])]
    listed.append(f"{read.odd} as _odd")

    labels = cells.labels
    kept = [f"v.{other}" for other in also]
    record_text = read.as_object(labels) if labels else "v._text"
    cell_text = read.as_object(labels, of_cell=True) if labels else f"left(v._text, {SHOWN})"
    begin = [f"{'null' if labels else text} as _text", f"{refusal_sql(refusals)} as _refusal"]
    begin += [f"{sql} as {other}" for other, sql in also.items()]
    carried = ["v._text", *kept, *read.converted, "v._bad_record", "v._place", "v._name"]
    levels = [
        [*begin, *read.reads, *listed],
        [
            "v._text", "v._refusal", *kept, *read.values, "v._cells", "v._odd",
            *(["v._numbers"] if has_numbers else []),
        ],
        [
            "v._text", "v._odd", *kept, *read.converted, f"{read.bad_record(record_text)} as _bad_record",
            f"unnest([{names}]) as _name", "unnest(v._cells) as _cell", f"unnest(range({width})) as _place",
            *(["unnest(v._numbers) as _is_number"] if has_numbers else []),
        ],
        [*carried, "v._odd", *read.cell_reads],
        [*carried, *read.cell_values],
    ]  # fmt: skip
    numbered = [] if "_record" not in also else [f"v._record * {width} + v._place as _row"]
    select = [*numbered, *kept, *read.selected, f"{read.bad(cell_text)} as _bad"]
    return ConformSql((*map(", ".join, levels), ", ".join(select)), tuple(read.checks), width, cells.names)


class _Fields:
    """The expressions of each level for the fields: those of the record, and the two of a cell."""

    def __init__(
        self,
        fields: Sequence[Column],
        raw: Sequence[RawColumn | None],
        cells: Cells,
        settings: SourceSettings,
        name: int,
        value: int,
    ) -> None:
        self.fields, self.name, self.value = fields, name, value
        first = cells.columns[0] if cells.columns else RawColumn("")
        of_cells = any(column.is_number is not None for column in cells.columns)
        own = {
            name: RawColumn("v._name"),
            value: replace(first, sql="v._cell", is_number="v._is_number" if of_cells else None),
        }
        found = [own.get(i, column) for i, column in enumerate(raw)]
        of_names = settings.model_copy(update={"null": (), "column": _signs(settings)})
        self._found = [
            None if column is None else with_nulls(c, column, of_names if i == name else settings)
            for i, (c, column) in enumerate(zip(fields, found, strict=True))
        ]
        written = notation_of(settings)
        self.checks = [
            Check(c, notation_for(written, c, column, settings), name if i in own else None)
            for i, (c, column) in enumerate(zip(fields, self._found, strict=True))
        ]
        sql = [field_sql(i, check, self._found[i]) for i, check in enumerate(self.checks)]
        self.odd = "true"
        number = self.checks[value]
        if cells.columns and _is_plain_float(number, first, settings):
            texts = ", ".join(column.sql for column in cells.columns)
            self.odd = f"regexp_matches(concat_ws(' ', {texts}), {quote_literal(ODD_FLOAT)})"
            reads, full = sql[value]
            quick = f"not v._odd and isfinite(v.n{value}) and v.n{value} <> 0"
            sql[value] = reads, f"case when {quick} then v.n{value} else {full} end"
        self._records = [i for i in range(len(fields)) if i not in own]
        self._good = [
            ok_sql(check.column, f"v.r{i}", f"v.v{i}", check.notation) for i, check in enumerate(self.checks)
        ]
        self.reads = [part for i in self._records for part in sql[i][0]]
        self.values = [part for i in self._records for part in (f"{sql[i][1]} as v{i}", f"v.r{i}")]
        self.converted = [part for i in self._records for part in (f"v.v{i}", f"v.r{i}")]
        self.cell_reads = [part for i in own for part in sql[i][0]]
        self.cell_values = [part for i in own for part in (f"{sql[i][1]} as v{i}", f"v.r{i}")]
        self.selected = [f"v.v{i} as {quote_identifier(c.name)}" for i, c in enumerate(fields)]

    def bad_record(self, text: str) -> str:
        """SQL of what `_bad` is for a record that is bad itself; null for others."""
        good = " and ".join(["v._refusal is null", *(self._good[i] for i in self._records)])
        flags = [self._good[i] if i in self._records else "true" for i in range(len(self.fields))]
        raws = [self._raw(i) if i in self._records else "null" for i in range(len(self.fields))]
        return f"case when {good} then null else {_listed('v._refusal', text, raws, flags)} end"

    def bad(self, text: str) -> str:
        """SQL of `_bad`: that of the record, or that of the cell; or why the cell makes no row."""
        good = f"{self._good[self.name]} and {self._good[self.value]}"
        flags = ["true" if i in self._records else self._good[i] for i in range(len(self.fields))]
        raws = [self._raw(i) for i in range(len(self.fields))]
        empty = ""
        if not self.fields[self.value].nullable:
            empty = f"when v.r{self.value} is null then [{quote_literal(EMPTY)}] "
        return (
            f"case when v._bad_record is not null then "
            f"case when v._place > 0 then [{quote_literal(OF_RECORD)}] else v._bad_record end "
            f"{empty}when {good} then null else {_listed('null', text, raws, flags)} end"
        )

    def as_object(self, labels: Sequence[str], *, of_cell: bool = False) -> str:
        """SQL of an object of what was read of a record, and of one cell."""
        read = [i for i in self._records if self._found[i] is not None]
        pairs = [f"{quote_literal(labels[i])}, v.r{i}" for i in read]
        if of_cell:
            pairs.append(f"v._name, v.r{self.value}")
        return f"cast(json_object({', '.join(pairs)}) as varchar)"

    def _raw(self, i: int) -> str:
        if i == self.name:
            return "v._name"
        found = self._found[i]
        is_text = found is None or found.sql_type == "VARCHAR"
        return f"v.r{i}" if is_text else f"cast(v.r{i} as varchar)"


def _is_plain_float(check: Check, cell: RawColumn, settings: SourceSettings) -> bool:
    """Whether cells are texts of floats as DuckDB reads them: those of a whole record are looked at together.

    To look at each by itself takes a fifth of all that is done with them.
    """
    own = settings.column.get(check.column.name, ColumnSettings())
    usual = check.notation.decimal_separator == "." and check.notation.thousands_separator is None
    is_text = cell.sql_type == "VARCHAR"
    return check.column.sql_type == "DOUBLE" and usual and is_text and own.sign is None


def _signs(settings: SourceSettings) -> dict[str, ColumnSettings]:
    """What the settings say of columns, without texts that mean null: no name of a column does."""
    return {name: own.model_copy(update={"null": None}) for name, own in settings.column.items()}


def _listed(refusal: str, text: str, raws: Sequence[str], flags: Sequence[str]) -> str:
    """SQL of the list that `_bad` is."""
    return f"[{refusal}, {text}, {', '.join(raws)}] || cast([{', '.join(flags)}] as varchar[])"
