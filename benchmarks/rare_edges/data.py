"""Write what all contestants read: `data.py KIND FIRST SECOND FOLDER`. The same rows every time.

`counts EDGES HOURS`: so many hours of each edge, spread over half a year. Each edge has a level of its own,
and about one hour in 3,000 carries ten to fifty times as much. By edge and hour, as it is made; `--by-hour`
holds the same rows in the order of the hours, as they come in. `one-edge HOURS 0`: the single connections of
the one edge of `counts 1 HOURS`. `connections ROWS EDGES`: single ones within 45 days, in the order in which
they started; a hundredth of the edges have a fifth of them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import parquet

HALF_A_YEAR = 4_380  # hours
SPAN = 45 * 24  # hours, half as many again as an edge is trained
BEGIN_US = 1_767_225_600_000_000  # 2026
HOUR_US = 3_600_000_000
BATCH_ROWS = 1_000_000
PER_SOURCE = 20
INSTANT = pa.timestamp("us", "UTC")


def names(edge: Any) -> list[pa.Array]:
    """The two ends of edges, which sort as their numbers do."""
    ends = []
    for kind, number in (("program@host-", edge // PER_SOURCE), ("service-", edge % PER_SOURCE)):
        distinct, codes = np.unique(number, return_inverse=True)
        texts = pa.array([f"{kind}{n:06}" for n in distinct.tolist()])
        ends.append(pa.DictionaryArray.from_arrays(codes.astype(np.int32), texts).cast(pa.string()))
    return ends


def counts(edges: int, hours: int, folder: Path, *, by_hour: bool = False, seed: int = 1) -> Path:
    """The file of hourly counts, made unless it is there."""
    file = folder / f"counts-{edges}-{hours}{'-by-hour' if by_hour else ''}.parquet"
    if file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    if by_hour:
        by_edge = counts(edges, hours, folder, seed=seed)
        with duckdb.connect(config={"memory_limit": "4GB", "temp_directory": f"{file}.spill"}) as database:
            order = "hour, source, destination"
            database.execute(f"copy (from '{by_edge}' order by {order}) to '{part}' (format parquet)")
    else:
        _draw_counts(edges, hours, part, seed)
    part.rename(file)
    return file


def _draw_counts(edges: int, hours: int, file: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    writer = None
    at_once = max(1, BATCH_ROWS // hours)
    for first in range(0, edges, at_once):
        some = np.arange(first, min(first + at_once, edges))
        shape = (len(some), hours)
        gaps = random.integers(1, max(2, 2 * HALF_A_YEAR // hours), shape)
        level = random.integers(1, 60, (len(some), 1))
        connections = 1 + random.poisson(level, shape)
        burst = random.random(shape) < 1 / 3_000
        connections = np.where(burst, connections * random.integers(10, 50, shape), connections)
        at = (BEGIN_US + np.cumsum(gaps, axis=1) * HOUR_US).ravel()
        table = pa.table(
            [*names(np.repeat(some, hours)), pa.array(at, INSTANT), pa.array(connections.ravel())],
            names=["source", "destination", "hour", "connections"],
        )
        writer = writer or parquet.ParquetWriter(file, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def one_edge(hours: int, folder: Path, seed: int = 3) -> Path:
    """The file of one edge's single connections, made unless it is there."""
    file = folder / f"one-edge-{hours}.parquet"
    if not file.exists():
        random = np.random.default_rng(seed)
        table = parquet.read_table(counts(1, hours, folder))
        row = np.repeat(np.arange(table.num_rows), table["connections"].to_numpy())
        begins = table["hour"].cast(pa.int64()).to_numpy()[row]
        at = np.sort(begins + random.integers(0, HOUR_US, len(row)))
        ends = table.select(["source", "destination"]).take(pa.array(row))
        parquet.write_table(ends.add_column(0, "started_at", pa.array(at, INSTANT)), file)
    return file


def connections(rows: int, edges: int, folder: Path, seed: int = 2) -> Path:
    """The file of single connections, made unless it is there."""
    file = folder / f"connections-{rows}-{edges}.parquet"
    if file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    part, writer, n_parts = file.with_suffix(".part"), None, -(-rows // BATCH_ROWS)
    for number in range(n_parts):
        size = min(BATCH_ROWS, rows - number * BATCH_ROWS)
        length = SPAN * HOUR_US // n_parts
        at = number * length + np.sort(random.integers(0, length, size))
        edge = np.minimum(edges - 1, (edges * random.random(size) ** 3).astype(np.int64))
        table = pa.table(
            [pa.array(BEGIN_US + at, INSTANT), *names(edge)], names=["started_at", "source", "destination"]
        )
        writer = writer or parquet.ParquetWriter(part, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    part.rename(file)
    return file


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["counts", "one-edge", "connections"])
    parser.add_argument("first", type=int)
    parser.add_argument("second", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--by-hour", action="store_true")
    given = parser.parse_args()
    if given.kind == "one-edge":
        print(one_edge(given.first, given.folder))
    elif given.kind == "counts":
        print(counts(given.first, given.second, given.folder, by_hour=given.by_hour))
    else:
        print(connections(given.first, given.second, given.folder))
