"""What the formatted zone knows of a source, and of its batches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from backbone.contracts.contract import (
    Column,
    Contract,
    Rule,
    columns,
    fingerprint,
    keys,
    quote_identifier,
    quote_literal,
)
from backbone.formatted.conform import notation_of
from backbone.source_settings import SourceSettings

# Within it, the calendar's arithmetic on windows never leaves the years 1 to 9999.
IN_HISTORY = Rule(
    "an event time from the year 1000 to 8999",
    "{value} >= timestamptz '1000-01-01 00:00:00+00' and {value} < timestamptz '9000-01-01 00:00:00+00'",
)
# Where a row came from: columns of the formatted, duplicate and staged tables after the contract's own.
PLACE = {"_batch": "varchar", "_row": "bigint", "_line": "bigint"}
PARSING = ("columns", "encoding", "delimiter", "quote", "escape", "header", "skip", "format")
# Later ones, which are part of a fingerprint where they are set: files of others stay as they are.
READING = {
    "null", "null_in_quotes", "from_path", "column", "when", "skip_until", "comment", "footer",
    "skip_empty_records", "header_rows", "trim", "unpivot",
}  # fmt: skip


@dataclass(frozen=True)
class FormattedSource:
    """What the formatted zone has to know of a source."""

    name: str
    contract: type[Contract]
    settings: SourceSettings
    event_time: str | None

    @property
    def dataset(self) -> str:
        return f"formatted.{self.name}"

    @property
    def columns(self) -> tuple[Column, ...]:
        """The contract's columns as files are held to them.

        An event time also lies where windows can be told and counted; a key made of file and record is null
        until it is made.
        """
        return tuple(
            replace(c, rules=(*c.rules, IN_HISTORY))
            if c.name == self.event_time
            else replace(c, nullable=True)
            if self.settings.is_row_key(c.name)
            else c
            for c in columns(self.contract)
        )

    def for_file(self, name: str) -> FormattedSource:
        """The source as a file of this name is to be read."""
        settings = self.settings.for_file(name)
        return self if settings is self.settings else replace(self, settings=settings)

    @property
    def keys(self) -> tuple[str, ...]:
        return keys(self.contract)

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(c.name for c in columns(self.contract))

    @property
    def row(self) -> str:
        """SQL of the columns of a formatted row, the contract's and those of its place."""
        return ", ".join(map(quote_identifier, (*self.fields, *PLACE)))

    @property
    def fingerprint(self) -> str:
        """Changes with everything that changes the rows a batch gives."""
        parts = [fingerprint(self.contract, notation_of(self.settings)), self.event_time]
        parts += [repr(getattr(self.settings, name)) for name in PARSING]
        parts += [*PLACE, repr(self.settings.extra_columns == "refuse")]
        where_set = self.settings.model_dump(include=READING, exclude_defaults=True)
        parts += [repr(setting) for setting in sorted(where_set.items())]
        if any(settings.is_row_key(f) for settings in self.settings.of_all_files for f in self.fields):
            parts.append(self.settings.redelivery)
        if self.keys:  # both decide which of two rows with one key wins
            parts += [self.settings.latest, self.settings.redelivery]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def among(batches: Iterable[str]) -> str:
    """SQL that is true for the rows of some batches."""
    listed = ", ".join(quote_literal(batch) for batch in batches)
    return f"_batch in ({listed})" if listed else "false"
