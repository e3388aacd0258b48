"""A CSV file: how it is laid out, and its rows, read by the database and counted independently."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from backbone.contracts.contract import Column, quote_literal
from backbone.engines.duckdb.database import Database
from backbone.engines.duckdb.raw_file import MAX_RECORD, MalformedFile, RawFile
from backbone.errors import BatchRefused
from backbone.formatted.binding import UNTOUCHED, Binding, bind, empty_file, wanted_names
from backbone.formatted.conform import (
    REFUSAL,
    ConformSql,
    RawColumn,
    Refusal,
    conform_sql,
    header_again,
    repeats_header,
    trimmed,
    with_given,
)
from backbone.formatted.csv.grammar import LF, Grammar
from backbone.formatted.csv.header import Layout, ends_in_delimiter, newline_before, read_layout
from backbone.formatted.csv.likely_cause import likely_cause_named
from backbone.formatted.csv.lines import Lines
from backbone.formatted.csv.passed_over import has_such_line
from backbone.formatted.csv.records import survey
from backbone.formatted.csv.split import Broken, split
from backbone.formatted.parse_result import ParseResult, number_lines, unaccountable
from backbone.formatted.plain import refuse_if_not_utf8
from backbone.formatted.unpivot_sql import Cells, unpivot_sql
from backbone.source_settings import SourceSettings

COMPARED = 20
"""Columns that become rows and are compared with their names, beside all others: that is the header again."""


@dataclass(frozen=True)
class CsvFile:
    """A CSV file whose header is read.

    Attributes
    ----------
    raw : how the database reads it.
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
        """Equal for files with the same columns."""
        return self.layout.names, self.binding, self.grammar.columns

    def conform_sql(self, fields: Sequence[Column], settings: SourceSettings) -> ConformSql:
        """The contract's expressions, and what makes a whole line bad."""
        raw = [
            None if place is None else RawColumn(self._column(place, nulls), knows_quotes=True)
            for place, nulls in zip(self.binding.places, _nulls(fields, settings), strict=True)
        ]
        if settings.trim:
            raw = [found and replace(found, sql=trimmed(found.sql)) for found in raw]
        refusals = []
        if self.is_wide:
            beyond = f"{self._column(len(self.layout.names), ())} <> ''"
            refusals.append(Refusal(beyond, quote_literal(self.filled)))
        cells = self._cells(fields, settings)
        if settings.header and repeats_header(fields, raw, len(cells.names)):
            read = [*zip(raw, self.binding.places, _nulls(fields, settings), strict=True)]
            of_value = _nulls_of_cells(settings)
            read += [*zip(cells.columns, self.binding.cells, [of_value] * len(cells.names), strict=True)][
                :COMPARED
            ]
            nulls = [frozenset(texts) for _, _, texts in read]
            for row in self.layout.header_rows or (self.layout.names,):
                names = ["" if place is None else row[place] for _, place, _ in read]
                if any(names):
                    refusals.append(
                        header_again([found for found, _, _ in read], names, self.raw.quote or "", nulls)
                    )
        raw = with_given(fields, raw, settings)
        if settings.unpivot is not None:
            return unpivot_sql(fields, raw, cells, settings, refusals)
        return conform_sql(fields, raw, settings, refusals)

    def _cells(self, fields: Sequence[Column], settings: SourceSettings) -> Cells:
        """The columns that become rows."""
        nulls = _nulls_of_cells(settings)
        columns = (RawColumn(self._column(place, nulls), knows_quotes=True) for place in self.binding.cells)
        return Cells(
            tuple(self.layout.names[place] for place in self.binding.cells),
            tuple(replace(c, sql=trimmed(c.sql)) if settings.trim else c for c in columns),
        )

    def _column(self, place: int, nulls: tuple[str, ...]) -> str:
        """SQL of a column, read with a set of texts that mean null."""
        k = self.raw.nulls.index(tuple(text for text in nulls if self.grammar.delimiter not in text))
        return f"raw.c{place}_{k}" if k else f"raw.c{place}"


