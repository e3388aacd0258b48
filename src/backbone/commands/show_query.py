"""Print the rows of a query over a project's tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backbone.commands.reader import reader_name
from backbone.commands.terminal import console

if TYPE_CHECKING:
    from datetime import datetime

    from backbone.commands.options import Form
    from backbone.project import Project


def show_query(project: Project, sql: str, form: Form, limit: int, as_of: datetime | None = None) -> None:
    """Print a query's rows over all tables, as they are or as they were at an instant."""
    from backbone.commands.query_output import print_rows
    from backbone.errors import QueryRefused
    from backbone.operations.query import open_tables

    with project.database(reader_name()) as database:
        left_out = open_tables(project.lake, database, as_of)
        try:
            print_rows(database, sql, form.value, limit, None, console)
        except QueryRefused as error:
            raise next((why for name, why in left_out.items() if _is_named(name, sql)), error) from None


def is_empty(project: Project, sql: str) -> bool:
    """Whether a query over all tables gives no row."""
    from backbone.operations.query import open_tables

    with project.database(reader_name()) as database:
        open_tables(project.lake, database)
        return not database.fetch(f"{sql} limit 1")


def _is_named(dataset: str, sql: str) -> bool:
    """Whether a text names a table, quoted or not."""
    zone, name = map(re.escape, dataset.split("."))
    return re.search(rf'\b{zone}"?\s*\.\s*"?{name}\b', sql, re.IGNORECASE) is not None
