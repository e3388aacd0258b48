"""Worker processes that all hold one estimator, and the groups that are sent to them."""

from __future__ import annotations

import os
import queue
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa

from backbone.analysis.groups import Groups
from backbone.analysis.processes.group_fit import Settings
from backbone.analysis.processes.worker import ESTIMATOR, SETTINGS
from backbone.analysis.processes.worker_process import WorkerProcess

# What one worker is sent at a time: a model takes far more room and time than the rows it is made of.
PART_GROUPS, PART_ROWS = 100, 10_000


class EstimatorWorkers(ABC):
    """Processes that fit an estimator; each is started when it is first needed.

    Parameters
    ----------
    estimator : skops bytes.
    columns : the value columns that are sent, in the order that `Settings` asks for.
    workers : how many processes; as many as there are cores if None.
    where : how an error calls the work.
    """

    def __init__(
        self, estimator: bytes, settings: Settings, columns: Sequence[str], workers: int | None, where: str
    ) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"expected one worker or more, found {workers}")
        self.workers = workers or os.cpu_count() or 1
        self._columns = columns
        self._where = where
        self._schema = pa.schema(
            [pa.field(name, pa.large_list(pa.float64())) for name in settings.columns()],
            metadata={ESTIMATOR: estimator, SETTINGS: settings.to_json()},
        )
        self._idle = _none_started(self.workers)

    def __getstate__(self) -> dict[str, Any]:
        """What another process is sent: it starts workers of its own."""
        return {name: value for name, value in vars(self).items() if name != "_idle"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._idle = _none_started(self.workers)

    @abstractmethod
    def schema(self, keys: pa.Schema) -> pa.Schema: ...

    @abstractmethod
    def __call__(self, groups: Groups) -> pa.RecordBatch: ...

    def ask(self, groups: Groups) -> pa.RecordBatch:
        """What one worker says of these groups; waits for one that is idle. Several threads may ask.

        Raises
        ------
        StepFailed
            When the worker died. The next to ask gets a new one.
        """
        offsets = pa.array(groups.offsets)
        lists = [
            pa.LargeListArray.from_arrays(
                offsets, pa.array(np.asarray(groups.values[name], dtype=np.float64))
            )
            for name in self._columns
        ]
        worker = self._idle.get()
        try:
            worker = worker or WorkerProcess(self._schema, self._where)
            reply = worker.ask(pa.RecordBatch.from_arrays(lists, schema=self._schema))
        except BaseException:  # an interrupted exchange leaves a reply behind that is no answer to the next
            if worker is not None:
                worker.end()
            self._idle.put(None)
            raise
        self._idle.put(worker)
        return reply

    def close(self) -> None:
        """End the processes, once each has answered what it was asked."""
        for worker in [self._idle.get() for _ in range(self.workers)]:
            if worker is not None:
                worker.end()
            self._idle.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _none_started(workers: int) -> queue.LifoQueue[WorkerProcess | None]:
    idle: queue.LifoQueue[WorkerProcess | None] = queue.LifoQueue()
    for _ in range(workers):
        idle.put(None)
    return idle


def small_parts(groups: Groups) -> Iterator[Groups]:
    """The same groups, a few at a time: for `map_chunks`, so that models fit in memory and all have work."""
    offsets, first = groups.offsets, 0
    while first < len(groups):
        full = int(np.searchsorted(offsets, offsets[first] + PART_ROWS, side="right")) - 1
        last = min(max(full, first + 1), first + PART_GROUPS, len(groups))
        yield groups.part(first, last)
        first = last
