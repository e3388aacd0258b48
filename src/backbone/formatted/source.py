"""What the formatted zone knows of a source, and of its batches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from backbone.contract import Contract, columns, fingerprint, keys, quote_literal
from backbone.dataset import BatchCount
from backbone.formatted.parse import notation_of
from backbone.settings import SourceSettings

PARSING = ("columns", "encoding", "delimiter", "quote", "escape", "header", "skip", "format")


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
    def keys(self) -> tuple[str, ...]:
        return keys(self.contract)

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(c.name for c in columns(self.contract))

    @property
    def fingerprint(self) -> str:
        """Changes with everything that changes the rows a batch gives."""
        parts = [fingerprint(self.contract, notation_of(self.settings)), self.event_time]
        parts += [repr(getattr(self.settings, name)) for name in PARSING]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Known:
    """What is known of a batch formatted before: under which fingerprint, and its rows."""

    fingerprint: str
    count: BatchCount


def among(batches: Iterable[str]) -> str:
    """SQL that is true for the rows of some batches."""
    listed = ", ".join(quote_literal(batch) for batch in batches)
    return f"_batch in ({listed})" if listed else "false"
