"""Small projects for the tests, and what is in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from typer.testing import CliRunner

from backbone.dataset import Receipt, instant_of
from backbone.lake.table import Lake
from backbone.runner import Project, RunResult, open_project, run

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LEDGER_GONE = (
    "operations: expected the tables of the ledger, found none; they are made again from the receipts"
)
ZONES = ("formatted.", "quarantine.", "duplicate.", "exploitation.")

CONTRACTS = '''
from datetime import datetime
from typing import Annotated

import pyarrow as pa
from pydantic import Field

from backbone.contracts.contract import Contract, Key
from backbone.exploitation.checks import (
    AcceptedValues, InRange, NearRecent, NotNull, RowCount, Unique
)
from backbone.exploitation.model import SqlModel, Step
from backbone.pipeline import Pipeline, Source


class Sale(Contract):
    """A sale, which may be delivered more than once."""

    sale_id: Annotated[int, Key]
    shop: str
    amount: Annotated[int, Field(ge=0)]
    sold_at: datetime


class Visit(Contract):
    """A visit to a shop; two equal ones are two visits."""

    shop: str
    seconds: Annotated[int, Field(ge=0)]
    visited_at: datetime


class Shop(Contract):
    """A shop."""

    shop: Annotated[str, Key]
    town: str


SOURCES = [
    Source("sale", Sale, event_time="sold_at"),
    Source("visit", Visit, event_time="visited_at"),
]
'''

STEPS = """
pipeline = Pipeline(
    "tiny",
    every="day",
    sources=SOURCES,
    steps=[
        SqlModel(
            "shop_day",
            "shop_day.sql",
            grain=["shop"],
            conserves={
                "amount": "sum(amount) from formatted.sale",
                "visits": "count(*) from formatted.visit",
            },
        ),
    ],
)
"""

SHOP_DAY = """
with sold as (
    select s.shop, sum(s.amount) as amount from formatted.sale as s
    where s.sold_at >= $window_start and s.sold_at < $window_end
    group by s.shop
),
visited as (
    select v.shop, count(*) as visits from formatted.visit as v
    where v.visited_at >= $window_start and v.visited_at < $window_end
    group by v.shop
)
select
    coalesce(sold.shop, visited.shop) as shop,
    cast(coalesce(sold.amount, 0) as bigint) as amount,
    cast(coalesce(visited.visits, 0) as bigint) as visits
from sold full join visited on visited.shop = sold.shop
"""


class TinyProject:
    """A project with a pipeline of its own in its folder.

    Parameters
    ----------
    pipeline : Python that follows `CONTRACTS` in the pipeline's module.
    sql : the models' files, by name.
    settings : what follows `[project]` in `backbone.toml`.
    """

    def __init__(
        self, root: Path, pipeline: str = STEPS, sql: Mapping[str, str] | None = None, settings: str = ""
    ) -> None:
        self.root = root
        self.module = f"tiny_{abs(hash(str(root))):x}"
        root.mkdir(parents=True, exist_ok=True)
        self.write(pipeline, sql if sql is not None else {"shop_day.sql": SHOP_DAY}, settings)

    def write(
        self, pipeline: str | None = None, sql: Mapping[str, str] | None = None, settings: str | None = None
    ) -> None:
        """Write the pipeline's code, SQL and settings, or some of them, anew."""
        if pipeline is not None:
            code = CONTRACTS + textwrap.dedent(pipeline)
            (self.root / f"{self.module}.py").write_text(code, encoding="utf-8")
        for name, text in (sql or {}).items():
            (self.root / name).write_text(text, encoding="utf-8")
        if settings is not None:
            head = f'[project]\npipelines = ["{self.module}"]\n'
            (self.root / "backbone.toml").write_text(head + settings, encoding="utf-8")

    def copy(self, folder: Path) -> TinyProject:
        """A copy of it as it is, in a folder that is not there yet."""
        shutil.copytree(self.root, folder)
        copied = object.__new__(type(self))
        copied.root, copied.module = folder, self.module
        return copied

    @property
    def lake(self) -> Lake:
        return Lake(self.root)

    def drop(self, source: str, name: str, lines: Sequence[str]) -> None:
        """Drop a file that nobody is writing any more into temporal landing."""
        path = self.root / "landing" / "temporal" / source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        old_enough = time.time() - 60
        os.utime(path, (old_enough, old_enough))

    def sales(self, name: str, *rows: tuple[int, str, int, str]) -> None:
        self.drop("sale", name, ["sale_id,shop,amount,sold_at", *(",".join(map(str, r)) for r in rows)])

    def visits(self, name: str, *rows: tuple[str, int, str]) -> None:
        self.drop("visit", name, ["shop,seconds,visited_at", *(",".join(map(str, r)) for r in rows)])

    def open(self) -> Project:
        with imported_again(self.root):
            return open_project(self.root)

    def run(self, names: Sequence[str] = (), **options: Any) -> RunResult:
        return run(self.open(), names, **{"now": NOW} | options)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return query(self.root, sql)

    def versions(self) -> dict[str, int]:
        return {name: self.lake.version(name) for name in self.lake.datasets()}


