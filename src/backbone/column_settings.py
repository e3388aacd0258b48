"""`[sources.x.column.NAME]`: what the settings say of one column of a source."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from backbone.contracts.epoch import Epoch
from backbone.contracts.time_format import read_format


class ColumnSettings(BaseModel):
    """How one column is written, where it differs from the rest of its source.

    What is left out (`None`) is as the source has it. The name is that of the contract's field.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    null: tuple[str, ...] | None = None
    null_in_quotes: bool | None = None
    date_format: str | None = None
    datetime_format: str | None = None
    epoch: Epoch | None = None
    sign: str | None = None
    constant: str | None = None
    row_key: bool = False

    @field_validator("date_format", "datetime_format")
    @classmethod
    def _known_format(cls, value: str | None) -> str | None:
        if value is not None:
            read_format(value)
        return value

    @field_validator("sign")
    @classmethod
    def _no_part_of_a_number(cls, value: str | None) -> str | None:
        if value is not None and (not value.strip() or not {*value}.isdisjoint("0123456789+-.,'\0\r\n")):
            raise ValueError("expected a text such as `%` or `€`, without digits, points, commas, + and -")
        return value

    @model_validator(mode="after")
    def _one_way(self) -> ColumnSettings:
        if self.row_key and self.constant is not None:
            raise ValueError("a field is a constant or a row_key, not both")
        if self.epoch is not None and self.datetime_format is not None:
            raise ValueError("times are written in a datetime_format or as an epoch, not both")
        return self


@dataclass(frozen=True)
class NullTexts:
    """Texts that mean null in one column, and whether they do in quotes too.

    Examples
    --------
    >>> nulls = NullTexts(("NA", "?"))
    >>> nulls.unquoted, nulls.anywhere
    (('?', 'NA'), ())
    """

    texts: tuple[str, ...] = ()
    in_quotes: bool = False

    @property
    def unquoted(self) -> tuple[str, ...]:
        """Those that mean null only in an unquoted field, the empty one left out, as it always does."""
        return () if self.in_quotes else tuple(sorted({*self.texts} - {""}))

    @property
    def anywhere(self) -> tuple[str, ...]:
        """Those that mean null however they are written."""
        return tuple(sorted({*self.texts})) if self.in_quotes else ()
