"""The floor: one DuckDB statement, types given, nothing checked, one Parquet file: `… CSV FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

TYPES = {
    "invoice_id": "VARCHAR",
    "customer_id": "BIGINT",
    "quantity": "BIGINT",
    "unit_price": "DECIMAL(12,3)",
    "purchased_at": "TIMESTAMP",
}


def main(file: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    duckdb.execute(
        f"copy (select * from read_csv('{file}', header = true, columns = {TYPES!r})) "
        f"to '{folder / 'purchases.parquet'}' (format parquet)"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
