"""DuckDB counting the same and writing it: `duckdb_counts.py EVENTS OUT [table]`. It is most of the work.

With `table` it is written as the product's table of it is: by days, in their order, after looking for counts
that are there twice.
"""

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
TWICE = 'select 1 from counts group by day, "user", hour having count(*) > 1 limit 1'


def main(file: Path, out: Path, *, table: bool) -> None:
    out.mkdir(parents=True)
    counts, phases = out / "counts.parquet", Phases()
    with duckdb.connect(config={"memory_limit": "4GB", "temp_directory": str(out / "spill")}) as database:
        with phases("count"):
            if table:
                database.execute(f"create table counts as {SQL.format(file=file)}")
                assert not database.execute(TWICE).fetchall()
                ordered = 'select * from counts order by day, "user", hour'
                database.execute(f"copy ({ordered}) to '{counts}' (format parquet, partition_by (day))")
            else:
                database.execute(f"copy ({SQL.format(file=file)}) to '{counts}' (format parquet)")
        written = f"read_parquet('{counts}{'/*/*' if table else ''}')"
        found = database.execute(f"select count(*), sum(events), max(events) from {written}").fetchone()
    assert found is not None
    keep(out, {"counts": [float(number) for number in found]})
    phases.print()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), table=sys.argv[3:] == ["table"])
