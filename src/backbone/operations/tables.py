"""The tables `operations.*` and their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

# In the order in which they are written. The receipts come after the other facts, as a dataset counts as
# indexed by them; the runs come last, as they are no facts of receipts.
TABLES = ("change", "input", "window", "batch", "receipt", "run")
OF_RECEIPTS = TABLES[:-1]


def schema(table: str) -> pa.Schema:
    """The columns of a table."""
    import pyarrow as pa

    text, whole, instant, flag = pa.string(), pa.int64(), pa.timestamp("us", "UTC"), pa.bool_()
    texts = pa.list_(text)
    columns: dict[str, dict[str, pa.DataType]] = {
        "receipt": {
            "dataset": text, "version": whole, "committed_at": instant, "run_id": text, "stage": text,
            "rows_read": whole, "rows_written": whole, "rows_rejected": whole, "rows_duplicate": whole,
            "seconds": pa.float64(), "peak_memory_bytes": whole, "windows": whole, "replaces_all": flag,
            "fingerprint": text, "measures": text, "notes": texts, "warnings": texts,
        },
        "input": {"dataset": text, "version": whole, "input": text, "input_version": whole},
        "change": {"dataset": text, "version": whole, "low": whole, "high": whole},
        "window": {
            "dataset": text, "version": whole, "window_start": instant, "every": text, "fingerprint": text,
        },
        "batch": {
            "source": text, "batch": text, "version": whole, "fingerprint": text, "rows": whole,
            "formatted": whole, "quarantined": whole, "duplicate": whole, "removed": flag,
        },
        "run": {
            "run_id": text, "started_at": instant, "finished_at": instant, "status": text,
            "pipelines": texts, "published": texts, "errors": texts, "warnings": texts,
        },
    }  # fmt: skip
    return pa.schema(list(columns[table].items()))
