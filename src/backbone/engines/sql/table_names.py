"""Put the names that an engine gave its relations in place of a text's own names of tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from backbone.engines.relation import Relation

NAME = r'(?:"(?:[^"]|"")*"|[A-Za-z_]\w*)'
# Texts, comments and single names in quotes are passed over.
TOKENS = re.compile(
    rf"'(?:[^']|'')*'|--[^\r\n]*|/\*.*?\*/|(?P<zone>{NAME})\s*\.\s*(?P<table>{NAME})|\"(?:[^\"]|\"\")*\"",
    re.DOTALL,
)


def rename_tables(sql: str, relations: Mapping[str, Relation]) -> str:
    """A text in which `zone.table` is the relation of that name.

    Parameters
    ----------
    relations : by `zone.table`, in lower case; other names stay as they are.

    Examples
    --------
    >>> sales = Relation("r7.sale")
    >>> rename_tables('select s.item from "Formatted".sale as s -- formatted.sale', {"formatted.sale": sales})
    'select s.item from r7.sale as s -- formatted.sale'
    """
    parts = _parts(sql)
    return "".join(
        part if index % 2 == 0 else str(relations.get(_dataset(part), part))
        for index, part in enumerate(parts)
    )


@lru_cache(maxsize=256)
def _parts(sql: str) -> tuple[str, ...]:
    """A text in parts, every second of which is two names with a dot between them."""
    parts, at = [], 0
    for match in TOKENS.finditer(sql):
        if match["zone"] is not None:
            parts += [sql[at : match.start("zone")], sql[match.start("zone") : match.end("table")]]
            at = match.end("table")
    return (*parts, sql[at:])


def _dataset(name: str) -> str:
    zone, table = re.findall(NAME, name)
    return f"{_plain(zone)}.{_plain(table)}"


def _plain(name: str) -> str:
    return (name[1:-1].replace('""', '"') if name.startswith('"') else name).lower()
