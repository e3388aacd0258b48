"""A worker that fits groups and is no process, for what does not depend on its being one."""

from __future__ import annotations

import pyarrow as pa

from backbone.analysis.processes.group_fit import GroupFit
from backbone.analysis.processes.worker import work_of


class SameProcess:
    """Stands for a `WorkerProcess`: it reads the estimator and the settings from the schema as one does."""

    def __init__(self, schema: pa.Schema, where: str) -> None:
        self.work: GroupFit = work_of(schema)

    def ask(self, request: pa.RecordBatch) -> pa.RecordBatch:
        return self.work(request)

    def end(self) -> None:
        pass