def open_csv(
    plain: Path,
    fields: Sequence[Column],
    settings: SourceSettings,
    where: str,
    given: tuple[str | None, ...] = (),
) -> CsvFile:
    """Find out how a file is laid out, and which column each field reads.

    Parameters
    ----------
    given : the texts of the fields that no column has.

    Raises
    ------
    BatchRefused
        When it is empty, or its header is not in UTF-8, can't be read or is a wrong one.
    """
    if plain.stat().st_size == 0:
        raise empty_file(where, "have the file delivered again; a table without rows has at least a header")
    wanted = wanted_names(fields, settings)
    with likely_cause_named(plain, fields, settings, where):
        layout = read_layout(plain, {name for some in wanted for name in some}, settings, where)
    if not _is_utf8(plain, layout.body):  # the database checks the records alone
        refuse_if_not_utf8(plain, where)
    if not settings.header:
        layout = replace(layout, names=tuple(names[0] for names in wanted if names))
    closed = len(layout.names) > 1 and not layout.names[-1]
    if closed and ends_in_delimiter(plain, layout.grammar(settings, len(layout.names) - 1), closed=True):
        layout = replace(layout, names=layout.names[:-1])
    with likely_cause_named(plain, fields, settings, where):
        binding = bind(layout.names, fields, settings, where)
    grammar = layout.grammar(settings, len(layout.names))
    if (not binding.missing or closed) and ends_in_delimiter(plain, grammar, closed=closed):
        _refuse_other_quote(plain, grammar, where)
        grammar = replace(grammar, columns=grammar.columns + 1)
    sets = [
        nulls
        for nulls, place in zip(_nulls(fields, settings), binding.places, strict=True)
        if place is not None
    ]
    if binding.cells:
        sets.append(_nulls_of_cells(settings))
    if grammar.columns > len(layout.names):
        sets.append(())  # what stands beyond the last column is no null
    raw = RawFile(
        plain,
        "csv",
        ("",) * grammar.columns,
        grammar.delimiter,
        grammar.quote,
        grammar.escape,
        layout.body_line - 1,
        newline_before(plain, layout.body),
        tuple(dict.fromkeys(tuple(t for t in nulls if grammar.delimiter not in t) for nulls in sets)),
        given,
    )
    return CsvFile(raw, layout, binding, grammar)


@dataclass(frozen=True)
class Counted:
    """The records of a CSV file, counted independently of the database.

    Attributes
    ----------
    raw, grammar : how to read them; in a copy without the broken lines, where there are such.
    lines : on which they begin in the file.
    passed : how many lines were passed over, by kind.
    """

    raw: RawFile
    grammar: Grammar
    records: int
    lines: Lines
    broken: list[Broken]
    passed: Mapping[str, int] = field(default_factory=dict)

    @property
    def alike(self) -> RawFile:
        """Equal for files that one statement can read, if they have the same columns."""
        return replace(self.raw, path=Path(), given=())

    def parsed(self, table: str, file: CsvFile, sql: ConformSql) -> ParseResult:
        """The records, staged as `table`."""
        return ParseResult(
            table,
            self.records,
            sql.checks,
            self.broken,
            self.raw,
            self.grammar,
            self.lines,
            file.binding.ignored,
            file.binding.missing,
            passed=Counter(self.passed) + file.layout.passed_lines,
            width=sql.width,
            cells=sql.cells,
        )


def separate(file: CsvFile, scratch: Path, where: str) -> Counted:
    """Copy the records of a file below `scratch`, without the lines that are none.

    The copy has as many lines before its records as the file, so that both can be read in one statement.

    Raises
    ------
    BatchRefused
        When its bytes are not UTF-8, or all would be records if another sign quoted.
    """
    refuse_if_not_utf8(file.raw.path, where)
    scratch.mkdir(parents=True, exist_ok=True)
    cleaned = scratch / "cleaned"
    parts = split(file.raw.path, file.grammar, cleaned, skip=file.raw.skip)
    if parts.broken:
        _refuse_other_quote(file.raw.path, file.by_header().grammar, where)
    grammar = replace(
        file.grammar, body=file.raw.skip, body_line=file.raw.skip + 1, line_end=LF, beginnings=()
    )
    raw = replace(file.raw, path=cleaned, newline=r"\n")
    return Counted(raw, grammar, parts.records, parts.lines, parts.broken, parts.passed)


