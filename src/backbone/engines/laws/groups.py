"""Laws of `map_groups`: a task gets each group complete, and in the order that it asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from backbone.engines.laws.examples import count, put_columns
from backbone.engines.order import in_order
from backbone.engines.protocol import Engine


@dataclass(frozen=True)
class HandOver:
    """A `GroupTask` that returns what it is handed, once it has made sure of the order.

    Parameters
    ----------
    skipped : how many rows at the beginning it leaves out.
    kinds : the types of its values.
    """

    by: Sequence[str]
    values: Mapping[str, str]
    order: Sequence[str] = ()
    skipped: int = 0
    kinds: Mapping[str, pa.DataType] = field(default_factory=dict)

    def schema(self, keys: pa.Schema) -> pa.Schema:
        return pa.schema([*keys, *self.kinds.items()])

    def run(
        self, batches: Iterator[pa.RecordBatch], *, threads: int, scratch: Path, notes: list[str]
    ) -> Iterator[pa.RecordBatch]:
        left = self.skipped
        for batch in in_order(batches, [*self.by, *(name for name in self.order if name in self.values)]):
            yield batch.slice(min(left, batch.num_rows))
            left -= min(left, batch.num_rows)
        notes.append("all is handed over")


def groups_come_complete_and_in_order(engine: Engine, folder: Path) -> None:
    rows = [(f"city {n // 40}", n // 10 % 4, n % 10, n * 1.5) for n in range(120)]
    task = HandOver(["city", "user"], {"turn": "turn", "x": "x + $more"}, ["turn"])
    expected = [(city, user, turn, x + 1) for city, user, turn, x in rows]
    shuffled = np.random.default_rng(0).permutation(len(rows))
    for stored in (rows, rows[::-1], [rows[index] for index in shuffled]):
        columns = zip(*stored, strict=True)
        source = engine.put(pa.table(dict(zip(("city", "user", "turn", "x"), columns, strict=True))))
        for to_file in (False, True):
            found = engine.map_groups(f"select * from {source}", task, {"more": 1}, to_file=to_file)
            assert found.rows == len(rows)
            assert engine.fetch(f"select * from {found}") == expected
            assert found.notes == ("all is handed over",)
            engine.drop(found)


def rows_that_are_sorted_do_not_depend_on_their_storage(engine: Engine, folder: Path) -> None:
    task, seen = HandOver(["user"], {"x": "x", "y": "y"}), []
    for order in ([2, 0, 1], [2, 1, 0], [1, 2, 0]):
        columns = {"user": [1, 1, 2], "x": [5, 5, 5], "y": [0.5, 0.25, 0.5]}
        source = engine.put(pa.table(columns).take(pa.array(order)))
        seen.append(engine.fetch(f"select * from {engine.map_groups(f'select * from {source}', task)}"))
    assert seen[0] == seen[1] == seen[2]


def a_result_is_what_the_task_returns(engine: Engine, folder: Path) -> None:
    source = put_columns(engine, {"user": [1, 1, 2, 3], "x": [4, 5, 6, 7]})
    task = HandOver(["user"], {"x": "x"}, skipped=2, kinds={"x": pa.int64()})
    for to_file in (False, True):
        found = engine.map_groups(
            f"select * from {source}", task, select="x * 2 as twice, user as who", to_file=to_file
        )
        assert engine.describe(f"select * from {found}").names == ["twice", "who"]
        assert engine.fetch(f"select * from {found}") == [(12, 2), (14, 3)]
        none = engine.map_groups(f"select * from {source} where user > 3", task, to_file=to_file)
        assert (none.rows, count(engine, none)) == (0, 0)
        keys = engine.describe(f"select user from {source}")
        assert engine.describe(f"select * from {none}") == task.schema(keys)
