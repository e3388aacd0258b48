"""Every text that an engine is sent in a run of all pipelines is portable, or made with our SQL functions."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlglot import exp

from backbone.demo import make_demo
from backbone.engines.duckdb.database import Database
from backbone.engines.duckdb.engine import DuckdbEngine, StagedTable
from backbone.engines.sql import functions
from backbone.engines.sql.portable import PortableCheck
from backbone.engines.sql.text import SqlRefused, SqlText
from backbone.runner import open_project, run

PREFIX = "backbone_"
RELATION = re.compile(r'\bbound_\d+\.(?P<table>\w+)|"?\b(?P<staged>staged|files)_\d+\b"?')
OTHERS = (
    'prior = "global"',
    'timezone = "America/New_York"\nperiod = "weekday"\nexclude = ["user-001"]\nlists = "lists"',
)
"""Settings of the pipelines under which they send other texts."""
READABLE = {
    *("PLAIN", "RLE", "BIT_PACKED", "PLAIN_DICTIONARY", "RLE_DICTIONARY"),
    *("DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"),
}
"""The encodings that Spark 4 reads with its default settings: all but BYTE_STREAM_SPLIT."""
VERBS = ("stage", "map_groups", "describe", "fetch", "stream", "is_ascending", "are_distinct")


class OurFunctions(PortableCheck):
    """As the check of models, but calls of our own functions may stand anywhere."""

    def visit(self, node: exp.Expr, ctes: frozenset[str], aliases: frozenset[str]) -> None:
        if isinstance(node, exp.Anonymous) and str(node.this).lower().startswith(PREFIX):
            for argument in node.expressions:
                self.visit(argument, ctes, aliases)
            return
        super().visit(node, ctes, aliases)


def refusal(sql: str) -> str | None:
    """Why a text isn't portable; None where it is."""
    text = SqlText(RELATION.sub(lambda name: f"formatted.{name['table'] or name['staged']}", sql), "run.sql")
    try:
        query = text.query()
        check = OurFunctions(text, re.findall(r"\$(\w+)", sql))
        check.query(query, named=False)
        check.finish()
    except SqlRefused as error:
        return str(error)
    return None


@pytest.fixture(name="recorded", scope="module")
def _recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mapping[str, set[str]], Path]]:
    """The texts that the engine was sent, by verb, in a run of every shipped pipeline; and the project.

    Our functions are spelled as macros meanwhile, so that no text can be mistaken for one of them.
    """
    texts: dict[str, set[str]] = {}
    patch = pytest.MonkeyPatch()
    spelled = {}
    macros = []
    for name, spellings in functions.SPELLINGS.items():
        arguments = sorted(set(re.findall(r"\{(\d)\}", spellings["duckdb"])))
        names = [f"a{number}" for number in arguments]
        macros.append(
            f"create macro {PREFIX}{name}({', '.join(names)}) as {spellings['duckdb'].format(*names)}"
        )
        called = ", ".join(f"{{{number}}}" for number in arguments)
        spelled[name] = {**spellings, "duckdb": f"{PREFIX}{name}({called})"}
    made = Database.__init__

    def with_macros(self: Database, **settings: Any) -> None:
        made(self, **settings)
        for macro in macros:
            self.connection.execute(macro)

    patch.setattr(Database, "__init__", with_macros)
    patch.setattr(functions, "SPELLINGS", spelled)
    for owner, verb in [*((DuckdbEngine, verb) for verb in VERBS), (StagedTable, "add")]:
        _record(patch, owner, verb, texts)
    root = tmp_path_factory.mktemp("all pipelines")
    try:
        make_demo(root / "demo")
        _run(root / "demo", end=datetime(2026, 2, 10, tzinfo=UTC))  # the rest continues from its own rows
        _run(root / "demo")
        settings = root / "demo" / "backbone.toml"
        settings.write_text(
            settings.read_text().replace('prior = "none"', OTHERS[0]).replace("top = 3", OTHERS[1])
        )
        _run(root / "demo")
        yield texts, root / "demo"
    finally:
        patch.undo()


def _run(folder: Path, **arguments: Any) -> None:
    result = run(open_project(folder), **arguments)
    assert result.ok, [str(error) for error in result.failures.values()]


def _record(patch: pytest.MonkeyPatch, owner: type, verb: str, texts: dict[str, set[str]]) -> None:
    original = getattr(owner, verb)

    def recording(self: object, sql: str, *arguments: Any, **settings: Any) -> Any:
        texts.setdefault(verb, set()).add(re.sub(r"\d{6,}", "7", sql))
        if verb == "map_groups":  # a task works as well when it has been sent somewhere
            arguments = (pickle.loads(pickle.dumps(arguments[0])), *arguments[1:])
            texts.setdefault("kernels", set()).add(f"{type(arguments[0].kernel).__name__}")
            for value in arguments[0].values.values():
                texts.setdefault("value of map_groups", set()).add(f"select {value} as v from formatted.x")
            select = settings.get("select", "*")
            texts.setdefault("select of map_groups", set()).add(f"select {select} from formatted.x")
        return original(self, sql, *arguments, **settings)

    patch.setattr(owner, verb, recording)


def test_every_text_is_portable(recorded: tuple[Mapping[str, set[str]], Path]) -> None:
    sent, _ = recorded
    assert {*VERBS, "add"} <= {*sent}, "a verb is not seen at all"
    found = {sql: refusal(sql) for verb, texts in sent.items() if verb != "kernels" for sql in texts}
    assert {sql: problem for sql, problem in found.items() if problem} == {}


def test_the_kernels_of_every_pipeline_can_be_sent_to_another_process(
    recorded: tuple[Mapping[str, set[str]], Path],
) -> None:
    sent, _ = recorded  # whose tasks were all pickled on their way
    assert sent["kernels"] >= {"CandidateKernel", "CountKernel", "LogisticKernel", "RareEdgeKernel"}


def test_every_file_can_be_read_by_spark(recorded: tuple[Mapping[str, set[str]], Path]) -> None:
    _, project = recorded
    found: dict[str, set[str]] = {}
    for file in project.rglob("*.parquet"):
        if "_delta_log" in file.parts:
            continue
        metadata = pq.read_metadata(file)
        for group in range(metadata.num_row_groups):
            for index in range(metadata.num_columns):
                column = metadata.row_group(group).column(index)
                table = ".".join(file.relative_to(project).parts[:2])
                found.setdefault(table, set()).update(column.encodings)
    assert {"formatted.user_purchase", "exploitation.offer_score", "exploitation.edge_state"} <= {*found}
    assert {*found} >= {f"operations.{name}" for name in ("receipt", "window")}
    assert {table: kinds - READABLE for table, kinds in found.items() if kinds - READABLE} == {}
