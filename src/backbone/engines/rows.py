"""Rows that an engine holds, as a value: what a query selects, not yet read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backbone.engines.protocol import Engine
from backbone.engines.relation import Relation

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Rows:
    """The rows that a query selects; anything that reads an Arrow stream can read them.

    Parameters
    ----------
    engine : who holds them.
    sql : a SELECT from relations of the engine.
    versions : the versions of the tables that they come from.
    staged : relations of the engine that are there for these rows alone.
    measures : what a step has counted and no row shows; it goes into the receipt.
    """

    engine: Engine
    sql: str
    versions: Mapping[str, int] = field(default_factory=dict)
    staged: tuple[Relation, ...] = ()
    measures: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, engine: Engine, relation: Relation, versions: Mapping[str, int] | None = None) -> Rows:
        """All rows of a relation that is there for these rows alone."""
        return cls(engine, f"select * from {relation}", versions or {}, (relation,))

    @property
    def relation(self) -> Relation | None:
        """The staged relation that these rows are, if they are one."""
        return next((one for one in self.staged if self.sql == f"select * from {one}"), None)

    def table(self) -> pa.Table:
        """All of them, in memory."""
        return self.engine.stream(self.sql).read_all()

    def drop(self) -> None:
        """Let the engine forget what it staged for them."""
        self.engine.drop(*self.staged)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.engine.stream(self.sql).__arrow_c_stream__(requested_schema)
