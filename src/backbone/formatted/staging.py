"""The rows of a source's batches: parsed, checked, and not yet published."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

from backbone.contracts.contract import quote_identifier, quote_literal
from backbone.dataset import Batch, BatchCount
from backbone.engines.duckdb.local_work import LocalWork
from backbone.errors import BackboneError, BatchRefused
from backbone.formatted import quarantine
from backbone.formatted.file_group import FileGroup, file_groups
from backbone.formatted.given_values import row_key_sql
from backbone.formatted.parse import LandedFile, parse
from backbone.formatted.parse_result import ParseResult
from backbone.formatted.refusal import as_end, as_refusal, ends_formatting, named
from backbone.formatted.source import PLACE, FormattedSource, among
from backbone.formatted.unpivot_sql import EMPTY
from backbone.formatted.unpivoted import Unpivoted, left_out
from backbone.formatted.unread import Unread, refuse_extra_columns, unread_of
from backbone.lake.publish import Staged

LARGE = 500_000  # rows; a batch with more has files of its own
GOOD = "stage_good"
PARSED = "stage_batch"
MOST_FAILURES = 40  # of parts of a group, before the files of others are read one by one


class Staging:
    """Collects good rows in the staged table `GOOD` and bad ones in the staged quarantine.

    Good rows of a source without keys are written to files as soon as they are many; those of one with
    keys stay until it is known which of them win. Of a batch that fails midway nothing remains.

    Attributes
    ----------
    done : the batches added, and their rows; none of them counts as a duplicate yet.
    hours : the hours, since 1970, in which the good rows of a source without keys happened.
    unread : by batch, the columns that were not read.
    passed : by name of a file, how many of its lines were passed over, by kind.
    unpivoted : by name of a file whose columns become rows, what they have become.
    cells : by batch whose columns become rows, the names of these.
    """

    def __init__(self, work: LocalWork, source: FormattedSource) -> None:
        self.done: dict[str, BatchCount] = {}
        self.hours: set[int] = set()
        self.unread: dict[str, Unread] = {}
        self.passed: dict[str, Mapping[str, int]] = {}
        self.unpivoted: dict[str, Unpivoted] = {}
        self.cells: dict[str, tuple[str, ...]] = {}
        self._lake, self._database, self._scratch = work.lake, work.database, work.scratch
        self._source, self._progress, self._originals = source, work.progress, work.originals
        self._written: list[Staged] = []
        self._collected = 0
        self._names: dict[str, str] = {}  # by batch, of its file
        self._left_out: Mapping[str, Mapping[str, int]] = {}  # of the batches in hand, the cells without rows
        self._begun: list[str] = []  # the staged tables that may hold rows of the batch in hand
        fields = (f"cast(null as {c.sql_type}) as {quote_identifier(c.name)}" for c in source.columns)
        place = (f"cast(null as {kind}) as {name}" for name, kind in PLACE.items())
        self._database.create(GOOD, f"select {', '.join([*fields, *place])} where false")
        self._database.create(quarantine.STAGED, quarantine.EMPTY)

    def add(self, batch: Batch) -> BackboneError | None:
        """Parse one batch and stage its rows.

        Returns
        -------
        Why it was refused, if it was: nothing of it is staged then. What is no fault of the file is raised.
        """
        edited = self._edited([batch])
        if edited:
            return edited[batch.batch]
        where = named(self._source.dataset, [batch])
        self._make_room()
        try:
            self._add(batch, where)
        except Exception as error:
            if ends_formatting(error):
                raise as_end(where, error, of_files=True) from error
            self._undo([batch.batch])
            return as_refusal(where, error, self._lake.project)
        return None

    def _edited(self, batches: Sequence[Batch]) -> dict[str, BatchRefused]:
        """Those whose originals are not what was delivered, and why; no such file is read."""
        return self._originals.refused(self._lake.project, self._source.dataset, batches)

    def _add(self, batch: Batch, where: str) -> None:
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
            file = LandedFile(path, batch.name, where)
            parsed = parse(self._database, PARSED, file, self._source, plain)
            if self._source.settings.extra_columns == "refuse":
                refuse_extra_columns(parsed, where)
            self._begun.append(quarantine.STAGED)
            quarantined = quarantine.quarantine_rows(self._database, parsed, batch.batch)
        finally:
            shutil.rmtree(plain, ignore_errors=True)
        self._names[batch.batch] = batch.name
        self._left_out = left_out(self._database, {batch.batch: parsed}, quote_literal(batch.batch))
        rows = parsed.rows(self._left_out.get(batch.batch, {})) + len(parsed.broken)
        counts = {batch.batch: BatchCount(rows, rows - quarantined, quarantined, 0)}
        self._collect({batch.batch: parsed}, quote_literal(batch.batch), counts)

    def add_groups(self, waiting: list[list[Batch]]) -> list[list[Batch]]:
        """Stage small files many at a time, where several are laid out alike.

        Parameters
        ----------
        waiting : the versions of each file, newest first.

        Returns
        -------
        Those that are left to be added one by one.
        """
        plain = self._scratch / "plain"
        edited = self._edited([versions[0] for versions in waiting])
        left = [versions for versions in waiting if versions[0].batch in edited]
        sound = [versions for versions in waiting if versions[0].batch not in edited]
        for group in file_groups(self._lake.project, sound, self._source, plain):
            if isinstance(group, FileGroup):
                self._progress(f"format {self._source.name}: {len(group.members)} files")
                left += self._add_parts(group)
                for batch in group.batches:
                    shutil.rmtree(plain / batch, ignore_errors=True)
            else:
                left.append(group)
        shutil.rmtree(plain, ignore_errors=True)
        return left

    def _add_parts(self, group: FileGroup) -> list[list[Batch]]:
        """Stage a group, or its halves if one of its files can't be read; returns the files that are left."""
        parts, left, failures = [group], list[list[Batch]](), 0
        while parts:
            part = parts.pop()
            self._make_room()
            try:
                self._add_group(part)
            except Exception as error:
                if ends_formatting(error):
                    where = named(self._source.dataset, [member.batch for member in part.members])
                    raise as_end(where, error, of_files=True) from error
                self._undo(part.batches)
                failures += 1
                if len(part.members) == 1 or failures > MOST_FAILURES:
                    left += [[member.batch] for member in part.members]  # each says what is wrong with it
                else:
                    parts += reversed(part.halves())
        return left

    def _add_group(self, group: FileGroup) -> None:
        source = self._source.for_file(group.members[0].batch.name)
        parsed = group.stage(source, group.members, self._database, PARSED)
        if self._source.settings.extra_columns == "refuse":
            for file in parsed.values():
                refuse_extra_columns(file, self._source.dataset)
        self._names |= {member.batch.batch: member.batch.name for member in group.members}
        self._begun.append(quarantine.STAGED)
        quarantine.quarantine_group(self._database, parsed)
        self._left_out = left_out(self._database, parsed, "_batch")
        counted = self._database.fetch(
            f"select _batch, count(*), count(*) filter (where _bad is null) from {PARSED} group by 1"
        )
        found = {batch: (rows, good) for batch, rows, good in counted}
        counts = {}
        for batch, file in parsed.items():
            (rows, good), broken = found.get(batch, (0, 0)), len(file.broken)
            counts[batch] = BatchCount(rows + broken, good, rows - good + broken, 0)
        self._collect(parsed, "t._batch", counts)

    def good(self) -> list[Staged]:
        """The good rows as files to publish; at least one, if only to tell the schema."""
        self._write_collected()
        return self._written

    def quarantined(self) -> Staged:
        """The bad rows as files to publish."""
        return self._database.write(f"select * from {quarantine.STAGED}", self._scratch)

    def hours_of(self, table: str) -> set[int]:
        """The hours, since 1970, in which the rows of a table happened."""
        if self._source.event_time is None:
            return set()
        # Shifted by about a thousand years, so that the division rounds down before 1970 too.
        micros = f"epoch_us({quote_identifier(self._source.event_time)})"
        hour = f"({micros} + 9000000 * 3600000000) // 3600000000 - 9000000"
        return {row[0] for row in self._database.fetch(f"select distinct {hour} from {table} as t")}

    def close(self) -> None:
        """Let go of the staged tables."""
        for table in (GOOD, quarantine.STAGED):
            self._database.drop(table)

    def _collect(self, parsed: Mapping[str, ParseResult], batch: str, counts: dict[str, BatchCount]) -> None:
        """Stage the good rows; what is known of the batches follows when nothing can fail any more."""
        table = next(iter(parsed.values())).table
        names = {name: self._names[name] for name in parsed}
        source = self._source.for_file(next(iter(names.values())))
        fields, join = row_key_sql(self._database, source.fields, source.settings, names)
        join = f"{join}{batch}" if join else ""
        good = f"select {fields}, {batch} as _batch, _row, _line from {table} t{join} where _bad is null"
        hours, added, written = set[int](), 0, []
        if not self._source.keys:
            hours = self.hours_of(f"({good})")
        if not self._source.keys and sum(count.rows for count in counts.values()) >= LARGE:
            written.append(self._database.write(good, self._scratch))
        else:
            self._begun.append(GOOD)
            added = self._database.insert(GOOD, good)
        self._database.drop(table)
        self._begun.clear()
        self._written += written
        self.hours |= hours
        self._collected += added
        self.done |= counts
        for name, file in parsed.items():
            empty = self._left_out.get(name, {}).get(EMPTY, 0)
            if file.passed or empty:
                self.passed[names[name]] = {**file.passed, **({EMPTY: empty} if empty else {})}
            if file.width is not None:
                rows = file.rows(self._left_out.get(name, {}))
                self.unpivoted[names[name]] = Unpivoted(file.records, file.width, rows)
        self.cells |= {name: file.cells for name, file in parsed.items() if file.cells is not None}
        self.unread |= {name: unread_of(file) for name, file in parsed.items()}

    def _undo(self, batches: list[str]) -> None:
        """Remove what was staged of batches that failed midway."""
        for table in self._begun:
            self._database.create(table, f"select * from {table} where not {among(batches)}")
        self._begun.clear()
        for table in (PARSED, "stage_broken", "stage_located"):
            self._database.drop(table)

    def _make_room(self) -> None:
        """Write the rows of a source without keys to a file, when they are many."""
        if self._collected >= 2 * LARGE and not self._source.keys:
            self._write_collected()

    def _write_collected(self) -> None:
        self._written.append(self._database.write(f"select * from {GOOD}", self._scratch))
        self._database.create(GOOD, f"select * from {GOOD} where false")
        self._collected = 0
