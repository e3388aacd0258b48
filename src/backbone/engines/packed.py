"""Rows of whole numbers, packed into one number each, so that sorting them is sorting one array.

NumPy sorts an array of 64-bit numbers with vector instructions, in a tenth of the time in which a database
sorts rows. A user, two counts and a yes or no seldom have more than 63 bits between them. What does not fit
into memory at once is sorted range by range.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from backbone.contract import quote_identifier

INTEGER_BITS, MOST_BITS = 31, 63
BUCKETS_BITS = 12  # of the ranges that are counted where not all rows can be in memory at once
KINDS = {"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}

Fetch = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Field:
    """The place of a column in the packed number.

    Parameters
    ----------
    least : its smallest value, packed as 0.
    span : how far its largest value is from that; a null is packed as `span + 1`, and so comes last.
    shift : how many bits lie below it.
    """

    name: str
    kind: str
    least: int
    span: int
    nullable: bool
    shift: int

    @property
    def bits(self) -> int:
        return (self.span + self.nullable).bit_length()

    @property
    def packed(self) -> str:
        """SQL; a narrow integer where it can be, which costs half of a wide one."""
        end = self.shift + self.bits
        narrow = end <= INTEGER_BITS and max(abs(self.least), abs(self.least + self.span)) < 2**INTEGER_BITS
        code = f"cast({quote_identifier(self.name)} as {'integer' if narrow else 'bigint'}) - {self.least}"
        if self.nullable:
            code = f"coalesce({code}, {self.span + 1})"
        return f"({code}) * {2**self.shift}"

    def unpacked(self, number: str) -> str:
        """SQL for its value, of its own type."""
        code = f"(({number} >> {self.shift}) & {2**self.bits - 1})"
        if self.nullable:
            code = f"nullif({code}, {self.span + 1})"
        return f"cast({code} + {self.least} as {self.kind}) as {quote_identifier(self.name)}"


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
        """A query of the packed rows, its column `k`."""
        narrow = [f.packed for f in self.fields if f.shift + f.bits <= INTEGER_BITS]
        wide = [f.packed for f in self.fields if f.shift + f.bits > INTEGER_BITS]
        terms = " + ".join([*wide, *([f"({' + '.join(narrow)})"] if narrow else [])])
        return f"select cast({terms} as bigint) as k from ({self.sql}) as r"

    def unpacked(self, table: str) -> str:
        """A query of the rows of a table of packed numbers, in its order."""
        return f"select {', '.join(field.unpacked('k') for field in self.fields)} from {table}"

    def ranges(self, fetch: Fetch, most: int) -> list[tuple[int, int, int]]:
        """Ranges of packed numbers, in order: from, to before, and the rows in it, which are `most` or fewer.

        There are none where more rows than that lie too close together.
        """
        bits = self.fields[0].shift + self.fields[0].bits
        if self.rows <= most:
            return [(0, 2**bits, self.rows)]
        shift = max(bits - BUCKETS_BITS, 0)
        counted = fetch(
            f"select k >> {shift} as b, count(*) from ({self.numbers}) as n group by b order by b"
        )
        found: list[tuple[int, int, int]] = []
        for bucket, rows in counted:
            end = (int(bucket) + 1) << shift
            if rows > most:
                return []
            if found and found[-1][2] + rows <= most:
                found[-1] = (found[-1][0], end, found[-1][2] + rows)
            else:
                found.append((int(bucket) << shift, end, rows))
        return found


def packing(
    sql: str,
    columns: Sequence[tuple[str, str]],
    sorting: Sequence[str],
    fetch: Fetch,
) -> Packing | None:
    """How to pack the rows of a query so that they sort by some columns, then by the others.

    Parameters
    ----------
    columns : names and SQL types of the query's columns.
    fetch : runs a query.

    Returns
    -------
    None where a column holds anything but whole numbers, or all together need more than 63 bits.
    """
    if not all(kind in KINDS for _, kind in columns):
        return None
    kinds = dict(columns)
    names = [*sorting, *(name for name, _ in columns if name not in sorting)]
    extents = ", ".join(f"count({c}), min({c}), max({c})" for c in map(quote_identifier, names))
    rows, *found = fetch(f"select count(*), {extents} from ({sql}) as r")[0]
    fields: list[Field] = []
    shift = 0
    for index in reversed(range(len(names))):
        present, least, most = found[3 * index : 3 * index + 3]
        low, high = int(least or 0), int(most or 0)
        field = Field(names[index], kinds[names[index]], low, high - low, present < rows, shift)
        fields.insert(0, field)
        shift += field.bits
    return Packing(sql, tuple(fields), rows) if 0 < shift <= MOST_BITS else None
