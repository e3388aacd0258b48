"""DuckDB alone: `duckdb_count.py PROJECT OUT count`, `… PROJECT OUT table` and `… FILE OUT sort`.

`count` counts the connections of every edge and hour from the formatted table of a project and writes the
counts as Parquet, which is the least that a run has to do. `table` writes them as the product's table of them
is: by days, in their order, after looking for counts that are there twice. `sort` reads the hourly counts of
a file, sorts them by edge and hour and goes through them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
from deltalake import DeltaTable

from benchmarks.per_group.phases import Phases

COUNT = """
select date_trunc('hour', started_at) as hour, source, destination,
    sum(coalesce(connections, 1)) as connections
from read_parquet({files}) group by all
"""
DAYS = """
copy (select *, cast(hour as date) as day from counts order by hour, source, destination)
to '{out}' (format parquet, partition_by (day))
"""
TWICE = "select 1 from counts group by hour, source, destination having count(*) > 1 limit 1"
SORT = "from read_parquet({files}) order by source, destination, hour"


def main(place: Path, out: Path, work: str) -> None:
    out.mkdir(parents=True)
    phases = Phases()
    with duckdb.connect(config={"memory_limit": "4GB", "temp_directory": str(out / "spill")}) as database:
        if work in {"count", "table"}:
            uris = DeltaTable(str(place / "formatted" / "connection")).file_uris()
            files = [uri.removeprefix("file://") for uri in uris]
            with phases("count"):
                if work == "count":
                    database.execute(
                        f"copy ({COUNT.format(files=files)}) to '{out}/c.parquet' (format parquet)"
                    )
                else:
                    database.execute(f"create table counts as {COUNT.format(files=files)}")
                    assert not database.execute(TWICE).fetchall()
                    database.execute(DAYS.format(out=out / "days"))
        else:
            with phases("sort"):
                reader = database.sql(SORT.format(files=[str(place)])).to_arrow_reader(1_000_000)
                assert sum(batch.num_rows for batch in reader)
    phases.print()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
