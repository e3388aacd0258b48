"""A plan and its tasks: what is to be done, on which windows, from which versions, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from backbone.asked import Asked
from backbone.dataset import Window
from backbone.errors import BackboneError
from backbone.operations.reasons import Reason

Kind = Literal["land", "format", "build"]


@dataclass(frozen=True)
class Part:
    """What a task does to one table, or takes over from one source.

    Parameters
    ----------
    dataset : the table; of landing, `landing.batch`.
    source : the source that is landed or formatted; empty for other tables.
    windows : those to compute, or to extract, in order; none for a table without windows.
    replaces_all : whether all other rows of the table go.
    every : of a source that is landed, by which length of a window its query is extracted.
    files, bytes : what waits to be landed or formatted.
    notes : what the receipt is to say besides.
    rows, seconds : what it may write and take, by earlier receipts; None where there are none.
    """

    dataset: str
    why: tuple[Reason, ...]
    windows: tuple[Window, ...] = ()
    replaces_all: bool = False
    source: str = ""
    every: str | None = None
    files: int = 0
    bytes: int = 0
    notes: tuple[str, ...] = ()
    rows: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Task:
    """Landing, or formatting a source, or computing the tables that one function computes.

    Parameters
    ----------
    parts : one for each table; of landing one for each source.
    inputs : the versions that it reads. Those of tables that earlier tasks of the plan make are the ones that
        these will commit.
    awaits : the tables of which more has to be known first: which windows new files touch is known when they
        are formatted. `run` plans such a task again when these are done.
    asked : of landing, the windows for which queries are extracted. What has been dropped is looked for again
        when it is done.
    """

    kind: Kind
    parts: tuple[Part, ...]
    inputs: Mapping[str, int] = field(default_factory=dict)
    awaits: tuple[str, ...] = ()
    asked: Asked | None = None

    @property
    def datasets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.dataset for part in self.parts))

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows of all its tables, in order."""
        return tuple(sorted({window for part in self.parts for window in part.windows}))

    @property
    def why(self) -> tuple[Reason, ...]:
        """The reasons of all its tables, each once."""
        return tuple(dict.fromkeys(reason for part in self.parts for reason in part.why))

    @property
    def rows(self) -> int | None:
        known = [part.rows for part in self.parts if part.rows is not None]
        return sum(known) if known else None

    @property
    def seconds(self) -> float | None:
        known = [part.seconds for part in self.parts if part.seconds is not None]
        return sum(known) if known else None


@dataclass(frozen=True)
class Plan:
    """The tasks of a run in their order, and what can't be planned.

    Parameters
    ----------
    refused : by table or source, why it can't be done.
    stopped : by table, which refusal or failure keeps it from being computed.
    asked : sources whose query is asked as a whole at every run. What it gives is known then.
    """

    tasks: tuple[Task, ...] = ()
    refused: Mapping[str, BackboneError] = field(default_factory=dict)
    stopped: Mapping[str, str] = field(default_factory=dict)
    asked: tuple[str, ...] = ()

    @property
    def is_certain(self) -> bool:
        """Whether all is known, so that a run does exactly this, if nothing else arrives before it."""
        return not self.asked and not any(task.awaits or task.kind != "build" for task in self.tasks)
