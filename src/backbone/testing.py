"""The laws that every kernel obeys, to be tested on a kernel of your own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa

from backbone.analysis.groups import Kernel, chunks, map_chunks


def check_kernel(kernel: Kernel, rows: pa.Table, by: Sequence[str]) -> None:
    """Hold a kernel to the laws; the rows should have a few dozen groups, odd ones among them.

    - Its inputs are unchanged.
    - The same groups give the same result, bit for bit.
    - A group's result does not depend on its neighbours: alone, in small chunks and in one chunk it is the
      same, bit for bit.
    - The order of the groups is irrelevant.
    - No rows give no result rows, with the columns of the schema.

    Parameters
    ----------
    rows : a table whose rows are in the order of their groups.
    by : the columns that identify a group.

    Raises
    ------
    AssertionError
        Which law is broken.

    Examples
    --------
    >>> class Largest:
    ...     def schema(self, keys):
    ...         return pa.schema([*keys, pa.field("largest", pa.float64())])
    ...
    ...     def __call__(self, groups):
    ...         largest = np.maximum.reduceat(groups.values["x"], groups.offsets[:-1])
    ...         return pa.RecordBatch.from_arrays(
    ...             [*groups.keys.columns, pa.array(largest)], schema=self.schema(groups.keys.schema)
    ...         )
    >>> check_kernel(Largest(), pa.table({"user": [1, 1, 2, 3], "x": [4.0, 5.0, 6.0, 7.0]}), by=["user"])
    """
    rows = rows.combine_chunks()
    (groups,) = chunks(rows.to_batches(), by, chunk_bytes=1 << 62)
    before = {name: values.copy() for name, values in groups.values.items()}
    offsets = groups.offsets.copy()
    found = pa.Table.from_batches([kernel(groups)])

    expected = kernel.schema(groups.keys.schema)
    assert found.schema.equals(expected), (
        f"the result's columns are {found.schema}, its schema says {expected}"
    )
    assert offsets.tolist() == groups.offsets.tolist(), "the kernel changed the offsets"
    for name, values in before.items():
        assert values.tobytes() == groups.values[name].tobytes(), f"the kernel changed its input {name!r}"
    _same(found, pa.Table.from_batches([kernel(groups)]), "the same groups gave another result")

    alone = [kernel(groups.part(i, i + 1)) for i in range(len(groups))]
    _same(found, pa.Table.from_batches(alone), "a group gives another result alone than among others")
    small = map_chunks(kernel, rows.to_batches(max_chunksize=3), by, threads=2, chunk_bytes=64)
    _same(found, pa.Table.from_batches(list(small), expected), "small chunks give another result")

    backwards = [rows.slice(int(a), int(b - a)) for a, b in pairwise(offsets)][::-1]
    turned = pa.concat_tables(backwards).combine_chunks()
    (groups,) = chunks(turned.to_batches(), by, chunk_bytes=1 << 62)
    back = [_rows_of(found, groups.keys.slice(i, 1), by) for i in range(len(groups))]
    _same(
        pa.concat_tables(back),
        pa.Table.from_batches([kernel(groups)]),
        "groups in another order give another result",
    )

    nothing = pa.RecordBatch.from_pylist([], schema=rows.schema)
    none = pa.Table.from_batches(list(map_chunks(kernel, [nothing], by)))
    assert none.num_rows == 0, "no rows gave result rows"
    assert none.schema.equals(expected), "no rows gave other columns"


def _rows_of(table: pa.Table, key: pa.RecordBatch, by: Sequence[str]) -> pa.Table:
    """The result rows of one group."""
    wanted = np.ones(table.num_rows, dtype=np.bool_)
    for name in by:
        value = key.column(name)[0].as_py()
        wanted &= np.array([found == value for found in table.column(name).to_pylist()], dtype=np.bool_)
    return table.filter(pa.array(wanted))


def _same(expected: pa.Table, found: pa.Table, message: str) -> None:
    """Equality bit for bit, NaN included."""
    assert expected.schema.equals(found.schema), message
    for name in expected.column_names:
        a, b = expected.column(name).combine_chunks(), found.column(name).combine_chunks()
        if pa.types.is_floating(a.type):
            assert a.is_valid().equals(b.is_valid()), f"{message}: column {name!r}"
            same = a.fill_null(0.0).to_numpy().tobytes() == b.fill_null(0.0).to_numpy().tobytes()
        else:
            same = a.equals(b)
        assert same, f"{message}: column {name!r}"
