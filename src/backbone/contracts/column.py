"""A column of a formatted table, as a contract declares it, and the rules that its values keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Rule:
    """A condition that every value of a column keeps.

    Parameters
    ----------
    text : the rule for a reader, as in `unit_price >= 0`.
    condition : boolean SQL with `{value}` in the value's place and every other brace doubled.

    Examples
    --------
    >>> Rule("code matches ^a{2}$", "regexp_matches({value}, '^a{{2}}$')").sql('"code"')
    'regexp_matches("code", \\'^a{2}$\\')'
    """

    text: str
    condition: str

    def sql(self, value: str) -> str:
        """The condition on `value`, an SQL expression."""
        return self.condition.format(value=value)


@dataclass(frozen=True)
class Column:
    """One column of a formatted table.

    Parameters
    ----------
    name : of the column, in the raw file and in the table.
    sql_type : VARCHAR, BIGINT, DOUBLE, DECIMAL(p,s), BOOLEAN, TIMESTAMPTZ or DATE.
    nullable : whether null is a value.
    optional : whether a file may lack the column, which is null then.
    key : whether it is part of what identifies a row.
    description : the meaning, with the unit.
    rules : what every value but null keeps.
    """

    name: str
    sql_type: str
    nullable: bool
    optional: bool
    key: bool
    description: str
    rules: tuple[Rule, ...]

    @property
    def arrow_type(self) -> pa.DataType:
        """The type as Arrow has it."""
        import pyarrow as pa

        kinds = {
            "VARCHAR": pa.string(),
            "BIGINT": pa.int64(),
            "DOUBLE": pa.float64(),
            "BOOLEAN": pa.bool_(),
            "TIMESTAMPTZ": pa.timestamp("us", "UTC"),
            "DATE": pa.date32(),
            "BLOB": pa.binary(),
        }
        if self.sql_type in kinds:
            return kinds[self.sql_type]
        precision, scale = self.sql_type.removeprefix("DECIMAL(").removesuffix(")").split(",")
        return pa.decimal128(int(precision), int(scale))
