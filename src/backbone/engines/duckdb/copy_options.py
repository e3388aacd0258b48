"""How DuckDB writes Parquet files, so that every engine reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable

FLOATING = re.compile(r"\b(FLOAT|DOUBLE)\b")


def copy_options(kinds: Iterable[str]) -> str:
    """How columns of some SQL types are written as Parquet.

    The second version of Parquet's pages has encodings that make numbers and texts half as large. For
    floating-point numbers it has one that Spark 4 can't read with its default settings, and DuckDB chooses
    it where there are any: their tables are written in the first version. Large dictionaries cost a third of
    the time of writing and save nothing.

    Examples
    --------
    >>> copy_options(["BIGINT", "VARCHAR"])
    'format parquet, compression snappy, parquet_version v2, dictionary_size_limit 1000'
    >>> copy_options(["BIGINT", "DOUBLE[]"])
    'format parquet, compression snappy, parquet_version v1, dictionary_size_limit 1000'
    """
    version = "v1" if any(FLOATING.search(kind) for kind in kinds) else "v2"
    return f"format parquet, compression snappy, parquet_version {version}, dictionary_size_limit 1000"
