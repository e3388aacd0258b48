"""Write the offers that all contestants read: `data.py USERS FOLDER [--sorted]`. The same rows every time.

Of each offer, which user got it is drawn independently of all others: a user has 27 rows on average, and the
rows lie unsorted by user. Whether it was bought is drawn from a logistic model whose coefficients are the
user's own; about one user in thirty gave the same answer each time. A sorted file holds the same rows.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import parquet

ROWS_PER_USER = 27
CANDIDATES = "candidate_offer.parquet"
SCHEMA = pa.schema(
    [(name, pa.int32()) for name in ("offerid", "userid", "asktimes", "askbackoffdays", "bought_offer")]
)
ROW_GROUP_ROWS = 122_880  # as DuckDB writes them
BATCH_ROWS = 8 * ROW_GROUP_ROWS


def make(users: int, folder: Path, *, by_user: bool = False, seed: int = 1) -> Path:
    """The file of offers, made unless it is there; the nine candidates lie beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"offer-{users}{'-sorted' if by_user else ''}.parquet"
    parquet.write_table(_candidates(), folder / CANDIDATES)
    if file.exists():
        return file
    part = file.with_suffix(".part")
    if by_user:
        _sort(make(users, folder, seed=seed), part)
    else:
        _draw(users, part, seed)
    part.rename(file)
    return file


def _draw(users: int, file: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    intercept, per_ask, per_day = (random.standard_normal(users, dtype=np.float32) for _ in range(3))
    rows = users * ROWS_PER_USER
    with parquet.ParquetWriter(file, SCHEMA) as writer:
        for first in range(0, rows, BATCH_ROWS):
            size = min(BATCH_ROWS, rows - first)
            user = random.integers(users, size=size)
            asktimes = random.integers(1, 10, size)
            askbackoffdays = random.integers(1, 11, size)
            score = intercept[user] - 1.5
            score += (0.25 + 0.25 * per_ask[user]) * asktimes
            score += 0.15 * per_day[user] * (askbackoffdays - 5)
            bought = random.random(size) < 1 / (1 + np.exp(-score))
            columns = [np.arange(first + 1, first + size + 1), user + 1, asktimes, askbackoffdays, bought]
            arrays = [pa.array(column.astype(np.int32)) for column in columns]
            writer.write_batch(pa.record_batch(arrays, schema=SCHEMA), row_group_size=ROW_GROUP_ROWS)


def _sort(unsorted: Path, file: Path) -> None:
    with duckdb.connect(config={"memory_limit": "4GB", "temp_directory": f"{file}.spill"}) as database:
        database.execute(f"copy (from '{unsorted}' order by userid, offerid) to '{file}' (format parquet)")


def _candidates() -> pa.Table:
    numbers = pa.array(range(1, 10), pa.int32())
    return pa.table({"asktimes": numbers, "askbackoffdays": numbers})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("users", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sorted", action="store_true")
    given = parser.parse_args()
    print(make(given.users, given.folder, by_user=given.sorted))
