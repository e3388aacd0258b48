"""dlt, from its filesystem source into a Delta table: `dlt_delta.py CSV FOLDER [arrow|duckdb|records]`.

Two idiomatic ways to read: PyArrow's streaming CSV reader in a resource of our own (`arrow`), and dlt's
`read_csv_duckdb` with `use_pyarrow` (`duckdb`). Both give Arrow batches, which dlt passes through without
making Python objects of them; types are given, nothing else is checked, no row can be turned away. The
third, `records`, is the `read_csv` that its documentation begins with: pandas, and a Python object for
each value. (`read_csv_duckdb` without `use_pyarrow` does not work with DuckDB 2.)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BATCH_ROWS = 500_000


def main(file: Path, folder: Path, reader: str) -> None:
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "DLT_DATA_DIR": str(folder / "dlt"),
    }
    import dlt

    pipeline = dlt.pipeline(
        "purchases",
        destination=dlt.destinations.filesystem(bucket_url=str(folder / "lake")),
        dataset_name="shop",
        pipelines_dir=str(folder / "pipelines"),
    )
    rows = READERS[reader](file)
    pipeline.run(rows, table_name="purchases", table_format="delta", write_disposition="append")


def arrow_rows(file: Path) -> Any:
    import dlt
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    types = {
        "invoice_id": pa.string(),
        "customer_id": pa.float64(),  # PyArrow reads no 17850.0 as an integer
        "quantity": pa.int64(),
        "unit_price": pa.decimal128(12, 3),
        "purchased_at": pa.timestamp("us"),
    }
    instants: Any = {"data_type": "timestamp", "timezone": False}

    def rows() -> Iterator[pa.Table]:
        options = csv.ConvertOptions(column_types=types, timestamp_parsers=["%Y-%m-%d %H:%M:%S"])
        with csv.open_csv(file, csv.ReadOptions(block_size=32_000_000), convert_options=options) as batches:
            for batch in batches:
                table = pa.Table.from_batches([batch])
                customers = pc.cast(table["customer_id"], pa.int64())
                yield table.set_column(1, "customer_id", customers)

    return dlt.resource(rows, name="purchases", columns={"purchased_at": instants})


def duckdb_rows(file: Path) -> Any:
    from dlt.sources.filesystem import filesystem, read_csv_duckdb

    types = {
        "invoice_id": "VARCHAR",
        "customer_id": "BIGINT",
        "quantity": "BIGINT",
        "unit_price": "DECIMAL(12,3)",
        "purchased_at": "TIMESTAMP",
    }
    files = filesystem(bucket_url=str(file.parent), file_glob=file.name)
    return files | read_csv_duckdb(use_pyarrow=True, chunk_size=BATCH_ROWS, dtype=types, header=True)


def record_rows(file: Path) -> Any:
    from dlt.sources.filesystem import filesystem, read_csv

    hints: Any = {
        "invoice_id": {"data_type": "text"},
        "customer_id": {"data_type": "bigint", "nullable": True},
        "quantity": {"data_type": "bigint"},
        "unit_price": {"data_type": "decimal", "precision": 12, "scale": 3},
        "purchased_at": {"data_type": "timestamp"},
    }
    types = {"invoice_id": str, "customer_id": "Int64", "unit_price": str}
    rows = filesystem(bucket_url=str(file.parent), file_glob=file.name) | read_csv(dtype=types)
    rows.apply_hints(columns=hints)
    return rows


READERS = {"arrow": arrow_rows, "duckdb": duckdb_rows, "records": record_rows}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "arrow")
