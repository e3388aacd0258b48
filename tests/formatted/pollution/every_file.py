"""All damaged files, and a sample of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pollution.file_faults import in_the_file
from pollution.line_faults import in_a_column, in_one_line
from pollution.polluted import Polluted
from pollution.tables import Table, tables

LARGE = 20  # rows; of a table with more, the costly kinds are done to some rows only
SOME_ROWS = (0, 3, 10, 17, 60, 79)
CHEAP = ("delimiter added", "delimiter removed", "opening quote removed", "closing quote removed")
SETTINGS_SAMPLED = ('quote = "\'"', 'delimiter = ";"', "skip = 1")
SAMPLED = ("three columns, last nullable", "ledger", "two columns, texts quoted", "all text")


def polluted_files(table: Table) -> Iterator[Polluted]:
    """Every damaged file of a table; each row and field is damaged in each way.

    Of a large table that holds for delimiters that are added or removed and quotes that are removed; the
    other kinds are done to some of its rows.
    """
    yield from in_the_file(table)
    yield from in_a_column(table)
    for one in in_one_line(table):
        row = one.row
        if len(table.rows) <= LARGE or row is None or row in SOME_ROWS or one.kind.startswith(CHEAP):
            yield one


def sample(per_family: int) -> list[Polluted]:
    """So many files of each family, from a few tables, the same in every run."""
    found: list[Polluted] = []
    taken: Counter[str] = Counter()
    candidates = [one for table in tables() if table.name in SAMPLED for one in polluted_files(table)]
    for one in sorted(candidates, key=lambda one: one.lot):
        if one.settings and (one.table.name != SAMPLED[0] or one.settings not in SETTINGS_SAMPLED):
            continue  # each setting needs a run of its own
        if taken[one.family] < per_family:
            taken[one.family] += 1
            found.append(one)
    return found
