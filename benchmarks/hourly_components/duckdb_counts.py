"""DuckDB counting the same and writing it: `duckdb_counts.py EVENTS OUT`. It is most of the work."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from benchmarks.hourly_components.hours import keep
from benchmarks.per_group.phases import Phases

SQL = """
select "user", cast(local as date) as day, cast(extract(hour from local) as smallint) as hour,
    count(*) as events
from (select "user", make_timestamp(epoch_us("time")) as local from '{file}') as e
group by all
"""


def main(file: Path, out: Path) -> None:
    out.mkdir(parents=True)
    counts, phases = out / "counts.parquet", Phases()
    with duckdb.connect(config={"memory_limit": "4GB", "temp_directory": str(out / "spill")}) as database:
        with phases("count"):
            database.execute(f"copy ({SQL.format(file=file)}) to '{counts}' (format parquet)")
        found = database.execute(f"select count(*), sum(events), max(events) from '{counts}'").fetchone()
    assert found is not None
    keep(out, {"counts": [float(number) for number in found]})
    phases.print()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
