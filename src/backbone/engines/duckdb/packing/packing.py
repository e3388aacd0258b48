"""Rows packed into one number each, so that sorting them is sorting one array.

A user, two counts and a yes or no seldom have more than 63 bits between them; nor have an hour, the two ends
of an edge and a count, where a text is told by its place among those that occur. `number_sort.py` sorts the
numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from backbone.contracts.contract import quote_identifier

if TYPE_CHECKING:
    import pyarrow as pa

INTEGER_BITS, MOST_BITS = 31, 63
INTEGERS = {"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
INSTANTS = {"TIMESTAMP": "make_timestamp", "TIMESTAMP WITH TIME ZONE": "make_timestamptz"}
DAY = 86_400_000_000  # microseconds
UNITS = (3_600_000_000, 1_000_000, 1)  # the same; instants are packed in the largest that divides them
DATE, EPOCH, TEXT = "DATE", "date '1970-01-01'", "VARCHAR"
ROWS_PER_TEXT = 16  # to find the distinct ones of fewer rows costs more than it saves

Read = Callable[[str], "pa.Table"]


@dataclass(frozen=True)
class Texts:
    """The distinct texts of a column in their order; one is packed as its place.

    `name` is what queries call a table with the columns text and place, and a column of the texts.
    """

    name: str
    values: pa.Array


@dataclass(frozen=True)
class Field:
    """The place of a column in the packed number.

    Parameters
    ----------
    least : its smallest value, packed as 0.
    span : how far its largest value is from that; a null is packed as `span + 1`, and so comes last.
    shift : how many bits lie below it.
    unit : of an instant, the microseconds of one step.
    texts : of a text.
    """

    name: str
    kind: str
    least: int
    span: int
    nullable: bool
    shift: int
    unit: int = 1
    texts: Texts | None = None

    @property
    def bits(self) -> int:
        return (self.span + self.nullable).bit_length()

    @property
    def packed(self) -> str:
        """SQL; a narrow integer where it can be, which costs half of a wide one."""
        end = self.shift + self.bits
        narrow = end <= INTEGER_BITS and max(abs(self.least), abs(self.least + self.span)) < 2**INTEGER_BITS
        number = (
            f"{self.texts.name}.place"
            if self.texts
            else _number(f"r.{quote_identifier(self.name)}", self.kind)
        )
        if self.unit > 1:
            number = f"({number} // {self.unit})"
        code = f"cast({number} as {'integer' if narrow else 'bigint'}) - {self.least}"
        if self.nullable:
            code = f"coalesce({code}, {self.span + 1})"
        return f"({code}) * {2**self.shift}"

    def unpacked(self, table: str) -> str:
        """SQL for its value, of its own type."""
        name = quote_identifier(self.name)
        if self.texts:
            return f"{table}.{self.texts.name} as {name}"
        code = f"(({table}.k >> {self.shift}) & {2**self.bits - 1})"
        if self.nullable:
            code = f"nullif({code}, {self.span + 1})"
        code = f"{code} + {self.least}"
        if self.kind == DATE:
            return f"{EPOCH} + cast({code} as integer) as {name}"
        if self.kind in INSTANTS:
            return f"{INSTANTS[self.kind]}(({code}) * {self.unit}) as {name}"
        return f"cast({code} as {self.kind}) as {name}"

    def found(self, numbers: npt.NDArray[np.int64]) -> pa.Array:
        """The texts of packed rows."""
        import pyarrow as pa

        assert self.texts
        places = ((numbers >> self.shift) & (2**self.bits - 1)).astype(np.int32)
        missing = places > self.span if self.nullable else None
        return pa.DictionaryArray.from_arrays(pa.array(places, mask=missing), self.texts.values)


@dataclass(frozen=True)
class Packing:
    """How rows become numbers whose order is theirs.

    Parameters
    ----------
    sql : a query of the rows.
    fields : its columns, the one that counts most for the order first.
    rows : how many there are.
    """

    sql: str
    fields: tuple[Field, ...]
    rows: int

    @property
    def numbers(self) -> str:
        """A query of the packed rows, its column `k`; it names the tables of `places`."""
        narrow = [f.packed for f in self.fields if f.shift + f.bits <= INTEGER_BITS]
        wide = [f.packed for f in self.fields if f.shift + f.bits > INTEGER_BITS]
        terms = " + ".join([*wide, *([f"({' + '.join(narrow)})"] if narrow else [])])
        joins = "".join(
            f" left join {field.texts.name} on {field.texts.name}.text = r.{quote_identifier(field.name)}"
            for field in self.fields
            if field.texts
        )
        return f"select cast({terms} as bigint) as k from ({self.sql}) as r{joins}"

    @property
    def places(self) -> dict[str, pa.Table]:
        """The places of texts, by the names of the tables."""
        import pyarrow as pa

        return {
            texts.name: pa.table(
                {"text": texts.values, "place": np.arange(len(texts.values), dtype=np.int32)}
            )
            for texts in (field.texts for field in self.fields)
            if texts
        }

    def table(self, numbers: npt.NDArray[np.int64]) -> pa.Table:
        """Packed rows, for `unpacked` to read; the numbers are not copied."""
        import pyarrow as pa

        texts = {field.texts.name: field.found(numbers) for field in self.fields if field.texts}
        return pa.table({"k": numbers, **texts})

    def days(self, numbers: npt.NDArray[np.int64]) -> tuple[range, npt.NDArray[np.int64]]:
        """The days since 1970 (UTC) that packed rows can be of, and where in their order each ends.

        They are sorted by an instant, which is not null.
        """
        first = self.fields[0]
        per_day = DAY // first.unit
        days = range(first.least // per_day, (first.least + first.span) // per_day + 1)
        starts = np.arange(days.start + 1, days.stop) * per_day - first.least
        return days, np.append(np.searchsorted(numbers, starts << first.shift), len(numbers))

    def unpacked(self, table: str) -> str:
        """A query of the rows of a `table`, in its order."""
        return f"select {', '.join(field.unpacked(table) for field in self.fields)} from {table}"


def packing(
    sql: str,
    columns: Sequence[tuple[str, str]],
    sorting: Sequence[str],
    read: Read,
    most_bytes: int,
    fewest: int = 0,
) -> Packing | None:
    """How to pack the rows of a query so that they sort by some columns, then by the others.

    Parameters
    ----------
    columns : names and SQL types of the query's columns.
    read : runs a query.
    most_bytes : that the distinct texts of a column may take.
    fewest : rows that are worth it.

    Returns
    -------
    None where there are fewer rows; where a column holds neither whole numbers, nor days or instants, nor
    texts of which each occurs many times; and where all together need more than 63 bits.
    """
    if not all(kind in INTEGERS or kind in INSTANTS or kind in (DATE, TEXT) for _, kind in columns):
        return None
    kinds = dict(columns)
    names = [*sorting, *(name for name, _ in columns if name not in sorting)]
    extents = [part for name in names for part in _extent(quote_identifier(name), kinds[name])]
    listed = ", ".join(f"{extent} as c{index}" for index, extent in enumerate(["count(*)", *extents]))
    rows, *found = (column[0].as_py() for column in read(f"select {listed} from ({sql}) as r").columns)
    if rows < fewest:
        return None
    fields = []
    for index, name in enumerate(names):
        field = _field(name, kinds[name], _Extent(*found[4 * index : 4 * index + 4]), rows, most_bytes)
        if field is None:
            return None
        fields.append(field)
    if sum(field.bits for field in fields) > MOST_BITS:
        return None
    placed: list[Field] = []
    shift = 0
    for index, field in reversed(list(enumerate(fields))):
        if field.kind == TEXT:
            name = quote_identifier(field.name)
            texts = read(
                f"select distinct {name} as text from ({sql}) as r where {name} is not null order by 1"
            )
            values = texts["text"].combine_chunks()
            field = replace(field, span=len(values) - 1, texts=Texts(f"texts_{index}", values))
        placed.insert(0, replace(field, shift=shift))
        shift += field.bits
    return Packing(sql, tuple(placed), rows) if 0 < shift <= MOST_BITS else None


def _number(column: str, kind: str) -> str:
    """SQL for a value as a whole number."""
    if kind == DATE:
        return f"({column} - {EPOCH})"
    return f"epoch_us({column})" if kind in INSTANTS else column


class _Extent(NamedTuple):
    """What is asked of a column first.

    Parameters
    ----------
    present : how many values are not null.
    least, most : of whole numbers, of days since 1970 and of microseconds; of texts, about how many differ,
        and the longest one's bytes.
    unit : of instants.
    """

    present: int
    least: int | None
    most: int | None
    unit: int | None


def _extent(name: str, kind: str) -> list[str]:
    """SQL for the parts of an `_Extent`; without a least and a most where one is infinite."""
    if kind == TEXT:
        return [f"count({name})", f"approx_count_distinct({name})", f"max(strlen({name}))", "1"]
    extremes, unit = (f"min({name})", f"max({name})"), "1"
    numbers = [_number(extreme, kind) for extreme in extremes]
    if kind not in INTEGERS:
        finite = " and ".join(f"isfinite({extreme})" for extreme in extremes)
        numbers = [f"case when {finite} then {number} end" for number in numbers]
    if kind in INSTANTS:
        divides = " ".join(f"when bit_or({_number(name, kind)} % {unit}) = 0 then {unit}" for unit in UNITS)
        unit = f"case {divides} end"
    return [f"count({name})", *numbers, unit]


def _field(name: str, kind: str, extent: _Extent, rows: int, most_bytes: int) -> Field | None:
    """A column's field without its shift; of texts without these, for about so many of them."""
    nullable = extent.present < rows
    if kind == TEXT:
        distinct, longest = int(extent.least or 0), int(extent.most or 0)
        if distinct == 0 or distinct * ROWS_PER_TEXT > rows or distinct * longest > most_bytes:
            return None
        return Field(name, kind, 0, distinct - 1, nullable, 0)
    if extent.present and extent.least is None:
        return None
    unit = int(extent.unit or 1)
    least, most = int(extent.least or 0) // unit, int(extent.most or 0) // unit
    return Field(name, kind, least, most - least, nullable, 0, unit)
