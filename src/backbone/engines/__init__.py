"""Where SQL runs: a small Protocol, and DuckDB behind it. Nothing above this folder knows which one."""

from __future__ import annotations

from pathlib import Path

from backbone.engines.protocol import Engine
from backbone.errors import SettingsError


def open_engine(kind: str, *, memory_limit: str, threads: int | None, scratch: Path) -> Engine:
    """The engine that `backbone.toml` names.

    Parameters
    ----------
    memory_limit : such as `4GB`; what does not fit goes to `scratch`.
    threads : None for one per core.
    scratch : a folder for spilled data, made when needed.
    """
    if kind == "duckdb":
        from backbone.engines.duckdb import DuckdbEngine

        return DuckdbEngine(memory_limit=memory_limit, threads=threads, scratch=scratch)
    raise SettingsError(
        "backbone.toml, [engine] kind", f"expected duckdb, found {kind!r}", "", 'write kind = "duckdb"'
    )
