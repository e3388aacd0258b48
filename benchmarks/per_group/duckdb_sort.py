"""What DuckDB takes merely to sort the file by user and write it: `duckdb_sort.py FILE OUT [used|all]`.

The columns a model needs, or all of them. No model is fitted: the sort alone is most of the work at a million
users.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from benchmarks.per_group.phases import Phases

COLUMNS = {"used": "userid, asktimes, askbackoffdays, bought_offer", "all": "*"}


def main(file: Path, out: Path, columns: str) -> None:
    out.mkdir(parents=True)
    phases = Phases()
    with (
        duckdb.connect(config={"memory_limit": "4GB", "temp_directory": str(out / "spill")}) as database,
        phases("sort"),
    ):
        database.execute(
            f"copy (select {COLUMNS[columns]} from '{file}' order by userid) "
            f"to '{out / 'sorted.parquet'}' (format parquet)"
        )
    phases.print()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "all")
