"""How DuckDB reads a raw file: the FROM item for each format."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from backbone.contract import quote_literal
from backbone.engines.protocol import DOCUMENT, TEXT, RawFile

MAX_RECORD_BYTES = 2_000_000  # of CSV, as in formatted/grammar.py
MAX_LINE_BYTES = 16_000_000  # of JSON lines


def raw_rows(file: RawFile) -> str:
    """The FROM item that reads a raw file, one row per record, every column as it is written.

    Columns are called `c0`, `c1` and so on by their position: a file's own names may differ in case only, or
    be those of something else.
    """
    path = quote_literal(str(file.path))
    if file.format == "parquet":
        return (
            f"(select *, {text_of(file)} as {TEXT} "
            f"from read_parquet({path}, hive_partitioning = false) as p({', '.join(places(file))}))"
        )
    if file.format == "jsonl":
        # One column and no quoting: each line is a record; a document is parsed once for all fields.
        lines = (
            f"read_csv({path}, columns = {{'l': 'VARCHAR'}}, auto_detect = false, header = false, "
            f"delim = '\x1f', quote = '', escape = '', max_line_size = {MAX_LINE_BYTES}, nullstr = '\x1e')"
        )
        read = "".join(
            f", json_extract_string({DOCUMENT}, {quote_literal(_pointer(name))}) as s{i}"
            for i, name in enumerate(file.columns)
        )
        fields = "".join(f", {_exact_number(name, f's{i}')} as c{i}" for i, name in enumerate(file.columns))
        document = f"case when json_valid(l) and json_type(l) = 'OBJECT' then l end as {DOCUMENT}"
        records = f"(select {document} from {lines} where l <> '')"
        values = f"(select {DOCUMENT}{read} from {records})"
        return f"(select cast(null as varchar) as {TEXT}, {DOCUMENT}{fields} from {values})"
    return f"(select *, cast(null as varchar) as {TEXT} from read_csv({path}, {_csv_options(file)}))"


def rows_of_files(files: Sequence[RawFile], column: str) -> str:
    """The FROM item that reads CSV files laid out as the first one is, with a column of their paths."""
    paths = ", ".join(quote_literal(str(file.path)) for file in files)
    options = f"{_csv_options(files[0])}, filename = {quote_literal(column)}"
    return f"(select *, cast(null as varchar) as {TEXT} from read_csv([{paths}], {options}))"


def _csv_options(file: RawFile) -> str:
    types = ", ".join(f"'{name}': 'VARCHAR'" for name in places(file))
    options = [
        f"columns = {{{types}}}",
        "auto_detect = false",
        "header = false",
        "hive_partitioning = false",
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
    return ", ".join(options)


def places(file: RawFile) -> list[str]:
    """What the columns of a file are called here, by their position."""
    return [f"c{index}" for index in range(len(file.columns))]


def text_of(file: RawFile) -> str:
    """SQL of a whole record of a Parquet file as JSON, under the names that its columns have there."""
    pairs = (f"{quote_literal(name)}, c{i}" for i, name in enumerate(file.columns))
    return f"cast(json_object({', '.join(pairs)}) as varchar)"


def _exact_number(name: str, value: str) -> str:
    """A field as it is written, where the JSON reader has rounded it to a double.

    Its text is looked for behind the field's name, and taken if it is the same number to that precision.
    """
    key = re.sub(r"([\\.^$*+?()\[\]{}|])", r"\\\1", json.dumps(name, ensure_ascii=False))
    number = r"(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    behind = quote_literal(key + r"\s*:\s*" + number)
    written = f"regexp_extract({DOCUMENT}, {behind}, 1)"
    return (
        f"case when strlen({value}) >= 16 and regexp_full_match({value}, '-?[0-9.]+([eE][+-]?[0-9]+)?') "
        f"and try_cast({written} as double) = try_cast({value} as double) then {written} else {value} end"
    )


def _pointer(name: str) -> str:
    """A JSON pointer to a field of the top object."""
    return "/" + name.replace("~", "~0").replace("/", "~1")
