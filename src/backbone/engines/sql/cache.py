"""SQLGlot's answers, kept by the text they are about: a run without changes need not load it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from backbone.engines.sql.dialects import Dialect
from backbone.whole_file import write_whole


@dataclass(frozen=True)
class ModelSql:
    """A model's text as an engine runs it, and what it reads."""

    sql: str
    inputs: tuple[str, ...]
    parameters: tuple[str, ...]
    fingerprint: str


class SqlCache:
    """Parses SQL, and remembers in a file what came of it.

    Parameters
    ----------
    file : where answers are kept; a missing or damaged one only costs time.
    dialect : the one that models are translated to.
    """

    def __init__(self, file: Path, dialect: Dialect) -> None:
        self._file, self._dialect = file, dialect
        self._version = _versions()
        try:
            stored = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            stored = {}
        self._known: dict[str, Any] = stored.get(self._version, {})
        self._changed = False

    def model(self, text: str, name: str, parameters: Iterable[str]) -> ModelSql:
        """A model's SELECT; `parameters` are the names it may use beside those of the window.

        Raises
        ------
        PipelineError
            When it is not portable SQL, naming file, line and column.
        """
        names = sorted({"window_start", "window_end", *parameters})

        def parse() -> list[Any]:
            from backbone.engines.sql.parse import parse_query
            from backbone.engines.sql.translate import translate

            query = parse_query(text, name, names)
            sql = translate(text, self._dialect)
            return [sql, list(query.inputs), sorted(query.parameters), query.fingerprint]

        sql, inputs, used, fingerprint = self._answer([self._dialect, text, names], parse)
        return ModelSql(sql, tuple(inputs), tuple(used), fingerprint)

    def aggregate(self, text: str, where: str) -> tuple[str, str, str | None]:
        """`aggregate from zone.table [where condition]`, as its three parts.

        Raises
        ------
        PipelineError
            When it is anything else.
        """

        def parse() -> list[str | None]:
            from backbone.engines.sql.parse import parse_conserves

            found = parse_conserves(text, where)
            return [found.expression, found.table, found.where]

        expression, table, condition = self._answer(["aggregate", text], parse)
        return expression, table, condition

    def condition(self, text: str, where: str) -> str:
        """A condition over the columns of one table, without comments.

        Raises
        ------
        PipelineError
            When it is anything else, or not portable SQL.
        """

        def parse() -> str:
            from backbone.engines.sql.parse import parse_condition

            return parse_condition(text, where)

        return str(self._answer(["condition", text], parse))

    def save(self) -> None:
        """Keep the answers that are new, where that may be written."""
        if self._changed:
            with suppress(OSError):
                self._file.parent.mkdir(parents=True, exist_ok=True)
                write_whole(self._file, json.dumps({self._version: self._known}))

    def _answer(self, question: list[Any], compute: Callable[[], Any]) -> Any:
        key = hashlib.sha256(json.dumps(question).encode()).hexdigest()
        if key not in self._known:
            self._known[key] = compute()
            self._changed = True
        return self._known[key]


@cache
def _versions() -> str:
    """What the answers depend on; to read it takes a millisecond for each package."""
    return f"{version('sqlglot')}/{version('backbone-data')}"
