"""Print what a contestant made, as JSON: `facts.py FOLDER`, a Delta table, or a folder of Parquet files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb
from deltalake import DeltaTable

FACTS = """
select count(*), count(customer_id), cast(sum(quantity * unit_price) as decimal(38, 3)),
    epoch_us(min(purchased_at)), epoch_us(max(purchased_at)),
    any_value(typeof(customer_id)), any_value(typeof(quantity)), any_value(typeof(unit_price)),
    any_value(typeof(purchased_at))
from read_parquet($files, hive_partitioning = false)
"""


def main(folder: Path) -> None:
    delta = (folder / "_delta_log").is_dir()
    files = (
        DeltaTable(str(folder)).file_uris() if delta else [str(p) for p in sorted(folder.glob("*.parquet"))]
    )
    facts = duckdb.execute(FACTS, {"files": [f.removeprefix("file://") for f in files]}).fetchone()
    assert facts is not None
    rows, customers, spent, first, last, *types = facts
    found = {"rows": rows, "customers": customers, "spent": str(spent), "first": first, "last": last}
    print(json.dumps({"facts": found, "types": types, "files": len(files)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
