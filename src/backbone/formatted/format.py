"""Bring a source's formatted table up to date with what has landed.

A batch's quarantined, duplicate and formatted rows are replaced together, in this order. The commit of the
formatted table comes last and carries the receipt that says the batch is done: a run that dies before it
leaves the batch undone, and the next run replaces the same rows again.

When the contract or a setting has changed, all batches are formatted again and replace the table in one
commit. If one of those that are in it can't be, the table would lose its rows: nothing is published then,
unless the run was asked to accept the loss. Files that a table is published without are given up: the
receipt remembers them, and they are passed over until the contract or a setting changes. Then they are tried
again, and stay given up if they still can't be formatted.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from backbone.dataset import BatchCount, HourRanges, Receipt, merge_hours
from backbone.engines.duckdb.local_work import LocalWork
from backbone.errors import BackboneError
from backbone.formatted.choose_versions import choose_versions
from backbone.formatted.duplicates import Change, DuplicateOutcome, places, rank_duplicates, remove_revived
from backbone.formatted.fewer_rows import fewer_rows_warning
from backbone.formatted.lines_passed_over import passed_over_notes
from backbone.formatted.loss import accepted, not_republished, unrecorded
from backbone.formatted.lost_columns import lost_cells_warnings, lost_columns_warnings
from backbone.formatted.outstanding import GIVEN_UP, outstanding
from backbone.formatted.refusal import as_end, ends_formatting, named
from backbone.formatted.same_bytes import same_bytes_warnings
from backbone.formatted.source import FormattedSource, among
from backbone.formatted.staging import GOOD, Staging
from backbone.formatted.unpivoted import unpivoted_notes
from backbone.formatted.unread import Unread, drift, unmatched_mapping
from backbone.lake.publish import Staged
from backbone.lake.store import Replacing
from backbone.lake.table import Lake
from backbone.ledger.half_published import versions_beside
from backbone.ledger.known import REVIVED, Known
from backbone.ledger.manifest import Manifest

ZONES = ("quarantine", "duplicate", "formatted")
IGNORED, MISSING = "ignored_columns", "missing_columns"  # what receipts remember


@dataclass
class Formatted:
    """What formatting did: the receipt, if anything was published, and the batches it refused.

    `lost` says why nothing was published, when batches that are in the table can't be formatted any more.
    """

    receipt: Receipt | None = None
    refused: dict[str, BackboneError] = field(default_factory=dict)
    lost: BackboneError | None = None


def format_source(
    work: LocalWork,
    source: FormattedSource,
    manifest: Manifest,
    known: Mapping[str, Known],
    *,
    changed_before: HourRanges,
    accept_loss: bool = False,
) -> Formatted:
    """Format the batches that are not formatted, and take out those that no longer count.

    A version of a file that can't be read leaves the version before it in force.

    Parameters
    ----------
    known : the batches formatted so far.
    changed_before : the hours in which the table has ever changed.
    accept_loss : publish without the batches that can't be formatted, and give them up.
    """
    started, started_at = time.monotonic(), datetime.now(UTC)
    lake, progress = work.lake, work.progress
    files = outstanding(lake, source, manifest, known)
    if lake.exists(source.dataset) and not files.waiting and files.unchanged == set(known):
        return Formatted()
    unknown = sorted(set(known).difference(b.batch for b in manifest.batches))
    if unknown and not accept_loss:
        return Formatted(lost=unrecorded(source.name, unknown))

    remembered = _remembered(lake, source)
    staging = Staging(work, source)
    choice = choose_versions(staging, source.name, files, known, accept_loss=accept_loss)
    result, unchanged = Formatted(refused=choice.refused), choice.unchanged
    if choice.lost and not accept_loss:
        result.lost = not_republished(source.name, choice.lost, len(known))
        staging.close()
        return result
    losses = [*choice.lost, *choice.let_go]
    out = sorted(set(known) - unchanged)
    if not lake.exists(source.dataset) or staging.done or out or losses:
        progress(f"publish {source.dataset}")
        warned, columns = _unread(source, staging, manifest, remembered)
        before = {batch: was.count for batch, was in known.items()}
        now = {batch: before[batch] for batch in unchanged} | staging.done
        done = [batch for batch in manifest.batches if batch.batch in staging.done]
        fewer = fewer_rows_warning(source.name, done, before, staging.done)
        in_table = [b for b in manifest.batches if b.batch in now and now[b.batch].rows]
        warned += [*([fewer] if fewer else []), *same_bytes_warnings(source, in_table, staging.done)]
        versions = manifest.versions(source.name, source.settings.redelivery)
        if out and lake.exists(source.dataset):
            warned += lost_columns_warnings(work, source, versions, staging.unread, out)
            warned += lost_cells_warnings(work, source, versions, staging.cells, out)
        receipt = Receipt(
            run_id=work.run_id,
            stage="format",
            dataset=source.dataset,
            fingerprint=source.fingerprint,
            inputs={"landing.batch": lake.version("landing.batch")},
            rows_read=sum(c.rows for c in staging.done.values()),
            started_at=started_at.isoformat(),
            replaces_all=not unchanged,
            removed_batches=tuple(b for b in out if b not in staging.done),
            notes=(
                *sorted({note for unread in staging.unread.values() for note in unread.notes()}),
                *passed_over_notes(staging.passed),
                *unpivoted_notes(staging.unpivoted),
            ),
            warnings=(*accepted(losses), *warned),
            remembered={GIVEN_UP: tuple(sorted(choice.given_up))} | columns,
        )
        order = places(versions, source.settings.latest)
        publishing = _Publishing(work, source, staging, out, started)
        try:
            result.receipt = publishing.publish(receipt, known, order, changed_before)
        except Exception as error:
            if ends_formatting(error):
                done = [b for b in manifest.batches if b.batch in staging.done]
                raise as_end(named(source.dataset, done), error, of_files=bool(done)) from error
            raise
    staging.close()
    return result


def _remembered(lake: Lake, source: FormattedSource) -> Mapping[str, tuple[str, ...]]:
    """What the last receipt remembers; nothing of another contract or other settings."""
    receipt = lake.last_receipt(source.dataset)
    return receipt.remembered if receipt is not None and receipt.fingerprint == source.fingerprint else {}


def _unread(
    source: FormattedSource,
    staging: Staging,
    manifest: Manifest,
    remembered: Mapping[str, tuple[str, ...]],
) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Warnings of columns that are not read, and what to remember of them.

    Of the first files under a contract and settings: where no file has a column that the settings name. Of
    others: where one has other unread columns than the file before it.
    """
    before = Unread(remembered[IGNORED], remembered[MISSING]) if IGNORED in remembered else None
    unread = staging.unread
    found = [(b.name, unread[b.batch]) for b in manifest.batches if b.batch in unread]
    warnings = [drift(found, before, source.settings.extra_columns == "ignore")]
    if before is None:
        files = [unread[batch] for batch, count in staging.done.items() if count.rows]
        mapped = {field: source.settings.names_of(field) for field in source.settings.columns}
        warnings.append(unmatched_mapping(source.name, mapped, files))
    last = found[-1][1] if found else before
    columns = {} if last is None else {IGNORED: last.ignored, MISSING: last.missing}
    return [warning for warning in warnings if warning], columns


