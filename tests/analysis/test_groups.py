"""Chunks of complete groups, however the rows arrive."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.analysis.groups import Groups, LargeGroups, chunks, map_chunks, one_by_one
from backbone.testing import check_kernel


class Total:
    """A kernel: the sum of `x` and the number of rows of each group."""

    def schema(self, keys: pa.Schema) -> pa.Schema:
        return pa.schema([*keys, pa.field("total", pa.float64()), pa.field("rows", pa.int64())])

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        rows = np.diff(groups.offsets)
        total = np.add.reduceat(np.asarray(groups.values["x"], np.float64), groups.offsets[:-1])
        return pa.RecordBatch.from_arrays(
            [*groups.keys.columns, pa.array(total), pa.array(rows)], schema=self.schema(groups.keys.schema)
        )


class Neighbourly(Total):
    """A kernel that breaks a law: it looks at the other groups of its chunk."""

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        found = super().__call__(groups)
        return found.set_column(1, "total", pa.array(np.full(len(groups), groups.values["x"].sum())))


def _rows(sizes: list[int]) -> pa.Table:
    user = np.repeat(np.arange(len(sizes)), sizes)
    return pa.table({"user": user, "x": np.arange(float(len(user)))})


@given(
    sizes=st.lists(st.integers(1, 40), max_size=12),
    batch=st.integers(1, 50),
    chunk_bytes=st.integers(1, 400),
    threads=st.integers(1, 3),
)
def test_every_row_reaches_the_kernel_once_with_its_whole_group(
    sizes: list[int], batch: int, chunk_bytes: int, threads: int
) -> None:
    rows = _rows(sizes)
    batches = rows.to_batches(max_chunksize=batch) or [pa.RecordBatch.from_pylist([], schema=rows.schema)]
    found = pa.Table.from_batches(
        map_chunks(Total(), batches, ["user"], threads=threads, chunk_bytes=chunk_bytes)
    )
    assert found["user"].to_pylist() == list(range(len(sizes)))
    assert found["rows"].to_pylist() == sizes
    starts = np.cumsum([0, *sizes])
    expected = [float(np.arange(a, b).sum()) for a, b in pairwise(starts)]
    assert found["total"].to_pylist() == expected


def test_a_group_larger_than_a_chunk_is_mapped_from_disk_and_reported(tmp_path: Path) -> None:
    rows = _rows([3, 50_000, 2])
    reported: list[int] = []
    found = list(
        chunks(
            rows.to_batches(max_chunksize=1000),
            ["user"],
            chunk_bytes=9_000,
            large=LargeGroups(tmp_path, reported.append),
        )
    )
    assert reported == [50_000]
    assert [g.keys.column("user").to_pylist() for g in found] == [[0], [1], [2]]
    large = found[1].values["x"]
    assert not large.flags.owndata and not large.flags.writeable
    assert large.sum() == float(np.arange(3, 50_003).sum())
    assert list(tmp_path.iterdir()) == []  # the file has no name, so that nothing stays after a death


def test_several_large_groups_one_after_the_other() -> None:
    rows = _rows([500, 700, 1, 600])
    found = list(chunks(rows.to_batches(max_chunksize=64), ["user"], chunk_bytes=1_000))
    assert [int(n) for g in found for n in np.diff(g.offsets)] == [500, 700, 1, 600]
    assert np.concatenate([g.values["x"] for g in found]).tolist() == rows["x"].to_pylist()


def test_a_kernel_can_be_given_a_group_at_a_time() -> None:
    calls: list[int] = []

    class Counted(Total):
        def __call__(self, groups: Groups) -> pa.RecordBatch:
            calls.append(len(groups))
            return super().__call__(groups)

    rows = _rows([5, 1, 7])
    found = pa.Table.from_batches(map_chunks(Counted(), rows.to_batches(), ["user"], parts=one_by_one))
    assert found.equals(pa.Table.from_batches(map_chunks(Total(), rows.to_batches(), ["user"])))
    assert calls == [1, 1, 1]


def test_keys_of_several_columns_and_kinds() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    rows = pa.table(
        {
            "job": ["a", "a", "a", "b", None, None],
            "city": pa.array([1, 1, 2, 2, 2, 2], pa.int8()),
            "at": pa.array([at] * 6, pa.timestamp("us", "UTC")),
            "n": pa.array([1, 2, 3, 4, 5, 6], pa.int32()),
        }
    )
    (groups,) = chunks(rows.to_batches(), ["job", "city"])
    assert groups.keys.to_pydict() == {"job": ["a", "a", "b", None], "city": [1, 2, 2, 2]}
    assert groups.offsets.tolist() == [0, 2, 3, 4, 6]
    assert groups.values["n"].tolist() == [1, 2, 3, 4, 5, 6]
    assert groups.values["at"].tolist() == [int(at.timestamp() * 1e6)] * 6


def test_a_group_that_came_in_one_piece_is_not_copied() -> None:
    batches = _rows([3, 2, 4]).to_batches(max_chunksize=5)
    (groups,) = chunks(batches, ["user"])
    first, second, third = (one.values["x"] for one in one_by_one(groups))
    assert [x.tolist() for x in (first, second, third)] == [[0, 1, 2], [3, 4], [5, 6, 7, 8]]
    for values, batch in ((first, batches[0]), (second, batches[0]), (third, batches[1])):
        assert np.shares_memory(values, batch.column("x").to_numpy())
    assert groups.values["x"].tolist() == list(range(9)), "of all together"
    assert groups.values["x"] is groups.values["x"], "joined once"


def test_without_a_key_all_rows_are_one_group() -> None:
    (groups,) = chunks(_rows([2, 3]).drop_columns("user").to_batches(max_chunksize=2), [])
    assert groups.offsets.tolist() == [0, 5]
    assert groups.keys.num_columns == 0


@pytest.mark.parametrize(
    ("column", "error", "says"),
    [
        (pa.array([1.0, None]), ValueError, "holds nulls"),
        (pa.array(["a", "b"]), TypeError, "are numbers, instants or dates"),
        (pa.array([True, False]), TypeError, "are numbers, instants or dates"),
    ],
)
def test_a_value_column_that_no_kernel_could_use_is_refused(
    column: pa.Array, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        list(chunks(pa.table({"user": [1, 2], "x": column}).to_batches(), ["user"]))


def test_an_error_in_a_kernel_reaches_the_caller() -> None:
    class Broken(Total):
        def __call__(self, groups: Groups) -> pa.RecordBatch:
            raise ArithmeticError("no")

    with pytest.raises(ArithmeticError):
        list(map_chunks(Broken(), _rows([1, 2]).to_batches(), ["user"], threads=2))


def test_a_result_with_other_columns_than_the_schema_says_is_refused() -> None:
    class Odd(Total):
        def __call__(self, groups: Groups) -> pa.RecordBatch:
            return super().__call__(groups).rename_columns(["user", "sum", "rows"])

    with pytest.raises(
        TypeError, match=r"Odd returned the columns user .*, sum .*schema says user .*, total"
    ):
        list(map_chunks(Odd(), _rows([2, 3]).to_batches(), ["user"]))


def test_the_laws_hold_for_a_kernel_and_a_broken_one_is_named() -> None:
    rows = _rows([3, 1, 4, 1, 5])
    check_kernel(Total(), rows, ["user"])
    with pytest.raises(AssertionError, match="a group gives another result alone"):
        check_kernel(Neighbourly(), rows, ["user"])


def test_a_kernel_cannot_change_its_input() -> None:
    class Greedy(Total):
        def __call__(self, groups: Groups) -> pa.RecordBatch:
            groups.values["x"][:] = 0
            return super().__call__(groups)

    with pytest.raises(ValueError, match="read-only"):
        check_kernel(Greedy(), _rows([3, 1]), ["user"])
