"""What DuckDB says of a data file that is gone or damaged, as an error that names the table."""

from __future__ import annotations

import errno
import os
import re

import duckdb

from backbone.dataset import ZONES
from backbone.errors import TableDamaged

# The pages of a file that begins and ends well are described in words of many libraries, without its name.
OF_PAGES = re.compile(
    r"don't know what type|thrift|TProtocol|snappy|decompress|page header|corrupt", re.IGNORECASE
)
DATA_FILE = re.compile(
    rf"[^'\"]*/((?:{'|'.join(ZONES)})/([a-z][a-z0-9_]*)/(?:window_date=[^/'\"]+/)?[^/'\"]+\.parquet)"
)
REFUSED = [os.strerror(n) for n in (errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM)]
STATE = "Nothing of this step is published; what was published before stays."
MEND = "backbone check --deep shows what is damaged; backbone repair --deep --yes mends what can be mended"


def as_damage(error: duckdb.Error, sql: str) -> TableDamaged | None:
    """An error that is about a data file of a table; None of others, such as one about a delivered file."""
    text = str(error).splitlines()[0].strip() if str(error).strip() else ""
    if any(answer in text for answer in REFUSED):  # the file may be whole
        return None
    named = DATA_FILE.search(text)
    if named is not None and named[2] != "persistent":
        path = named[1]
        zone, name = path.split("/")[:2]
        found = text.replace(named[0], path)
        return TableDamaged(f"{zone}.{name}", f"expected to read {path}, found: {found}", STATE, MEND)
    is_of_pages = type(error) is duckdb.Error or isinstance(error, duckdb.InvalidInputException)
    if is_of_pages and OF_PAGES.search(text) and "landing/persistent" not in sql:
        return TableDamaged("a table", f"expected to read a data file, found: {text}", STATE, MEND)
    return None
