"""DuckDB alone, counting or sorting: `duckdb_count.py PROJECT OUT count`, `duckdb_count.py FILE OUT sort`.

`count` counts the connections of every edge and hour from the formatted table of a project and writes the
counts as Parquet, which is the least that a run has to do. `sort` reads the hourly counts of a file, sorts
them by edge and hour and goes through them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
from deltalake import DeltaTable

from benchmarks.per_group.phases import Phases

COUNT = """
copy (
    select date_trunc('hour', started_at) as hour, source, destination,
        sum(coalesce(connections, 1)) as connections
    from read_parquet({files}) group by all
) to '{out}' (format parquet)
"""
SORT = "from read_parquet({files}) order by source, destination, hour"


def main(place: Path, out: Path, work: str) -> None:
    out.mkdir(parents=True)
    phases = Phases()
    with duckdb.connect(config={"memory_limit": "4GB", "temp_directory": str(out / "spill")}) as database:
        if work == "count":
            uris = DeltaTable(str(place / "formatted" / "connection")).file_uris()
            files = [uri.removeprefix("file://") for uri in uris]
            with phases("count"):
                database.execute(COUNT.format(files=files, out=out / "counts.parquet"))
        else:
            with phases("sort"):
                reader = database.sql(SORT.format(files=[str(place)])).to_arrow_reader(1_000_000)
                assert sum(batch.num_rows for batch in reader)
    phases.print()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