@contextmanager
def imported_again(root: Path) -> Iterator[None]:
    """Meanwhile a project's modules are imported as they are now, and nothing is kept of them on disk."""
    for name, module in [*sys.modules.items()]:
        if Path(getattr(module, "__file__", None) or "/").is_relative_to(root):
            del sys.modules[name]
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def run_command(root: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit status, output and errors of a command that is run in this process: nothing is loaded for it."""
    from backbone.commands.cli import app

    with imported_again(root):
        done = CliRunner().invoke(app, ["-C", str(root), *arguments], catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


def backbone(root: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the command line on a project, in a process of its own."""
    code = "from backbone.commands.main import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "-C", str(root), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )


def finished(root: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit status, output and errors of a command that is run in a process of its own."""
    process = backbone(root, *arguments)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def query(root: Path, sql: str) -> list[tuple[Any, ...]]:
    """SQL over a project's tables, read without Backbone's engine."""
    lake = Lake(root)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for dataset in lake.datasets():
            zone, _, name = dataset.partition(".")
            if name not in sql:
                continue
            connection.execute(f"create schema if not exists {zone}")
            table = lake.open(dataset).to_pyarrow_table()
            connection.register(f"{zone}_{name}", table)
            connection.execute(f'create view {zone}."{name}" as select * from {zone}_{name}')
        return connection.execute(sql).fetchall()


def contents(
    root: Path, *, without: Sequence[str] = ("model",), batches: bool = True
) -> dict[str, list[str]]:
    """The rows of all formatted, quarantine, duplicate and exploitation tables, sorted.

    With `batches`, a row's batch is told by the file it came from; without, it is left out with the row.
    """
    lake = Lake(root)
    files = {}
    if lake.exists("landing.batch"):
        for row in lake.open("landing.batch").to_pyarrow_table().to_pylist():
            files[row["batch"]] = f"{row['source']}/{row['name']} {row['sha256']}"
    found = {}
    for dataset in lake.datasets():
        if not dataset.startswith(ZONES):
            continue
        table = lake.open(dataset).to_pyarrow_table()
        dropped = {*without, *(() if batches else ("_batch", "_row", "_line"))}
        compared = [name for name in table.column_names if name not in dropped]
        rows = table.select(compared).to_pylist()
        for row in rows:
            if "_batch" in row:
                row["_batch"] = files[row["_batch"]]
        found[dataset] = sorted(repr(tuple(row.values())) for row in rows)
    return found


def deliveries(root: Path) -> list[tuple[str, str, str, str]]:
    """What the manifest says has arrived, apart from when."""
    return sorted(
        (row["source"], row["name"], row["sha256"], row["status"])
        for row in Lake(root).open("landing.batch").to_pyarrow_table().to_pylist()
    )


def accounts(root: Path, without: Sequence[str] = ()) -> dict[str, tuple[int, int, int, int]]:
    """Rows, formatted, quarantined and duplicate of each source, as the receipts have them.

    Fails where these don't add up, or are not what the tables hold, and where a file is not formatted of
    another source than those of `without`.
    """
    from backbone.ledger.accounts import source_account
    from backbone.ledger.index import Index
    from backbone.ledger.manifest import read_manifest

    project = open_project(root)
    found = {}
    with project.database("test") as database:
        index = Index(project.lake, database, project.scratch("test"))
        manifest = read_manifest(project.lake, database)
        for source, _ in project.sources:
            redelivery = (
                project.settings.sources[source.name].redelivery
                if (source.name in project.settings.sources)
                else "replace"
            )
            account = source_account(source.name, redelivery, manifest, index)
            assert account.rows.balanced, account
            assert (account.unformatted > 0) == (source.name in without), account
            stored = [
                project.lake.open(name).to_pyarrow_table().num_rows if project.lake.exists(name) else 0
                for name in (f"{zone}.{source.name}" for zone in ("formatted", "quarantine", "duplicate"))
            ]
            rows = account.rows
            assert [rows.formatted, rows.quarantined, rows.duplicate] == stored, (source.name, rows, stored)
            found[source.name] = (rows.rows, *stored)
    return {name: (row[0], row[1], row[2], row[3]) for name, row in found.items()}


def built(result: RunResult, table: str) -> list[str]:
    """The windows of a table that a run replaced, by their start."""
    receipt = receipt_of(result, f"exploitation.{table}")
    if receipt is None:
        return []
    return [
        f"{instant_of(low):%Y-%m-%d}" if low % 24 == 0 else f"{instant_of(low):%Y-%m-%dT%H}"
        for low, _ in receipt.windows
    ]


def receipt_of(result: RunResult, dataset: str) -> Receipt | None:
    found = [r for r in result.receipts if r.dataset == dataset]
    assert len(found) <= 1, f"{dataset} was published {len(found)} times in a run"
    return found[0] if found else None