def read_csv(
    database: Database, table: str, file: CsvFile, sql: ConformSql, scratch: Path, where: str
) -> ParseResult:
    """Stage a file as `table`; one that the database reads otherwise than the count is split first.

    Raises
    ------
    BatchRefused
        When its bytes are not UTF-8, or its records can't be told apart.
    """
    raw, grammar = file.raw, file.grammar
    if grammar.line_end == LF and not has_such_line(raw.path, grammar.body, grammar.eol, grammar.beginnings):
        with ThreadPoolExecutor(1) as aside:
            counting = aside.submit(survey, raw.path, replace(grammar, beginnings=()))
            try:
                records = database.load(table, raw, sql.levels, sql.width)
            except MalformedFile:
                records = -1
            found = counting.result()
        if found is not None and found.records == records:
            number_lines(database, table, records, found.lines, sql.width)
            return Counted(raw, grammar, records, found.lines, []).parsed(table, file, sql)

    counted = separate(file, scratch, where)
    try:
        records = database.load(table, counted.raw, sql.levels, sql.width)
    except MalformedFile as error:
        raise unaccountable(where, str(error).splitlines()[0]) from error
    if records != counted.records:
        raise unaccountable(where, f"{counted.records:,} records counted, {records:,} read")
    number_lines(database, table, records, counted.lines, sql.width)
    return counted.parsed(table, file, sql)


def is_mostly_filled(database: Database, file: CsvFile, parsed: ParseResult, those: str = "true") -> bool:
    """Whether more than a tenth of the records have something in the field that should be empty.

    `those` is a condition for the file's rows, where the table has others too.
    """
    if not file.is_wide:
        return False
    sql = f"select count(*) from {parsed.table} where {REFUSAL} = $filled and {those}"
    filled = database.fetch(sql, {"filled": file.filled})[0][0]
    return bool(10 * filled > parsed.records)


def _nulls(fields: Sequence[Column], settings: SourceSettings) -> list[tuple[str, ...]]:
    """By field, the texts that mean null where no quotes are around them."""
    return [settings.nulls_of(column.name).unquoted for column in fields]


def _nulls_of_cells(settings: SourceSettings) -> tuple[str, ...]:
    """The same of the columns that become rows, whose values one field takes."""
    return () if settings.unpivot is None else settings.nulls_of(settings.unpivot.value).unquoted


def _is_utf8(path: Path, stop: int) -> bool:
    """Whether the first bytes of a file, up to the end of a line, are text in UTF-8."""
    with path.open("rb") as file:
        try:
            file.read(stop).decode()
        except UnicodeDecodeError:
            return False
    return True


def _refuse_other_quote(path: Path, grammar: Grammar, where: str) -> None:
    """Refuse a file whose records are not as they should be, if all are when another sign quotes.

    Also a record that has its fields must have one within such signs, which would keep them as its text.
    Without one, those that are not as they should be are turned away alone.
    """
    ways = (
        ("'", '"\'"', 'set quote = "\'" under its section in backbone.toml'),
        ("\0", "a NUL", "have it delivered with another quote: a NUL can't be one"),
    )
    for sign, name, next_step in ways:
        if grammar.line_end != LF or not _has_enclosed(path, grammar, sign):
            continue
        if survey(path, replace(grammar, quote=sign, escape=sign)) is not None:
            raise BatchRefused(
                where,
                f"not every record has {grammar.columns} fields; all would, if {name} were the quote",
                UNTOUCHED,
                next_step,
            )


def _has_enclosed(path: Path, grammar: Grammar, sign: str) -> bool:
    """Whether one of the first lines has its fields, and one of them begins and ends with a sign."""
    with path.open("rb") as file:
        file.seek(grammar.body)
        start = file.read(MAX_RECORD).decode("utf-8", "replace")
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if grammar.quote else csv.QUOTE_NONE
    for line in start.split("\n"):
        if sign not in line:
            continue
        reader = csv.reader([line], delimiter=grammar.delimiter, quotechar=grammar.quote, quoting=quoting)
        fields = next(reader, [])
        has_its_fields = len(fields) in (grammar.columns, grammar.columns + 1)  # an empty last one too
        if has_its_fields and any(len(f) > 1 and f[0] == f[-1] == sign for f in fields):
            return True
    return False
