"""Every engine obeys the laws; and what is sent to other processes comes there whole."""

from __future__ import annotations

import importlib
import pickle
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from backbone import engines
from backbone.analysis.group_task import KernelTask
from backbone.analysis.groups import Groups, one_by_one
from backbone.engines import DIALECTS, dialect_of, laws, open_engine
from backbone.engines.duckdb.database import own_database
from backbone.engines.laws import LAWS, Law
from backbone.engines.order import OutOfOrder
from backbone.engines.protocol import Engine
from backbone.errors import SettingsError


@pytest.fixture(name="engine", params=DIALECTS)
def _engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with own_database("200MB", 2) as database, open_engine(request.param, database) as engine:
        yield engine


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_an_engine_obeys_the_law(engine: Engine, tmp_path: Path, law: Law) -> None:
    law(engine, tmp_path)


def test_every_law_is_among_the_laws() -> None:
    modules = [info.name for info in pkgutil.iter_modules(laws.__path__, "backbone.engines.laws.")]
    assert len(modules) > 5
    found = {
        name
        for module in (*modules, "backbone.engines.sql.function_laws")
        for name, value in vars(importlib.import_module(module)).items()
        if getattr(value, "__annotations__", {}).keys() == {"engine", "folder", "return"}
        and not name.startswith("_")
    }
    assert found == {law.__name__ for law in LAWS}


class Total:
    """A kernel: the sum of the values of each group."""

    def schema(self, keys: pa.Schema) -> pa.Schema:
        return pa.schema([*keys, pa.field("total", pa.int64())])

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        total = np.add.reduceat(np.asarray(groups.values["x"]), groups.offsets[:-1])
        return pa.RecordBatch.from_arrays(
            [*groups.keys.columns, pa.array(total)], schema=self.schema(groups.keys.schema)
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Total)

    def __hash__(self) -> int:
        return hash(Total)


TASK = KernelTask(Total(), ["user"], {"x": "x"}, ["x"], one_by_one)


def _run(task: KernelTask, folder: Path, *users: list[int]) -> list[dict[str, int]]:
    batches = [pa.record_batch({"user": user, "x": np.arange(len(user)) + 1}) for user in users]
    found = task.run(iter(batches), threads=1, scratch=folder, notes=[])
    return pa.Table.from_batches(list(found)).to_pylist()  # type: ignore[no-any-return]


def test_a_task_that_is_sent_to_another_process_works_there(engine: Engine, tmp_path: Path) -> None:
    task: KernelTask = pickle.loads(pickle.dumps(TASK))
    assert task == TASK
    assert _run(task, tmp_path, [1, 1], [1, 2]) == _run(TASK, tmp_path, [1, 1], [1, 2])
    rows = engine.put(pa.table({"user": [2, 1, 1], "x": [5, 4, 3]}))
    found = engine.map_groups(f"select * from {rows}", task)
    assert engine.fetch(f"select * from {found}") == [(1, 7), (2, 5)]


@pytest.mark.parametrize("users", [([1, 2], [1]), ([1, 2, 1],), ([2], [1])])
def test_a_group_that_comes_again_or_too_late_is_refused(
    users: tuple[list[int], ...], tmp_path: Path
) -> None:
    assert _run(TASK, tmp_path, [1], [1, 2]) == [{"user": 1, "total": 2}, {"user": 2, "total": 2}]
    with pytest.raises(OutOfOrder):
        _run(TASK, tmp_path, *users)


def test_every_engine_has_a_dialect_and_is_opened_by_its_own_name() -> None:
    assert engines._OPENERS.keys() == DIALECTS.keys()
    with own_database() as database:
        for use in (dialect_of, lambda kind: open_engine(kind, database).__enter__()):
            with pytest.raises(SettingsError, match=r"expected duckdb.*, found 'ducksdb'"):
                use("ducksdb")
