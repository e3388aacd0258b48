"""`[sources.x.unpivot]`: columns of a wide file that become rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

ALL_OTHERS = "*"
"""The pattern of all columns that no field reads."""
WILDCARDS = frozenset("*?[")


class UnpivotSettings(BaseModel):
    """Which columns become rows, and the fields that take their names and their values.

    Examples
    --------
    >>> wide = UnpivotSettings(columns=["m*", "total"], name="meter", value="kwh")
    >>> wide.patterns, wide.exact, wide.matches("m7"), wide.matches("M7")
    (('m*', 'total'), ('total',), True, False)
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: str | tuple[str, ...]
    name: str
    value: str

    @field_validator("columns")
    @classmethod
    def _named(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        patterns = (value,) if isinstance(value, str) else value
        if not patterns or not all(pattern.strip() for pattern in patterns):
            found = value if isinstance(value, str) else list(value)
            raise ValueError(f'expected names or patterns of columns, such as "m*", found {found!r}')
        if len({*patterns}) < len(patterns):
            raise ValueError(f"expected each name once, found {list(patterns)!r}")
        return value

    @model_validator(mode="after")
    def _two_fields(self) -> UnpivotSettings:
        if self.name == self.value:
            raise ValueError(f"expected two fields as name and value, found {self.name!r} for both")
        return self

    @property
    def patterns(self) -> tuple[str, ...]:
        """The names and patterns, also where there is one."""
        return (self.columns,) if isinstance(self.columns, str) else self.columns

    @property
    def exact(self) -> tuple[str, ...]:
        """Those without a wildcard: columns that each file has to have."""
        return tuple(pattern for pattern in self.patterns if WILDCARDS.isdisjoint(pattern))

    @property
    def fields(self) -> tuple[str, str]:
        """The fields that no column is read for: one takes the columns' names, the other their values."""
        return self.name, self.value

    def matches(self, column: str) -> bool:
        """Whether a column that no field reads becomes rows; one without a name never does."""
        return bool(column) and any(_is_meant(pattern, column) for pattern in self.patterns)

    def of(self, names: Sequence[str], read: Collection[str]) -> tuple[str, ...]:
        """The columns of a file that become rows, in its order.

        Parameters
        ----------
        read : the columns that fields read.

        Examples
        --------
        >>> wide = UnpivotSettings(columns="*", name="meter", value="kwh")
        >>> wide.of(["", "day", "north", "south"], {"day"})
        ('north', 'south')
        """
        return tuple(name for name in names if name not in read and self.matches(name))

    def takes(self, column: str) -> str | None:
        """The first pattern that would take a column which a field reads; `*` alone means all others."""
        return next((p for p in self.patterns if p != ALL_OTHERS and _is_meant(p, column)), None)


def _is_meant(pattern: str, column: str) -> bool:
    return pattern == column or fnmatchcase(column, pattern)