@dataclass(frozen=True)
class _Publishing:
    """What was staged, and the batches `out` whose rows it replaces."""

    work: LocalWork
    source: FormattedSource
    staging: Staging
    out: list[str]
    started: float

    def publish(
        self,
        receipt: Receipt,
        known: Mapping[str, Known],
        order: Mapping[str, int],
        changed_before: HourRanges,
    ) -> Receipt:
        """Replace the rows in the three zones, and return the formatted table's receipt."""
        for zone in ZONES:
            if self.work.lake.exists(f"{zone}.{self.source.name}"):
                self.work.database.read(self.work.lake.read(f"{zone}.{self.source.name}"))
        outcome = self._ranked(order, afresh=receipt.replaces_all) if self.source.keys else None
        counts = self._counts(known, outcome)
        done = [counts[batch] for batch in self.staging.done]
        receipt = replace(
            receipt,
            rows_written=sum(c.formatted for c in done),
            rows_rejected=sum(c.quarantined for c in done),
            rows_duplicate=sum(c.duplicate for c in done),
            peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            touched=self._touched(outcome, changed_before),
            batches=counts,
            measures=self._revived(outcome) if outcome and not receipt.replaces_all else {},
        )
        redone = among([*self.out, *self.staging.done])
        self._put("quarantine", [self.staging.quarantined()], redone, receipt)
        if outcome is None:
            if self.work.lake.exists(f"duplicate.{self.source.name}"):  # the contract had a key before
                self._put("duplicate", [self._written(f"{GOOD} where false")], redone, receipt)
            gone = among(self.out)
            return self._put("formatted", self.staging.good(), gone, receipt)
        # The losers are replaced as well: a run that died here may have put some of them there already.
        replaced = f"({redone} or {_in(outcome.losers)})"
        self._put("duplicate", [self._written(outcome.losers)], replaced, receipt)
        replaced = f"({among(self.out)} or {_in(outcome.lost)})"
        published = self._put("formatted", [self._written(outcome.winners)], replaced, receipt)
        if REVIVED in published.measures:
            remove_revived(self.work, self.source.name)
        for table in vars(outcome).values():
            self.work.database.drop(table)
        return published

    def _ranked(self, order: Mapping[str, int], afresh: bool) -> DuplicateOutcome:
        change = Change(GOOD, among(self.out), among(self.staging.done), order, afresh)
        return rank_duplicates(self.work.lake, self.work.database, self.source, change)

    def _counts(self, known: Mapping[str, Known], outcome: DuplicateOutcome | None) -> dict[str, BatchCount]:
        """The accounts of the batches formatted now, and of those whose rows won or lost against them."""
        counts = dict(self.staging.done)
        if outcome is None:
            return counts

        def move(table: str, formatted: int, of_now: bool) -> None:
            for batch, rows in self.work.database.fetch(
                f"select _batch, count(*) from {table} group by _batch"
            ):
                if of_now != (batch in self.staging.done):
                    continue
                count = counts.get(batch) or known[batch].count
                counts[batch] = replace(
                    count,
                    formatted=count.formatted + formatted * rows,
                    duplicate=count.duplicate - formatted * rows,
                )

        move(outcome.losers, -1, of_now=True)
        move(outcome.lost, -1, of_now=False)
        move(outcome.revived, +1, of_now=False)
        gone = set(self.out) - set(self.staging.done)
        return {batch: count for batch, count in counts.items() if batch not in gone}

    def _touched(self, outcome: DuplicateOutcome | None, changed_before: HourRanges) -> HourRanges | None:
        """The hours in which the table changes: those of the rows that come and of the rows that go."""
        event_time = self.source.event_time
        if not self.staging.done and not self.out and self.work.lake.exists(self.source.dataset):
            return ()
        if event_time is None:
            return None
        hours = set(self.staging.hours)
        if outcome is not None:
            hours |= self.staging.hours_of(outcome.winners) | self.staging.hours_of(outcome.lost)
        if self.out and self.work.lake.exists(self.source.dataset):
            if event_time not in {name for name, _ in self.work.lake.read(self.source.dataset).columns}:
                return merge_hours([*changed_before, *((h, h + 1) for h in hours)])  # it had another name
            hours |= self.staging.hours_of(f"(select * from {self.source.dataset} where {among(self.out)})")
        return merge_hours((h, h + 1) for h in hours)

    def _revived(self, outcome: DuplicateOutcome) -> dict[str, str]:
        """How many duplicates are formatted again; told in the receipt, as they are removed after it."""
        rows = self.work.database.fetch(f"select count(*) from {outcome.revived}")[0][0]
        return {REVIVED: str(rows)} if rows else {}

    def _written(self, table: str) -> Staged:
        return self.work.database.write(f"select * from {table}", self.work.scratch)

    def _put(self, zone: str, staged: list[Staged], where: str, receipt: Receipt) -> Receipt:
        """Put staged rows in the place of others in one zone; all of them when the receipt says so."""
        dataset = f"{zone}.{self.source.name}"
        present = self.work.lake.exists(dataset)
        whole = receipt.replaces_all or not present
        if zone != "formatted":
            rows = sum(part.rows for part in staged)
            if (
                not rows
                and not whole
                and not self.work.database.files_holding(self.work.lake.read(dataset), where)
            ):
                return receipt
            receipt = replace(receipt, rows_written=rows, batches={}, removed_batches=(), measures={})
            receipt = replace(receipt, notes=(), warnings=(), remembered={})  # said once
        else:
            beside = versions_beside(self.work.lake, self.source.name)
            receipt = replace(receipt, measures={**receipt.measures, **beside})
        receipt = replace(receipt, dataset=dataset, seconds=round(time.monotonic() - self.started, 3))
        number = self.work.lake.version(dataset) + 1
        self.work.store.replace(staged, receipt, ("format", number), None if whole else Replacing(where))
        return receipt


def _in(table: str) -> str:
    """SQL that is true for the rows that a staged table names by batch and row."""
    return f"(_batch, _row) in (select (_batch, _row) from {table})"
