"""What will be known of the tables when the tasks planned so far are done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from backbone.dataset import Window, merge_hours
from backbone.exploitation.model import LoadedModel
from backbone.lake.table import Lake
from backbone.ledger.index import Index
from backbone.ledger.known import Change, Commit, WindowState
from backbone.planning.task import Part


class Outlook:
    """The index, and beside it what planned tasks will commit: the versions after those of now.

    A task's windows change what reads them as if it had published them.

    Attributes
    ----------
    pins : the versions at which some tables are read.
    pending : the tables of which more has to be known: those that new files change, and those below them.
    """

    def __init__(self, index: Index, lake: Lake, pins: Mapping[str, int]) -> None:
        self._index, self._lake = index, lake
        self.pins = pins
        self.pending: set[str] = set()
        self.planned: dict[str, Part] = {}
        self._states: dict[str, dict[datetime | None, WindowState]] = {}
        self._added: dict[str, list[Change]] = {}
        self._commits: dict[tuple[str, int], Commit] = {}

    def exists(self, dataset: str) -> bool:
        """Whether there is a table, or will be one."""
        return dataset in self.planned or dataset in self.pending or self._lake.exists(dataset)

    def is_known(self, dataset: str) -> bool:
        """Whether the version that a task reads is known."""
        return dataset in self.pins or dataset in self.planned or dataset not in self.pending

    def version(self, dataset: str) -> int:
        """The version that a task reads."""
        if dataset in self.pins:
            return self.pins[dataset]
        if dataset in self.planned:
            return self._index.next_version(dataset)
        return self._lake.version(dataset)

    def windows(self, dataset: str) -> Mapping[datetime | None, WindowState]:
        if dataset not in self._states:
            self._states[dataset] = self._index.windows(dataset)
        return self._states[dataset]

    def changes(self, dataset: str) -> Sequence[Change]:
        return [*self._index.changes(dataset), *self._added.get(dataset, ())]

    def commit(self, dataset: str, version: int) -> Commit | None:
        return self._commits.get((dataset, version)) or self._index.commit(dataset, version)

    def parts(self, dataset: str, version: int) -> Mapping[str, tuple[str, ...]]:
        return self._index.parts(dataset, version)

    def add(self, loaded: LoadedModel, part: Part, inputs: Mapping[str, int]) -> None:
        """Take a table for computed, as its receipt will say it."""
        version = self._index.next_version(part.dataset)
        replaces_all = part.replaces_all or loaded.every is None
        touched = [(None, None)] if replaces_all else merge_hours(window.hours for window in part.windows)
        windows: Sequence[Window | None] = part.windows if loaded.every else [None]
        states = {} if replaces_all else dict(self.windows(part.dataset))
        for window in windows:
            start = None if window is None else window.start
            states[start] = WindowState(start, loaded.every, loaded.fingerprint, dict(inputs), version)
        self._states[part.dataset] = states
        self._added[part.dataset] = [Change(version, low, high) for low, high in touched]
        self._commits[part.dataset, version] = Commit("build", loaded.fingerprint)
        self.planned[part.dataset] = part
