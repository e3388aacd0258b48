"""Parse one landed file into a staged table of typed values and, for each bad record, its reasons.

The engine's own reader does the work. Since it must not be trusted with the accounting (an unterminated
quote makes it lose rows without a word, an empty field too many shifts a row), the records of a text file and
their fields are counted independently; where the counts differ, or the reader stops, the file is split into
good records and broken lines first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from backbone.contract import Column, quote_literal
from backbone.engines.protocol import DOCUMENT, Engine, MalformedFile, RawFile
from backbone.errors import BatchRefused
from backbone.formatted.binding import UNTOUCHED, Binding, bind, wanted_names
from backbone.formatted.conform import (
    ConformSql,
    RawColumn,
    Refusal,
    conform_sql,
    header_again,
    repeats_header,
)
from backbone.formatted.plain import PACKED, make_plain, refuse_if_not_utf8
from backbone.settings import SourceSettings

if TYPE_CHECKING:
    import pyarrow as pa

    from backbone.formatted.grammar import Grammar
    from backbone.formatted.header import Layout
    from backbone.formatted.lines import Lines
    from backbone.formatted.split import Broken

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
class Parsed:
    """A file staged as a table with `_row`, `_line`, the contract's columns, `_reasons` (null for good rows).

    `records` counts its rows; `broken` are the lines of the file that are no records. `ignored_columns` are
    those of the file that no field reads, `missing_columns` the optional ones that it lacks.
    """

    table: str
    records: int
    broken: list[Broken]
    file: RawFile
    grammar: Grammar | None
    lines: Lines | None
    ignored_columns: tuple[str, ...] = ()
    missing_columns: tuple[str, ...] = ()

    def located(self, rows: Sequence[int]) -> pa.Table:
        """Row, line and raw text of some records of a text file, given by position in rising order."""
        import numpy as np
        import pyarrow as pa

        from backbone.formatted.locate import texts

        assert self.grammar is not None and self.lines is not None
        wanted = np.array(rows, dtype=np.int64)
        raw = texts(self.file.path, self.grammar, wanted)
        return pa.table({"row": wanted, "line": self.lines.of(wanted), "raw": pa.array(raw, pa.string())})


def parse(
    engine: Engine,
    table: str,
    path: Path,
    name: str,
    fields: Sequence[Column],
    settings: SourceSettings,
    scratch: Path,
    where: str,
) -> Parsed:
    """Stage the file at `path`, whose name was `name`, as `table`.

    Raises
    ------
    BatchRefused
        When it can't be read as a table at all: no header, a wrong one, another encoding, a damaged archive.
    """
    form = format_of(name, settings)
    plain = make_plain(path, form, settings.encoding, scratch, where)
    if form == "csv":
        return _parse_csv(engine, table, plain, fields, settings, scratch, where)
    if form == "jsonl":
        return _parse_jsonl(engine, table, plain, fields, settings, scratch, where)
    return _parse_parquet(engine, table, plain, fields, settings, where)


def parse_together(
    engine: Engine,
    table: str,
    paths: Sequence[Path],
    batches: Sequence[str],
    fields: Sequence[Column],
    settings: SourceSettings,
    where: str,
) -> Parsed:
    """Stage several Parquet files with equal columns as one table, which has a column `_batch`.

    Raises
    ------
    BatchRefused
        When one of them can't be read, or a column is missing.
    """
    with _parquet(where):
        names, types = _parquet_columns(engine, paths[0])
        binding = bind(names, fields, settings, where)
        files = [RawFile(path, "parquet", names) for path in paths]
        sql = conform_sql(fields, _raw_columns(binding, types), settings)
        records = engine.load_together(table, files, batches, sql.values, sql.select)
    return Parsed(table, records, [], files[0], None, None, binding.ignored, binding.missing)


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


def _parse_csv(
    engine: Engine,
    table: str,
    plain: Path,
    fields: Sequence[Column],
    settings: SourceSettings,
    scratch: Path,
    where: str,
) -> Parsed:
    from backbone.formatted.grammar import LF
    from backbone.formatted.header import ends_in_delimiter, newline_before, read_layout
    from backbone.formatted.records import survey
    from backbone.formatted.split import split

    if plain.stat().st_size == 0:
        raise BatchRefused(
            where,
            "expected a table, found an empty file",
            UNTOUCHED,
            "have the file delivered again; a table without rows has at least a header",
        )
    wanted = wanted_names(fields, settings)
    layout = read_layout(plain, wanted, settings, where)
    if not settings.header:
        layout = replace(layout, names=tuple(wanted))
    binding = bind(layout.names, fields, settings, where)
    grammar = layout.grammar(settings, len(layout.names))
    named = not binding.missing and layout.names[-1] != ""
    if named and ends_in_delimiter(plain, grammar):
        grammar = replace(grammar, columns=grammar.columns + 1)
    sql = _csv_sql(layout, binding, fields, settings, grammar.columns)
    file = RawFile(
        plain,
        "csv",
        ("",) * grammar.columns,
        grammar.delimiter,
        grammar.quote,
        grammar.escape,
        layout.body_line - 1,
        newline_before(plain, layout.body),
    )

    def parsed(records: int, broken: list[Broken], lines: Lines) -> Parsed:
        _number_lines(engine, table, records, lines)
        return Parsed(table, records, broken, file, grammar, lines, binding.ignored, binding.missing)

    if layout.line_end == LF:
        with ThreadPoolExecutor(1) as aside:
            counting = aside.submit(survey, plain, grammar)
            try:
                records = engine.load(table, file, sql.values, sql.select)
            except MalformedFile:
                records = -1
            found = counting.result()
        if found is not None and found.records == records:
            return parsed(records, [], found.lines)

    refuse_if_not_utf8(plain, where)
    scratch.mkdir(parents=True, exist_ok=True)
    cleaned = scratch / "cleaned"
    parts = split(plain, grammar, cleaned)
    grammar = replace(grammar, body=0, body_line=1, line_end=LF)
    file = replace(file, path=cleaned, skip=0, newline=r"\n")
    try:
        records = engine.load(table, file, sql.values, sql.select)
    except MalformedFile as error:
        raise _unaccountable(where, str(error).splitlines()[0]) from error
    if records != parts.records:
        raise _unaccountable(where, f"{parts.records:,} records counted, {records:,} read")
    return parsed(records, parts.broken, parts.lines)


def _csv_sql(
    layout: Layout, binding: Binding, fields: Sequence[Column], settings: SourceSettings, columns: int
) -> ConformSql:
    """The contract's expressions, and what makes a whole line bad."""
    raw = _raw_columns(binding, ["VARCHAR"] * columns)
    refusals = []
    width = len(layout.names)
    if columns > width:
        beyond = f"raw.c{width} is not null and raw.c{width} <> ''"
        reason = f"the line has {columns} fields, expected {width} and an empty one"
        refusals.append(Refusal(beyond, quote_literal(reason)))
    wanted = wanted_names(fields, settings)
    if settings.header and repeats_header(fields, raw, wanted):
        refusals.append(header_again(raw, wanted))
    return conform_sql(fields, raw, settings, refusals)


