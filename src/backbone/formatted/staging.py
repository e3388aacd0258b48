"""The rows of a source's batches: parsed, checked, and not yet published."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from backbone.contract import quote_identifier, quote_literal
from backbone.dataset import Batch, BatchCount
from backbone.engines.protocol import Engine
from backbone.errors import BatchRefused
from backbone.formatted import quarantine
from backbone.formatted.fetched import together
from backbone.formatted.parse import parse, parse_together
from backbone.formatted.parsed import Parsed
from backbone.formatted.source import FormattedSource
from backbone.lake.publish import Staged
from backbone.lake.table import Lake

LARGE = 500_000  # rows; a batch with more has files of its own
GOOD = "stage_good"
PARSED = "stage_batch"


class Staging:
    """Collects good rows in the staged table `GOOD` and bad ones in the staged quarantine.

    Good rows of a source without keys are written to files as soon as they are many; those of one with
    keys stay until it is known which of them win.

    Attributes
    ----------
    done : the batches added, and their rows; none of them counts as a duplicate yet.
    hours : the hours, since 1970, in which the good rows of a source without keys happened.
    ignored : columns of the files that the contract does not read.
    """

    def __init__(self, lake: Lake, engine: Engine, source: FormattedSource, scratch: Path) -> None:
        self.done: dict[str, BatchCount] = {}
        self.hours: set[int] = set()
        self.ignored: set[str] = set()
        self._lake, self._engine, self._source, self._scratch = lake, engine, source, scratch
        self._written: list[Staged] = []
        self._collected = 0
        fields = (f"cast(null as {c.sql_type}) as {quote_identifier(c.name)}" for c in source.columns)
        place = "cast(null as varchar) as _batch, cast(null as bigint) as _row"
        engine.create(GOOD, f"select {', '.join(fields)}, {place} where false")
        engine.create(quarantine.STAGED, quarantine.EMPTY)

    def add(self, batch: Batch) -> None:
        """Parse one batch and stage its rows.

        Raises
        ------
        BatchRefused
            When it can't be read as a table; nothing of it is staged.
        """
        where = f"{self._source.dataset}, batch {batch.batch} ({batch.name})"
        path = self._lake.project / batch.path
        if not path.is_file():
            raise BatchRefused(
                where,
                f"expected its file in persistent landing, found none at {batch.path}",
                "Nothing of it is formatted.",
                "restore the file, or have it delivered again",
            )
        plain = self._scratch / "plain"
        try:
            parsed = parse(
                self._engine,
                PARSED,
                path,
                batch.name,
                self._source.columns,
                self._source.settings,
                plain,
                where,
            )
            quarantined = quarantine.quarantine_rows(self._engine, parsed, batch.batch)
        finally:
            shutil.rmtree(plain, ignore_errors=True)
        rows = parsed.records + len(parsed.broken)
        self.done[batch.batch] = BatchCount(rows, rows - quarantined, quarantined, 0)
        self._collect(parsed, quote_literal(batch.batch))

    def add_together(self, waiting: list[list[Batch]], progress: Callable[[str], None]) -> list[list[Batch]]:
        """Stage windows extracted by a query, many small files at a time.

        Parameters
        ----------
        waiting : the versions of each file, newest first.

        Returns
        -------
        Those that are left to be added one by one.
        """
        groups, left = together(self._lake.project, waiting)
        for group in groups:
            progress(f"format {self._source.name}: {len(group)} windows")
            paths = [self._lake.project / versions[0].path for versions in group]
            batches = [versions[0].batch for versions in group]
            where = f"{self._source.dataset}, {len(group)} windows from {group[0][0].name}"
            try:
                parsed = parse_together(
                    self._engine,
                    PARSED,
                    paths,
                    batches,
                    self._source.columns,
                    self._source.settings,
                    where,
                )
            except BatchRefused:
                left.extend(group)  # each will say for itself what is wrong with it
                continue
            quarantine.quarantine_together(self._engine, parsed)
            counted = self._engine.fetch(
                f"select _batch, count(*), count(*) filter (where _reasons is null) from {PARSED} group by 1"
            )
            self.done |= {batch: BatchCount(0, 0, 0, 0) for batch in batches}
            self.done |= {batch: BatchCount(rows, good, rows - good, 0) for batch, rows, good in counted}
            self._collect(parsed, "_batch")
        return left

    def good(self) -> list[Staged]:
        """The good rows as files to publish; at least one, if only to tell the schema."""
        self._write_collected()
        return self._written

    def quarantined(self) -> Staged:
        """The bad rows as files to publish."""
        return self._engine.write(f"select * from {quarantine.STAGED}", self._scratch)

    def hours_of(self, table: str) -> set[int]:
        """The hours, since 1970, in which the rows of a table happened."""
        if self._source.event_time is None:
            return set()
        # Shifted by about a thousand years, so that the division rounds down before 1970 too.
        micros = f"epoch_us({quote_identifier(self._source.event_time)})"
        hour = f"({micros} + 9000000 * 3600000000) // 3600000000 - 9000000"
        return {row[0] for row in self._engine.fetch(f"select distinct {hour} from {table} as t")}

    def close(self) -> None:
        """Let go of the staged tables."""
        for table in (GOOD, quarantine.STAGED):
            self._engine.drop(table)

    def _collect(self, parsed: Parsed, batch: str) -> None:
        fields = ", ".join(map(quote_identifier, self._source.fields))
        good = f"select {fields}, {batch} as _batch, _row from {parsed.table} where _reasons is null"
        self.ignored.update(parsed.ignored_columns)
        if self._source.keys:
            self._engine.insert(GOOD, good)
        else:
            self.hours |= self.hours_of(f"({good})")
            if parsed.records >= LARGE:
                self._written.append(self._engine.write(good, self._scratch))
            else:
                self._collected += self._engine.insert(GOOD, good)
            if self._collected >= 2 * LARGE:
                self._write_collected()
        self._engine.drop(parsed.table)

    def _write_collected(self) -> None:
        self._written.append(self._engine.write(f"select * from {GOOD}", self._scratch))
        self._engine.create(GOOD, f"select * from {GOOD} where false")
        self._collected = 0
