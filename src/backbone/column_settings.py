"""`[sources.x.column.NAME]`: what the settings say of one column of a source."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


class ColumnSettings(BaseModel):
    """How one column is written, where it differs from the rest of its source.

    What is left out (`None`) is as the source has it. The name is that of the contract's field.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    null: tuple[str, ...] | None = None
    null_in_quotes: bool | None = None


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