def _raw_columns(binding: Binding, types: Sequence[str]) -> list[RawColumn | None]:
    return [None if place is None else RawColumn(f"raw.c{place}", types[place]) for place in binding.places]


def _number_lines(engine: Engine, table: str, records: int, lines: Lines) -> None:
    """Give a loaded table its column `_line`."""
    if lines.distance is not None:
        engine.number_lines(table, lines.distance)
        return
    import pyarrow as pa

    schema = pa.schema([("_line", pa.int64())])
    batches = (pa.record_batch([part], schema) for part in lines.batches(records))
    engine.number_lines(table, pa.RecordBatchReader.from_batches(schema, batches))


def _parse_jsonl(
    engine: Engine,
    table: str,
    plain: Path,
    fields: Sequence[Column],
    settings: SourceSettings,
    scratch: Path,
    where: str,
) -> Parsed:
    import numpy as np

    from backbone.formatted.grammar import Grammar
    from backbone.formatted.lines import Lines

    grammar = Grammar("\x1f", None, None, columns=2)  # of one column, blank lines would be records
    wanted = tuple(wanted_names(fields, settings))
    file = RawFile(plain, "jsonl", wanted)
    raw = [RawColumn(f"raw.c{i}") for i in range(len(wanted))]
    broken = Refusal(f"raw.{DOCUMENT} is null", quote_literal("the line is not a JSON object"))
    sql = conform_sql(fields, raw, settings, [broken])
    try:
        records = engine.load(table, file, sql.values, sql.select)
    except MalformedFile as error:
        refuse_if_not_utf8(plain, where)
        raise _unaccountable(where, str(error).splitlines()[0]) from error
    with plain.open("rb") as lines:
        expected = sum(1 for line in lines if line.strip(b"\r\n"))
    if expected != records:
        raise _unaccountable(where, f"{expected:,} lines counted, {records:,} read")
    engine.number_lines(table, 1)
    return Parsed(table, records, [], file, grammar, Lines(np.array([0]), np.array([1])))


def _parse_parquet(
    engine: Engine, table: str, plain: Path, fields: Sequence[Column], settings: SourceSettings, where: str
) -> Parsed:
    with _parquet(where):
        names, types = _parquet_columns(engine, plain)
        binding = bind(names, fields, settings, where)
        file = RawFile(plain, "parquet", names)
        sql = conform_sql(fields, _raw_columns(binding, types), settings)
        records = engine.load(table, file, sql.values, sql.select)
    engine.number_lines(table, None)
    return Parsed(table, records, [], file, None, None, binding.ignored, binding.missing)


def _parquet_columns(engine: Engine, path: Path) -> tuple[tuple[str, ...], list[str]]:
    """Names and SQL types of a file's columns, in its order; a name may come twice."""
    import pyarrow.parquet as pq

    names = tuple(pq.read_schema(path).names)
    return names, engine.raw_types(RawFile(path, "parquet", names))


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


def _unaccountable(where: str, found: str) -> BatchRefused:
    return BatchRefused(
        where,
        f"its records can't be told apart with certainty ({found})",
        "Nothing of it is formatted; it is kept in persistent landing.",
        f"declare how it is written: delimiter, quote, escape, skip (quote = {quote_literal('')} for none)",
    )
