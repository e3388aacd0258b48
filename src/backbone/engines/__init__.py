"""Where SQL runs: a small Protocol, and DuckDB behind it. Nothing above this folder knows which one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from backbone.engines.protocol import Engine
from backbone.engines.sql.dialects import Dialect
from backbone.errors import SettingsError
from backbone.resources import refuse_unusable

if TYPE_CHECKING:
    from backbone.engines.duckdb.database import Database

DIALECTS: dict[str, Dialect] = {"duckdb": "duckdb"}


def dialect_of(kind: str) -> Dialect:
    """The SQL dialect that an engine runs."""
    _refuse_unknown(kind)
    return DIALECTS[kind]


@contextmanager
def own_engine(memory_limit: str, threads: int | None = None) -> Iterator[Engine]:
    """An engine for work outside any project; all that it holds is gone afterwards.

    Raises
    ------
    ValueError
        When the memory or the threads can't be meant.
    """
    refuse_unusable(memory_limit, threads)
    from backbone.engines.duckdb.database import own_database

    with own_database(memory_limit, threads) as database, open_engine("duckdb", database) as engine:
        yield engine


@contextmanager
def open_engine(kind: str, database: Database) -> Iterator[Engine]:
    """The engine that `backbone.toml` names.

    Parameters
    ----------
    kind : as in `[engine] kind`.
    database : the project's local database, which DuckDB's engine works in too.
    """
    _refuse_unknown(kind)
    engine = _OPENERS[kind](database)
    try:
        yield engine
    finally:
        engine.close()


def _refuse_unknown(kind: str) -> None:
    if kind not in DIALECTS:
        raise SettingsError(
            "backbone.toml, [engine] kind",
            f"expected {' or '.join(DIALECTS)}, found {kind!r}",
            "",
            f'write kind = "{next(iter(DIALECTS))}"',
        )


def _duckdb(database: Database) -> Engine:
    from backbone.engines.duckdb.engine import DuckdbEngine

    return DuckdbEngine(database)


_OPENERS: dict[str, Callable[[Database], Engine]] = {"duckdb": _duckdb}
