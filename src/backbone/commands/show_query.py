"""Print the rows of a query over a project's tables."""

from __future__ import annotations

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
    from backbone.operations.query import open_tables

    with project.database(reader_name()) as database:
        open_tables(project.lake, database, as_of)
        print_rows(database, sql, form.value, limit, None, console)


def is_empty(project: Project, sql: str) -> bool:
    """Whether a query over all tables gives no row."""
    from backbone.operations.query import open_tables

    with project.database(reader_name()) as database:
        open_tables(project.lake, database)
        return not database.fetch(f"{sql} limit 1")
