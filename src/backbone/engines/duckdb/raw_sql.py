"""How DuckDB reads a raw file: the FROM item for each format."""

from __future__ import annotations

from collections.abc import Sequence

from backbone.contracts.contract import quote_literal
from backbone.engines.duckdb.raw_file import MAX_RECORD, TEXT, RawFile


def raw_rows(file: RawFile) -> str:
    """The FROM item that reads a raw file, one row per record, every column as it is written.

    Columns are called `c0`, `c1` and so on by their position: a file's own names may differ in case only, or
    be those of something else.
    """
    path = quote_literal(str(file.path))
    if file.format == "parquet":
        return (
            f"(select *{nested_columns(file)}, {text_of(file)} as {TEXT}{_given(file)} "
            f"from read_parquet({path}, hive_partitioning = false) as p({', '.join(places(file))}))"
        )
    return _csv_rows(file, path, "", _given(file))


def rows_of_files(files: Sequence[RawFile], column: str) -> str:
    """The FROM item that reads CSV files laid out as the first one is, with a column of their paths."""
    paths = ", ".join(quote_literal(str(file.path)) for file in files)
    # The path is one constant for all rows of a block, so the comparisons cost next to nothing.
    cases = (
        " ".join(f"when {quote_literal(str(file.path))} then {_text(file.given[i])}" for file in files)
        for i in range(len(files[0].given))
    )
    given = "".join(f", case {column} {case} end as g{i}" for i, case in enumerate(cases))
    return _csv_rows(files[0], f"[{paths}]", f", filename = {quote_literal(column)}", given)


def _csv_rows(file: RawFile, paths: str, more: str, given: str) -> str:
    """The rows of CSV files, read once for each set of texts that mean null: a reader has one set."""
    first, *others = (f"read_csv({paths}, {_csv_options(file, nulls)}" for nulls in file.nulls)
    rows = f"{first}{more})"
    if not others:
        return f"(select *, cast(null as varchar) as {TEXT}{given} from {rows})"
    columns = "".join(
        f", n{k}.{name} as {name}_{k}" for k in range(1, len(file.nulls)) for name in places(file)
    )
    joined = "".join(f" positional join {other}) as n{k}" for k, other in enumerate(others, 1))
    return f"(select n0.*{columns}, cast(null as varchar) as {TEXT}{given} from {rows} as n0{joined})"


def _csv_options(file: RawFile, nulls: Sequence[str]) -> str:
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
        f"nullstr = {_null_texts(nulls)}",
        "allow_quoted_nulls = false",
        "null_padding = false",
        f"new_line = {quote_literal(file.newline)}",
        f"max_line_size = {MAX_RECORD}",
    ]
    return ", ".join(options)


def given_columns(file: RawFile) -> list[str]:
    """SQL of the texts that are the same in all records of a file."""
    return [_text(text) for text in file.given]


def nested_columns(file: RawFile) -> str:
    """SQL of the values within others, behind the columns of a file.

    Examples
    --------
    >>> from pathlib import Path
    >>> nested_columns(RawFile(Path("a.parquet"), "parquet", ("id", "address"), nested=((1, 0),)))
    ', struct_extract_at(c1, 1) as c2'
    """
    found = ""
    for number, (column, *steps) in enumerate(file.nested, len(file.columns)):
        value = f"c{column}"
        for step in steps:
            value = f"struct_extract_at({value}, {step + 1})"
        found += f", {value} as c{number}"
    return found


def _given(file: RawFile) -> str:
    return "".join(f", {text} as g{i}" for i, text in enumerate(given_columns(file)))


def _text(text: str | None) -> str:
    return "cast(null as varchar)" if text is None else f"cast({quote_literal(text)} as varchar)"


def _null_texts(nulls: Sequence[str]) -> str:
    return f"[{', '.join(map(quote_literal, ('', *nulls)))}]" if nulls else "''"


def places(file: RawFile) -> list[str]:
    """What the columns of a file are called here, by their position."""
    return [f"c{index}" for index in range(len(file.columns))]


def text_of(file: RawFile) -> str:
    """SQL of a whole record of a Parquet file as JSON, under the names that its columns have there."""
    pairs = (f"{quote_literal(name)}, c{i}" for i, name in enumerate(file.columns))
    return f"cast(json_object({', '.join(pairs)}) as varchar)"
