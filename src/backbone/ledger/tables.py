"""The tables `operations.*` and their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

# In the order in which they are written. The receipts come after the other facts, as a dataset counts as
# indexed by them; the runs come last, as they are no facts of receipts.
TABLES = ("change", "input", "window", "batch", "receipt", "run")
OF_RECEIPTS = TABLES[:-1]
# What can't be made again from the logs of other tables. Their own commits are indexed like those of others.
LASTING = ("commit", "pin")

_COLUMNS: dict[str, dict[str, str]] = {
    "receipt": {
        "dataset": "string", "version": "long", "committed_at": "timestamp", "run_id": "string",
        "stage": "string", "rows_read": "long", "rows_written": "long", "rows_rejected": "long",
        "rows_duplicate": "long", "seconds": "double", "peak_memory_bytes": "long", "windows": "long",
        "replaces_all": "boolean", "digest": "string", "fingerprint": "string", "measures": "string",
        "notes": "array<string>", "warnings": "array<string>",
    },
    "input": {"dataset": "string", "version": "long", "input": "string", "input_version": "long"},
    "change": {"dataset": "string", "version": "long", "low": "long", "high": "long"},
    "window": {
        "dataset": "string", "version": "long", "window_start": "timestamp", "every": "string",
        "fingerprint": "string",
    },
    "batch": {
        "source": "string", "batch": "string", "version": "long", "fingerprint": "string", "rows": "long",
        "formatted": "long", "quarantined": "long", "duplicate": "long", "removed": "boolean",
    },
    "run": {
        "run_id": "string", "started_at": "timestamp", "finished_at": "timestamp", "status": "string",
        "pipelines": "array<string>", "published": "array<string>", "errors": "array<string>",
        "warnings": "array<string>",
    },
    "commit": {
        "dataset": "string", "version": "long", "committed_at": "timestamp", "digest": "string",
        "receipt": "string",
    },
    "pin": {"name": "string", "dataset": "string", "version": "long", "created_at": "timestamp"},
}  # fmt: skip


def is_indexed(dataset: str) -> bool:
    """Whether the receipts of a table are: those of the ledger itself carry no facts."""
    zone, _, name = dataset.partition(".")
    return zone != "operations" or name in LASTING


def columns(table: str) -> tuple[tuple[str, str], ...]:
    """The names and Delta types of a table's columns, as `TableVersion.columns` gives them."""
    return tuple(_COLUMNS[table].items())


def schema(table: str) -> pa.Schema:
    """The same for Arrow."""
    import pyarrow as pa

    types = {
        "string": pa.string(), "long": pa.int64(), "double": pa.float64(), "boolean": pa.bool_(),
        "timestamp": pa.timestamp("us", "UTC"), "array<string>": pa.list_(pa.string()),
    }  # fmt: skip
    return pa.schema([(name, types[kind]) for name, kind in columns(table)])
