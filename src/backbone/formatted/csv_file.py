"""A CSV file: how it is laid out, and its rows, read by the engine and counted independently."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from backbone.contract import Column, quote_literal
from backbone.engines.protocol import Engine, MalformedFile, RawFile
from backbone.errors import BatchRefused
from backbone.formatted.binding import UNTOUCHED, Binding, bind, empty_file, wanted_names
from backbone.formatted.conform import (
    ConformSql,
    RawColumn,
    Refusal,
    conform_sql,
    header_again,
    repeats_header,
)
from backbone.formatted.grammar import LF, MAX_RECORD, Grammar
from backbone.formatted.header import Layout, ends_in_delimiter, newline_before, read_layout
from backbone.formatted.lines import Lines
from backbone.formatted.parsed import Parsed, number_lines, unaccountable
from backbone.formatted.plain import refuse_if_not_utf8
from backbone.formatted.records import survey
from backbone.formatted.split import Broken, split
from backbone.settings import SourceSettings


@dataclass(frozen=True)
class CsvFile:
    """A CSV file whose header is read.

    Attributes
    ----------
    raw : how the engine reads it.
    grammar : how its records are written; one column more than `layout.names` where most records end in a
        delimiter.
    """

    raw: RawFile
    layout: Layout
    binding: Binding
    grammar: Grammar

    @property
    def is_wide(self) -> bool:
        """Whether an empty field is expected after the last column."""
        return self.grammar.columns > len(self.layout.names)

    @property
    def filled(self) -> str:
        """The reason of a record that has something in that field."""
        width = len(self.layout.names)
        return f"the line has {width + 1} fields, expected {width} and an empty one"

    def by_header(self) -> CsvFile:
        """The same file, read with as many fields as its header has."""
        columns = len(self.layout.names)
        return replace(
            self,
            grammar=replace(self.grammar, columns=columns),
            raw=replace(self.raw, columns=("",) * columns),
        )

    @property
    def alike(self) -> tuple[object, ...]:
        """Equal for files that one statement can read."""
        raw = replace(self.raw, path=Path())
        return raw, self.layout.names, self.binding, self.grammar.columns, self.grammar.line_end

    def conform_sql(self, fields: Sequence[Column], settings: SourceSettings) -> ConformSql:
        """The contract's expressions, and what makes a whole line bad."""
        raw = [None if place is None else RawColumn(f"raw.c{place}") for place in self.binding.places]
        refusals = []
        if self.is_wide:
            beyond = f"raw.c{len(self.layout.names)} is not null"
            refusals.append(Refusal(beyond, quote_literal(self.filled)))
        wanted = wanted_names(fields, settings)
        if settings.header and repeats_header(fields, raw, wanted):
            refusals.append(header_again(raw, wanted))
        return conform_sql(fields, raw, settings, refusals)


def open_csv(plain: Path, fields: Sequence[Column], settings: SourceSettings, where: str) -> CsvFile:
    """Find out how a file is laid out, and which column each field reads.

    Raises
    ------
    BatchRefused
        When it is empty, or its header can't be read or is a wrong one.
    """
    if plain.stat().st_size == 0:
        raise empty_file(where, "have the file delivered again; a table without rows has at least a header")
    wanted = wanted_names(fields, settings)
    layout = read_layout(plain, wanted, settings, where)
    if not settings.header:
        layout = replace(layout, names=tuple(wanted))
    closed = len(layout.names) > 1 and not layout.names[-1]
    if closed and ends_in_delimiter(plain, layout.grammar(settings, len(layout.names) - 1)):
        layout = replace(layout, names=layout.names[:-1])
    binding = bind(layout.names, fields, settings, where)
    grammar = layout.grammar(settings, len(layout.names))
    if (not binding.missing or closed) and ends_in_delimiter(plain, grammar):
        _refuse_other_quote(plain, grammar, where)
        grammar = replace(grammar, columns=grammar.columns + 1)
    raw = RawFile(
        plain,
        "csv",
        ("",) * grammar.columns,
        grammar.delimiter,
        grammar.quote,
        grammar.escape,
        layout.body_line - 1,
        newline_before(plain, layout.body),
    )
    return CsvFile(raw, layout, binding, grammar)


def read_csv(engine: Engine, table: str, file: CsvFile, sql: ConformSql, scratch: Path, where: str) -> Parsed:
    """Stage a file as `table`; one that the engine reads otherwise than the count is split first.

    Raises
    ------
    BatchRefused
        When its bytes are not UTF-8, or its records can't be told apart.
    """
    raw, grammar = file.raw, file.grammar

    def parsed(records: int, broken: list[Broken], lines: Lines) -> Parsed:
        number_lines(engine, table, records, lines)
        return Parsed(
            table,
            records,
            sql.checks,
            broken,
            raw,
            grammar,
            lines,
            file.binding.ignored,
            file.binding.missing,
        )

    if grammar.line_end == LF:
        with ThreadPoolExecutor(1) as aside:
            counting = aside.submit(survey, raw.path, grammar)
            try:
                records = engine.load(table, raw, sql.levels)
            except MalformedFile:
                records = -1
            found = counting.result()
        if found is not None and found.records == records:
            return parsed(records, [], found.lines)

    refuse_if_not_utf8(raw.path, where)
    scratch.mkdir(parents=True, exist_ok=True)
    cleaned = scratch / "cleaned"
    parts = split(raw.path, grammar, cleaned)
    if parts.broken:
        _refuse_other_quote(raw.path, file.by_header().grammar, where)
    grammar = replace(grammar, body=0, body_line=1, line_end=LF)
    raw = replace(raw, path=cleaned, skip=0, newline=r"\n")
    try:
        records = engine.load(table, raw, sql.levels)
    except MalformedFile as error:
        raise unaccountable(where, str(error).splitlines()[0]) from error
    if records != parts.records:
        raise unaccountable(where, f"{parts.records:,} records counted, {records:,} read")
    return parsed(records, parts.broken, parts.lines)


def is_mostly_filled(engine: Engine, file: CsvFile, parsed: Parsed) -> bool:
    """Whether more than a tenth of the records have something in the field that should be empty."""
    if not file.is_wide:
        return False
    sql = f"select count(*) from {parsed.table} where _bad.refusal = $filled"
    filled = engine.fetch(sql, {"filled": file.filled})[0][0]
    return bool(10 * filled > parsed.records)


def _refuse_other_quote(path: Path, grammar: Grammar, where: str) -> None:
    """Refuse a file whose records are not as they should be, if all are when another sign quotes."""
    for sign, name in (("'", '"\'"'), ("\0", '"\\u0000"')):
        if grammar.line_end != LF or not _has_after_delimiter(path, grammar, sign):
            continue
        if survey(path, replace(grammar, quote=sign, escape=sign)) is not None:
            raise BatchRefused(
                where,
                f"not every record has {grammar.columns} fields; all would, if {name} were the quote",
                UNTOUCHED,
                f"set quote = {name} under its section in backbone.toml",
            )


def _has_after_delimiter(path: Path, grammar: Grammar, sign: str) -> bool:
    """Whether a field of the first records begins with a sign."""
    with path.open("rb") as file:
        file.seek(grammar.body)
        start = file.read(MAX_RECORD)
    return (grammar.delimiter + sign).encode() in start or grammar.eol + sign.encode() in start
