"""Rows that an engine holds, as a value: what a query selects, not yet read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backbone.engines.protocol import Engine

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Rows:
    """The rows that a query selects; anything that reads an Arrow stream can read them.

    Parameters
    ----------
    engine : who holds them.
    sql : a SELECT.
    versions : the versions of the tables that they come from.
    staged : tables of the engine that are there for these rows alone.
    measures : what a step has counted that no row tells of; it goes into the receipt.
    """

    engine: Engine
    sql: str
    versions: Mapping[str, int] = field(default_factory=dict)
    staged: tuple[str, ...] = ()
    measures: Mapping[str, int] = field(default_factory=dict)

    @property
    def whole(self) -> str | None:
        """The staged table that these rows are, if they are one."""
        return next((name for name in self.staged if self.sql == f"select * from {name}"), None)

    def table(self) -> pa.Table:
        """All of them, in memory."""
        return self.engine.stream(self.sql).read_all()

    def drop(self) -> None:
        """Let the engine forget what it staged for them."""
        for name in self.staged:
            self.engine.drop(name)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.engine.stream(self.sql).__arrow_c_stream__(requested_schema)
