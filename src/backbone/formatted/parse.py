"""Parse one landed file into a staged table of typed values and, for each bad record, its reasons.

The engine's own reader does the work. Since it must not be trusted with the accounting (an unterminated
quote makes it lose rows without a word), the records of a text file are counted independently; where the
counts differ, or the reader stops, the file is split into good records and broken lines first.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from backbone.contract import (
    Column,
    Notation,
    accepts,
    failures_sql,
    ok_sql,
    quote_identifier,
    quote_literal,
    value_sql,
)
from backbone.engines.protocol import TEXT, Engine, MalformedFile, RawFile
from backbone.errors import BatchRefused
from backbone.formatted.plain import PACKED, make_plain, refuse_if_not_utf8
from backbone.settings import SourceSettings

if TYPE_CHECKING:
    import pyarrow as pa

    from backbone.formatted.grammar import Grammar
    from backbone.formatted.split import Broken, Split

DELIMITERS = (",", ";", "\t", "|")
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
    """A file staged as a table with `_row`, the contract's columns and `_reasons` (null for good rows).

    `records` counts its rows; `broken` are the lines of the file that are no records.
    """

    table: str
    records: int
    broken: list[Broken]
    file: RawFile
    grammar: Grammar | None
    split: Split | None
    ignored_columns: tuple[str, ...]

    def located(self, rows: Sequence[int]) -> pa.Table:
        """Row, line and raw text of some records of a text file, given by position in rising order."""
        import numpy as np

        from backbone.formatted.locate import locate

        assert self.grammar is not None
        return locate(self.file.path, self.grammar, np.array(rows, dtype=np.int64), self.split)


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
        return _parse_jsonl(engine, table, plain, fields, settings, where)
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
    file = RawFile(paths[0], "parquet", ())
    try:
        types = engine.raw_types(file)
        _require(list(types), fields, settings, where)
        files = [RawFile(path, "parquet", tuple(types)) for path in paths]
        records = engine.load_together(table, files, batches, *_select(fields, settings, types))
    except MalformedFile as error:
        raise _not_parquet(where, error) from error
    return Parsed(table, records, [], file, None, None, _ignored(fields, settings, list(types)))


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


def notation_of(settings: SourceSettings) -> Notation:
    """How the source writes its values."""
    return Notation(
        settings.timezone,
        settings.date_format,
        settings.datetime_format,
        settings.decimal_separator,
        settings.thousands_separator,
    )


def _parse_csv(
    engine: Engine,
    table: str,
    plain: Path,
    fields: Sequence[Column],
    settings: SourceSettings,
    scratch: Path,
    where: str,
) -> Parsed:
    from backbone.formatted.grammar import Grammar
    from backbone.formatted.records import count_records
    from backbone.formatted.split import split

    header, delimiter, body, body_line = _header(plain, fields, settings, where)
    quote = settings.quote or None
    escape = (settings.escape if settings.escape is not None else quote) or None
    grammar = Grammar(delimiter, quote, escape, len(header), body, body_line)
    file = RawFile(
        plain, "csv", tuple(header), delimiter, quote, escape, body_line - 1, _newline(plain, body)
    )
    select = _select(fields, settings, dict.fromkeys(header, "VARCHAR"))
    ignored = _ignored(fields, settings, header)
    with ThreadPoolExecutor(1) as aside:
        counting = aside.submit(count_records, plain, grammar)
        try:
            records = engine.load(table, file, *select)
        except MalformedFile:
            records = -1
    if records == counting.result():
        return Parsed(table, records, [], file, grammar, None, ignored)

    refuse_if_not_utf8(plain, where)
    scratch.mkdir(parents=True, exist_ok=True)
    cleaned = scratch / "cleaned"
    parts = split(plain, grammar, cleaned)
    grammar = replace(grammar, body=0, body_line=1)
    file = replace(file, path=cleaned, skip=0, newline=r"\n")
    try:
        records = engine.load(table, file, *select)
    except MalformedFile as error:
        raise _unaccountable(where, str(error).splitlines()[0]) from error
    expected = count_records(cleaned, grammar)
    if expected is not None and expected != records:
        raise _unaccountable(where, f"{expected:,} records counted, {records:,} read")
    return Parsed(table, records, parts.broken, file, grammar, parts, ignored)


def _parse_jsonl(
    engine: Engine, table: str, plain: Path, fields: Sequence[Column], settings: SourceSettings, where: str
) -> Parsed:
    from backbone.engines.streamed import streamed
    from backbone.formatted.json_blocks import NotUtf8
    from backbone.formatted.json_reader import JsonRecords
    from backbone.formatted.json_sql import json_select

    wanted = tuple(settings.columns.get(c.name, c.name) for c in fields)
    reader = JsonRecords(plain, wanted)
    try:
        with streamed(reader.batches()) as rows:
            records = engine.load(table, rows, *json_select(fields, notation_of(settings)))
    except NotUtf8:
        refuse_if_not_utf8(plain, where)
        raise
    if reader.records != records:
        raise _unaccountable(where, f"{reader.records:,} records counted, {records:,} read")
    return Parsed(table, records, [], RawFile(plain, "jsonl", wanted), None, None, tuple(reader.others))


def _parse_parquet(
    engine: Engine, table: str, plain: Path, fields: Sequence[Column], settings: SourceSettings, where: str
) -> Parsed:
    file = RawFile(plain, "parquet", ())
    try:
        types = engine.raw_types(file)
        _require(list(types), fields, settings, where)
        records = engine.load(table, file, *_select(fields, settings, types))
    except MalformedFile as error:
        raise _not_parquet(where, error) from error
    return Parsed(table, records, [], file, None, None, _ignored(fields, settings, list(types)))


def _not_parquet(where: str, error: MalformedFile) -> BatchRefused:
    return BatchRefused(
        where,
        f"expected a Parquet file, found one that can't be read: {str(error).splitlines()[0]}",
        "Nothing of this file is formatted; it is kept in persistent landing.",
        "have the file delivered again: its next version takes this one's place",
    )


def _select(fields: Sequence[Column], settings: SourceSettings, types: dict[str, str]) -> tuple[str, str]:
    """The expressions that turn raw columns into values, and values into columns and reasons."""
    as_text = notation_of(settings)
    as_typed = Notation(settings.timezone)
    values, names, good, failures = [], [], [], []
    for i, column in enumerate(fields):
        raw_name = settings.columns.get(column.name, column.name)
        kind = types.get(raw_name)
        raw = f"raw.{quote_identifier(raw_name)}" if kind else "cast(null as varchar)"
        notation = as_text if kind in (None, "VARCHAR") else as_typed
        if kind and kind != "VARCHAR" and accepts(column, kind):
            value = f"cast({raw} as {column.sql_type})"
        else:
            raw = raw if kind in (None, "VARCHAR") else f"cast({raw} as varchar)"
            value = value_sql(column, raw, notation)
        values += [f"{value} as v{i}", f"{raw} as r{i}"]
        names.append(f"v.v{i} as {quote_identifier(column.name)}")
        good.append(ok_sql(column, f"v.r{i}", f"v.v{i}", notation))
        failures += failures_sql(column, f"v.r{i}", f"v.v{i}", notation)
    values.append(f"raw.{TEXT} as _text")
    listed = f"list_filter([{', '.join(failures)}], lambda reason: reason is not null)"
    reasons = f"case when {' and '.join(good)} then null else {listed} end as _reasons"
    raw_text = f"case when {' and '.join(good)} then null else v._text end as _raw"
    return ", ".join(values), ", ".join([reasons, *names, raw_text])


def _header(
    plain: Path, fields: Sequence[Column], settings: SourceSettings, where: str
) -> tuple[list[str], str, int, int]:
    """The file's column names, its delimiter, and where its records begin."""
    from backbone.formatted.header import header_end

    quote = settings.quote or None
    escape = (settings.escape if settings.escape is not None else quote) or None
    if plain.stat().st_size == 0:
        raise BatchRefused(
            where,
            "expected a table, found an empty file",
            "Nothing of it is formatted, and a version before it stays in force.",
            "have the file delivered again; a table without rows has at least a header",
        )
    if not settings.header:
        names = [settings.columns.get(c.name, c.name) for c in fields]
        body, line = _after_lines(plain, settings.skip)
        return names, settings.delimiter or ",", body, line
    best: tuple[list[str], str, int, int] | None = None
    unreadable: BatchRefused | None = None
    for delimiter in (settings.delimiter,) if settings.delimiter else DELIMITERS:
        try:
            found, body, line = header_end(plain, delimiter, quote, settings.skip, escape)
        except BatchRefused as error:  # a quoted name is followed by the delimiter, and by no other sign
            unreadable = unreadable or error
            continue
        if best is None or len(set(found) & _wanted(fields, settings)) > len(
            set(best[0]) & _wanted(fields, settings)
        ):
            best = found, delimiter, body, line
    if best is None:
        assert unreadable is not None
        raise BatchRefused(where, unreadable.problem, unreadable.state, unreadable.next_step)
    _require(best[0], fields, settings, where)
    return best


