"""Where SQL runs: a small Protocol, and DuckDB behind it. Nothing above this folder knows which one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from backbone.engines.protocol import Engine
from backbone.engines.sql.dialects import Dialect
from backbone.errors import SettingsError
from backbone.resources import refuse_unusable

DIALECTS: dict[str, Dialect] = {"duckdb": "duckdb"}


def dialect_of(kind: str) -> Dialect:
    """The SQL dialect that an engine runs."""
    _refuse_unknown(kind)
    return DIALECTS[kind]


def open_engine(kind: str, *, memory_limit: str, threads: int | None, scratch: Path) -> Engine:
    """The engine that `backbone.toml` names.

    Parameters
    ----------
    memory_limit : such as `4GB`; what does not fit goes to `scratch`.
    threads : None for one per core.
    scratch : a folder for spilled data, made when needed.
    """
    _refuse_unknown(kind)
    from backbone.engines.duckdb.engine import DuckdbEngine

    return DuckdbEngine(memory_limit=memory_limit, threads=threads, scratch=scratch)


@contextmanager
def own_engine(memory_limit: str, threads: int | None = None) -> Iterator[Engine]:
    """An engine for work outside any project; all that it holds is gone afterwards.

    Raises
    ------
    ValueError
        When the memory or the threads can't be meant.
    """
    refuse_unusable(memory_limit, threads)
    with TemporaryDirectory(prefix="backbone-") as scratch:
        engine = open_engine(
            next(iter(DIALECTS)), memory_limit=memory_limit, threads=threads, scratch=Path(scratch)
        )
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
