"""Write the activity that all contestants read: `data.py USERS DAYS RATE FOLDER [--events]`.

The same every time. Cells: the events of each hour, user and day, in this order, a row where there were any.
A user's rate is their own, and `RATE` its mean in an hour of a day. With `--events` a row per event too, in
the order of time, made of the cells day by day.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import parquet

FIRST_DAY = 20_454  # 2026-01-01, as Arrow numbers dates
CELLS = pa.schema([("hour", pa.int16()), ("code", pa.int32()), ("day", pa.int32()), ("events", pa.int32())])
EVENTS = pa.schema([("user", pa.string()), ("time", pa.timestamp("us", "UTC"))])
USERS_AT_A_TIME = 50_000
DAY_SQL = """
select 'user' || lpad(cast(code as varchar), 7, '0') as "user",
    make_timestamptz(
        (
            cast(day as bigint) * 86400 + cast(hour as bigint) * 3600
            + cast(hash(hour, code, day, n) % 3600 as bigint)
        ) * 1000000
    ) as "time"
from (select hour, code, day, unnest(range(events)) as n from cells where day = $day) as e
order by 2, 1
"""


def cells_file(users: int, days: int, rate: float, folder: Path, seed: int = 1) -> Path:
    """The cells, made unless they are there; a row group or more for each hour."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"cells-{users}-{days}-{rate}.parquet"
    if file.exists():
        return file
    random = np.random.default_rng(seed)
    own = random.gamma(2.0, 0.5, users)
    part = file.with_suffix(".part")
    with parquet.ParquetWriter(part, CELLS) as writer:
        for hour in range(24):
            for first in range(0, users, USERS_AT_A_TIME):
                means = rate * own[first : first + USERS_AT_A_TIME, None]
                counts = random.poisson(np.broadcast_to(means, (len(means), days)))
                user, day = np.nonzero(counts)
                columns = [np.full(len(user), hour), first + user, FIRST_DAY + day, counts[user, day]]
                typed = zip(columns, CELLS.types, strict=True)
                writer.write_batch(
                    pa.record_batch([pa.array(c).cast(kind) for c, kind in typed], schema=CELLS)
                )
    part.rename(file)
    return file


def events_file(cells: Path, days: int) -> Path:
    """A row per event, made unless they are there."""
    file = cells.with_name(cells.name.replace("cells", "events"))
    if file.exists():
        return file
    part = file.with_suffix(".part")
    with parquet.ParquetWriter(part, EVENTS) as writer, duckdb.connect() as database:
        database.execute("set TimeZone = 'UTC'")
        database.execute(f"create view cells as from '{cells}'")
        for day in range(FIRST_DAY, FIRST_DAY + days):
            rows = database.sql(DAY_SQL, params={"day": day}).to_arrow_table()
            writer.write_table(rows.cast(EVENTS))
    part.rename(file)
    return file


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("users", type=int)
    parser.add_argument("days", type=int)
    parser.add_argument("rate", type=float)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", action="store_true")
    given = parser.parse_args()
    made = cells_file(given.users, given.days, given.rate, given.folder)
    print(events_file(made, given.days) if given.events else made)