def _newline(plain: Path, body: int) -> str:
    """How the line before the records ends, or the first one where there is none before."""
    with plain.open("rb") as file:
        if body >= 2:
            file.seek(body - 2)
            return r"\r\n" if file.read(2) == b"\r\n" else r"\n"
        return r"\r\n" if file.readline(65536).endswith(b"\r\n") else r"\n"


def _after_lines(plain: Path, count: int) -> tuple[int, int]:
    with plain.open("rb") as file:
        body = 3 if file.read(3) == b"\xef\xbb\xbf" else 0
        file.seek(body)
        for _ in range(count):
            body += len(file.readline())
    return body, count + 1


def _wanted(fields: Sequence[Column], settings: SourceSettings) -> set[str]:
    return {settings.columns.get(c.name, c.name) for c in fields}


def _require(found: Sequence[str], fields: Sequence[Column], settings: SourceSettings, where: str) -> None:
    """Refuse a file that lacks a column, or has one that the contract reads twice."""

    def raw_name(column: Column) -> str:
        return settings.columns.get(column.name, column.name)

    missing = [raw_name(c) for c in fields if raw_name(c) not in found and not c.optional]
    twice = sorted({name for name in found if found.count(name) > 1 and name in _wanted(fields, settings)})
    if not missing and not twice:
        return
    shown = ", ".join(repr(name[:60]) for name in list(found)[:40]) or "none"
    hint = "; it looks like UTF-16" if any("\0" in name for name in found) else ""
    problem = f"expected the column{'s' if len(missing) > 1 else ''} {', '.join(map(repr, missing))}"
    if twice:
        problem = f"expected one column called {', '.join(map(repr, twice))}, found several"
    source = where.partition(",")[0].removeprefix("formatted.")
    raise BatchRefused(
        where,
        f"{problem}; the file has {shown}{hint}",
        "Nothing of it is formatted, and a version before it stays in force.",
        f'map the names in backbone.toml, [sources.{source}] columns = {{ field = "name in the file" }}, '
        "or have the file delivered again",
    )


def _ignored(fields: Sequence[Column], settings: SourceSettings, found: Sequence[str]) -> tuple[str, ...]:
    wanted = _wanted(fields, settings)
    return tuple(name for name in found if name not in wanted)


def _unaccountable(where: str, found: str) -> BatchRefused:
    return BatchRefused(
        where,
        f"its records can't be told apart with certainty ({found})",
        "Nothing of it is formatted; it is kept in persistent landing.",
        f"declare how it is written: delimiter, quote, escape, skip (quote = {quote_literal('')} for none)",
    )
