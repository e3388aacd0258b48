"""Parse one landed file into a staged table of typed values and, for each bad record, its reasons.

The engine's own reader does the work. Since it must not be trusted with the accounting (an unterminated
quote makes it lose rows without a word, an empty field too many shifts a row), the records of a text file and
their fields are counted independently; where the counts differ, or the reader stops, the file is split into
good records and broken lines first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backbone.contracts.contract import Column
from backbone.engines.duckdb.database import Database
from backbone.engines.duckdb.raw_file import MalformedFile, RawFile
from backbone.errors import BatchRefused
from backbone.formatted.binding import Binding, bind, wanted_names
from backbone.formatted.conform import ConformSql, RawColumn, Refusal, conform_sql, with_given
from backbone.formatted.given_values import given_values
from backbone.formatted.kinds import refuse_other_text
from backbone.formatted.parquet.nested import ParquetColumns, parquet_columns
from backbone.formatted.parquet.single_values import refuse_other_values
from backbone.formatted.parse_result import ParseResult, unaccountable
from backbone.formatted.plain import PACKED, make_plain
from backbone.formatted.source import FormattedSource
from backbone.formatted.unpivot_sql import Cells, of_one_type, unpivot_sql
from backbone.quoting import quote_literal
from backbone.source_settings import SourceSettings

FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


@dataclass(frozen=True)
class LandedFile:
    """A file in persistent landing, the name that it was delivered under, and what messages call it."""

    path: Path
    name: str
    where: str


@dataclass(frozen=True)
class _Opened:
    """A file to read, uncompressed at `plain`, and the texts of the fields that no column of it has."""

    plain: Path
    fields: Sequence[Column]
    settings: SourceSettings
    where: str
    given: tuple[str | None, ...]


def parse(
    database: Database, table: str, file: LandedFile, source: FormattedSource, scratch: Path
) -> ParseResult:
    """Stage a file as `table`.

    Raises
    ------
    BatchRefused
        When it can't be read as a table at all: no header, a wrong one, another encoding, a damaged archive.
    """
    source = source.for_file(file.name)
    fields, settings, where = source.columns, source.settings, file.where
    form = format_of(file.name, settings)
    plain = open_plain(file.path, form, fields, settings, scratch, where)
    opened = _Opened(plain, fields, settings, where, given_values(fields, settings, file.name, where))
    if form == "csv":
        return _parse_csv(database, table, opened, scratch)
    return (_parse_jsonl if form == "jsonl" else _parse_parquet)(database, table, opened)


def parse_together(
    database: Database,
    table: str,
    paths: Sequence[Path],
    batches: Sequence[str],
    given: Sequence[tuple[str | None, ...]],
    source: FormattedSource,
    where: str,
) -> ParseResult:
    """Stage several Parquet files with equal columns as one table, which has a column `_batch`.

    Parameters
    ----------
    given : of each file, the texts of the fields that no column has.

    Raises
    ------
    BatchRefused
        When one of them can't be read, or a column is missing.
    """
    fields, settings = source.columns, source.settings
    with _parquet(where):
        columns, types = _parquet_columns(database, paths[0], fields, settings)
        binding = bind(columns.names, fields, settings, where, columns.within)
        refuse_other_values(binding, columns.fields, where)
        files = [
            RawFile(path, "parquet", columns.own, given=texts, nested=columns.nested)
            for path, texts in zip(paths, given, strict=True)
        ]
        sql = _typed_sql(fields, binding, types, settings, columns.names, labelled=True)
        records = database.load_parquet_files(table, files, batches, sql.levels, sql.width)
    return _of_parquet(table, records, sql, files[0], binding)


def open_plain(
    path: Path, form: str, fields: Sequence[Column], settings: SourceSettings, scratch: Path, where: str
) -> Path:
    """The file, or a plain copy of it below `scratch`; what is no table of its format is refused."""
    plain = make_plain(path, form, settings.encoding, scratch, where)
    required = [settings.names_of(column.name) for column in fields if not column.optional]
    required = [names for names in required if names]
    has_header = settings.header and not settings.skip and settings.skip_until is None
    refuse_other_text(plain, form, where, wanted=required, has_header=has_header)
    return plain


def format_of(name: str, settings: SourceSettings) -> str:
    """A file's format: declared, or told by its name; CSV where the name tells nothing.

    Examples
    --------
    >>> format_of("reviews.jsonl.gz", SourceSettings()), format_of("reviews", SourceSettings())
    ('jsonl', 'csv')
    """
    if settings.format is not None:
        return settings.format
    stem = Path(name.lower())
    if stem.suffix in PACKED:
        stem = stem.with_suffix("")
    return FORMATS.get(stem.suffix, "csv")


def _parse_csv(database: Database, table: str, opened: _Opened, scratch: Path) -> ParseResult:
    from backbone.formatted.csv.file import is_mostly_filled, open_csv, read_csv

    fields, settings, where = opened.fields, opened.settings, opened.where
    file = open_csv(opened.plain, fields, settings, where, opened.given)
    parsed = read_csv(database, table, file, file.conform_sql(fields, settings), scratch, where)
    if is_mostly_filled(database, file, parsed):
        file = file.by_header()
        parsed = read_csv(database, table, file, file.conform_sql(fields, settings), scratch, where)
    return parsed


def _parse_jsonl(database: Database, table: str, opened: _Opened) -> ParseResult:
    from backbone.engines.arrow_stream import arrow_stream
    from backbone.formatted.json.file import JsonFile, first_cells, json_sql

    cells = first_cells(opened.plain, opened.fields, opened.settings)
    while True:
        file = JsonFile(opened.plain, opened.fields, opened.settings, opened.where, opened.given, cells)
        sql = json_sql(opened.fields, opened.settings, cells)
        with arrow_stream(file.batches()) as rows:
            records = database.load(table, rows, sql.levels, sql.width)
        if not file.more_cells:
            break
        cells += file.more_cells  # later records have keys that the first ones have not
    if file.records != records:
        raise unaccountable(opened.where, f"{file.records:,} records counted, {records:,} read")
    return file.parsed(table, sql)


def _parse_parquet(database: Database, table: str, opened: _Opened) -> ParseResult:
    fields, settings, where = opened.fields, opened.settings, opened.where
    with _parquet(where):
        columns, types = _parquet_columns(database, opened.plain, fields, settings)
        binding = bind(columns.names, fields, settings, where, columns.within)
        refuse_other_values(binding, columns.fields, where)
        file = RawFile(opened.plain, "parquet", columns.own, given=opened.given, nested=columns.nested)
        sql = _typed_sql(fields, binding, types, settings, columns.names)
        records = database.load(table, file, sql.levels, sql.width)
    database.number_lines(table, None, sql.width)
    return _of_parquet(table, records, sql, file, binding)


def _of_parquet(table: str, records: int, sql: ConformSql, file: RawFile, binding: Binding) -> ParseResult:
    return ParseResult(
        table,
        records,
        sql.checks,
        [],
        file,
        None,
        None,
        binding.ignored,
        binding.missing,
        width=sql.width,
        cells=sql.cells,
    )


def _typed_sql(
    fields: Sequence[Column],
    binding: Binding,
    types: Sequence[str],
    settings: SourceSettings,
    names: Sequence[str] = (),
    *,
    labelled: bool = False,
) -> ConformSql:
    """The expressions for a file whose columns have types; bytes of a field that is none are UTF-8.

    Parameters
    ----------
    names : of the file's columns; they are used where some of them become rows.
    labelled : whether the rows have their place and batch already.
    """
    refusals: list[Refusal] = []

    def read(column: Column, place: int, name: str) -> RawColumn:
        if types[place] != "BLOB" or column.sql_type == "BLOB":
            return RawColumn(f"raw.c{place}", types[place])
        text = f"try(decode(raw.c{place}))"
        reason = quote_literal(f"{name}: expected text in UTF-8, found other bytes")
        refusals.append(Refusal(f"raw.c{place} is not null and {text} is null", reason))
        return RawColumn(text)

    raw = with_given(
        fields,
        [
            None if place is None else read(column, place, column.name)
            for column, place in zip(fields, binding.places, strict=True)
        ],
        settings,
    )
    if settings.unpivot is None:
        return conform_sql(fields, raw, settings, refusals)
    value = next(column for column in fields if column.name == settings.unpivot.value)
    columns = of_one_type(value, [read(value, place, names[place]) for place in binding.cells])
    labels = (
        column.name if place is None else names[place]
        for column, place in zip(fields, binding.places, strict=True)
    )
    cells = Cells(tuple(names[place] for place in binding.cells), columns, tuple(labels))
    places = {"_line": "raw._line", "_batch": "raw._batch", "_record": "raw._row"}
    return unpivot_sql(fields, raw, cells, settings, refusals, also=places if labelled else {})


def _parquet_columns(
    database: Database, path: Path, fields: Sequence[Column], settings: SourceSettings
) -> tuple[ParquetColumns, list[str]]:
    """A file's columns, in its order, with the values in structs that fields may read, and their SQL types.

    A name may come twice.
    """
    import pyarrow.parquet as pq

    wanted = [name for names in wanted_names(fields, settings) for name in names]
    columns = parquet_columns(pq.read_schema(path), wanted)
    file = RawFile(path, "parquet", columns.own, nested=columns.nested)
    return columns, database.raw_types(file)


@contextmanager
def _parquet(where: str) -> Iterator[None]:
    """Refuse a file that can't be read as Parquet."""
    import pyarrow as pa

    try:
        yield
    except (MalformedFile, pa.ArrowException) as error:
        raise BatchRefused(
            where,
            f"expected a Parquet file, found one that can't be read: {str(error).splitlines()[0]}",
            "Nothing of this file is formatted; it is kept in persistent landing.",
            "have the file delivered again: its next version takes this one's place",
        ) from error
