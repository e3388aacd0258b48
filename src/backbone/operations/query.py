"""All tables for a query, their versions fixed when it starts."""

from __future__ import annotations

import logging
from datetime import datetime

from backbone.engines.duckdb.database import Database
from backbone.errors import BackboneError
from backbone.lake.table import Lake
from backbone.ledger.damage import find_damages


def open_tables(lake: Lake, database: Database, as_of: datetime | None = None) -> dict[str, BackboneError]:
    """Let every dataset's name mean its present version, or the one readers saw at an instant.

    A table whose log is damaged is read at its last whole version. One that can't be read at all is left
    out, so that no other is kept from its readers. Either is logged as a warning. The result says why those
    that were left out were, by name.
    """
    left_out: dict[str, BackboneError] = {}
    datasets = lake.datasets()
    for damage in find_damages(lake, {dataset: {} for dataset in datasets}):
        logging.getLogger("backbone").warning(str(damage.error()))
        lake.show(damage.dataset, damage.good)
    for dataset in datasets:
        try:
            if lake.exists(dataset):
                table = lake.read(dataset) if as_of is None else lake.as_of(dataset, as_of)
                if table is not None:
                    database.read(table)
        except BackboneError as error:
            logging.getLogger("backbone").warning(str(error))
            left_out[dataset] = error
    return left_out
