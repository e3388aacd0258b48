"""How DuckDB reads a raw file: the FROM item for each format."""

from __future__ import annotations

from backbone.contract import quote_identifier, quote_literal
from backbone.engines.protocol import TEXT, RawFile

MAX_RECORD_BYTES = 2_000_000  # of CSV, as in formatted/grammar.py


def raw_rows(file: RawFile) -> str:
    """The FROM item that reads a raw file, one row per record, every column as it is written."""
    path = quote_literal(str(file.path))
    if file.format == "parquet":
        return f"(select *, to_json(p) as {TEXT} from read_parquet({path}, hive_partitioning = false) as p)"
    names = [f"c{index}" for index in range(len(file.columns))]
    types = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    options = [
        f"columns = {{{types}}}",
        "auto_detect = false",
        "header = false",
        f"skip = {file.skip}",
        f"delim = {quote_literal(file.delimiter)}",
        f"quote = {quote_literal(file.quote or '')}",
        f"escape = {quote_literal(file.escape or '')}",
        "nullstr = ''",
        "allow_quoted_nulls = false",
        "null_padding = false",
        f"new_line = {quote_literal(file.newline)}",
        f"max_line_size = {MAX_RECORD_BYTES}",
    ]
    renamed = ", ".join(
        f"{name} as {quote_identifier(column)}" for name, column in zip(names, file.columns, strict=True)
    )
    return f"(select {renamed}, cast(null as varchar) as {TEXT} from read_csv({path}, {', '.join(options)}))"
