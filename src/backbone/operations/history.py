"""How a table came about: its commits with their receipts, newest first."""

from __future__ import annotations

from backbone.ledger.index import Index

SHOWN = (
    "version, committed_at, stage, windows, rows_read, rows_written, rows_rejected, rows_duplicate, "
    "seconds, run_id"
)


def history_query(index: Index, dataset: str, limit: int, *, everything: bool) -> str:
    """SQL of a table's last commits, with `$dataset` for its name.

    Parameters
    ----------
    everything : also what is too wide for a terminal. `inputs` are the tables that a commit read, each as
        `zone.table@version`.
    """
    index.complete()
    receipts, inputs = (index.facts(table, "dataset", dataset) for table in ("receipt", "input"))
    columns = SHOWN
    if everything:
        columns += ", peak_memory_bytes, replaces_all, fingerprint"
        columns += f", {_listed(inputs)} as inputs" if inputs else ", cast([] as varchar[]) as inputs"
        columns += ", measures, notes, warnings"
    return (
        f"select {columns} from {receipts or 'operations.receipt'} as r where dataset = $dataset "
        f"order by version desc limit {int(limit)}"
    )


def _listed(inputs: str) -> str:
    return (
        "(select coalesce(list(input || '@' || input_version order by input), []) "
        f"from {inputs} as i where i.dataset = r.dataset and i.version = r.version)"
    )
