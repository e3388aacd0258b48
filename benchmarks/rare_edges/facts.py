"""Print what a contestant found, as JSON: `facts.py OUT`.

Its alerts are `alerts.parquet`, or a Delta table `rare_edge`; `total` is of what was expected, to nine
digits.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb
from deltalake import DeltaTable


def main(out: Path) -> None:
    alerts, published = out / "alerts.parquet", out / "exploitation" / "rare_edge"
    if published.exists():
        files = [uri.removeprefix("file://") for uri in DeltaTable(str(published)).file_uris()]
        source = f"read_parquet({files!r})" if files else "(select 0 as value, 0.0 as expected where false)"
    else:
        source = f"'{alerts}/*.parquet'" if alerts.is_dir() else f"'{alerts}'"
    with duckdb.connect() as database:
        row = database.execute(f"select count(*), sum(value), sum(expected) from {source}").fetchone()
    assert row is not None
    print(json.dumps({"alerts": row[0], "value": int(row[1] or 0), "total": f"{row[2] or 0:.9g}"}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
