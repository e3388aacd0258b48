"""Bring a source's formatted table up to date with what has landed.

A batch's quarantined, duplicate and formatted rows are replaced together, in this order. The commit of the
formatted table comes last and carries the receipt that says the batch is done: a run that dies before it
leaves the batch undone, and the next run replaces the same rows again.
"""

from __future__ import annotations

import hashlib
import resource
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from backbone.contract import Contract, columns, fingerprint, keys, quote_identifier, quote_literal
from backbone.dataset import Batch, BatchCount, HourRanges, Receipt, merge_hours
from backbone.engines.protocol import Engine
from backbone.engines.replace import replace_rows
from backbone.errors import BatchRefused
from backbone.formatted import quarantine
from backbone.formatted.duplicates import REVIVED, Settled, remove_revived, settle_duplicates
from backbone.formatted.fetched import together
from backbone.formatted.parse import Parsed, notation_of, parse, parse_together
from backbone.lake.publish import Staged
from backbone.lake.table import Lake
from backbone.landing.manifest import Manifest
from backbone.settings import SourceSettings

LARGE = 500_000
PARSING = (
    "columns", "encoding", "delimiter", "quote", "escape", "header", "skip", "format"
)  # fmt: skip


@dataclass(frozen=True)
class FormattedSource:
    """What the formatted zone has to know of a source."""

    name: str
    contract: type[Contract]
    settings: SourceSettings
    event_time: str | None

    @property
    def dataset(self) -> str:
        return f"formatted.{self.name}"

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(c.name for c in columns(self.contract))

    @property
    def fingerprint(self) -> str:
        """Changes with everything that changes the rows a batch gives."""
        parts = [fingerprint(self.contract, notation_of(self.settings)), self.event_time]
        parts += [repr(getattr(self.settings, name)) for name in PARSING]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Known:
    """What is known of a batch formatted before: under which fingerprint, and its rows."""

    fingerprint: str
    count: BatchCount


@dataclass
class Formatted:
    """What formatting did: the receipt, if anything was published, and the batches it refused."""

    receipt: Receipt | None = None
    refused: dict[str, BatchRefused] = field(default_factory=dict)


@dataclass
class _Stage:
    """What the batches parsed so far amount to."""

    done: dict[str, BatchCount] = field(default_factory=dict)
    written: list[Staged] = field(default_factory=list)
    collected: int = 0
    hours: set[int] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)


def format_source(
    lake: Lake,
    engine: Engine,
    source: FormattedSource,
    manifest: Manifest,
    known: Mapping[str, Known],
    *,
    changed_before: HourRanges,
    run_id: str,
    scratch: Path,
    progress: Callable[[str], None] = lambda text: None,
) -> Formatted:
    """Format the batches that are not formatted, and take out those that no longer count.

    A version of a file that can't be read leaves the version before it in force.

    Parameters
    ----------
    known : the batches formatted so far.
    changed_before : the hours in which the table has ever changed.
    """
    started, started_at = time.monotonic(), datetime.now(UTC)
    mark = source.fingerprint
    result, stage = Formatted(), _Stage()
    kept: set[str] = set()
    waiting = []
    for versions in manifest.versions(source.name, source.settings.redelivery):
        newest = versions[0].batch
        if newest in known and known[newest].fingerprint == mark:
            kept.add(newest)
        else:
            waiting.append(versions)
    if waiting:
        _begin(engine, source)
    waiting = _add_fetched(lake, engine, source, waiting, scratch, stage, progress)
    for versions in waiting:
        for batch in versions:
            if batch.batch in known and known[batch.batch].fingerprint == mark:
                kept.add(batch.batch)
                break
            progress(f"format {source.name}: {batch.name}")
            try:
                _add(lake, engine, source, batch, scratch, stage)
                break
            except BatchRefused as error:
                result.refused[batch.batch] = error
            finally:
                shutil.rmtree(scratch / "plain", ignore_errors=True)
    out = sorted(batch for batch in known if batch not in kept)
    if lake.exists(source.dataset) and not stage.done and not out:
        return result

    progress(f"publish {source.dataset}")
    if not stage.done:  # only rows to take out, or a table to make
        _begin(engine, source)
    for zone in ("formatted", "duplicate", "quarantine"):
        if lake.exists(f"{zone}.{source.name}"):
            engine.read(lake.read(f"{zone}.{source.name}"))
    order = {b.batch: i for i, b in enumerate(manifest.batches)}
    everything = not kept
    settled = None
    if keys(source.contract):
        settled = settle_duplicates(
            lake,
            engine,
            source.name,
            source.fields,
            keys(source.contract),
            source.event_time,
            candidates="stage_good",
            out=_among(out),
            redone=_among(stage.done),
            order=order,
            afresh=everything,
        )
    counts = _counts(engine, stage, known, out, settled)
    receipt = Receipt(
        run_id=run_id,
        stage="format",
        dataset=source.dataset,
        fingerprint=mark,
        inputs={"landing.batch": lake.version("landing.batch")},
        rows_read=sum(c.rows for c in stage.done.values()),
        rows_written=sum(counts[b].formatted for b in stage.done),
        rows_rejected=sum(counts[b].quarantined for b in stage.done),
        rows_duplicate=sum(counts[b].duplicate for b in stage.done),
        started_at=started_at.isoformat(),
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        touched=_touched(lake, engine, source, stage, out, settled, changed_before),
        replaces_all=everything,
        batches=counts,
        removed_batches=tuple(b for b in out if b not in stage.done),
        measures=_revived(engine, settled) if settled and not everything else {},
        notes=tuple(f"ignored column {name}" for name in sorted(stage.ignored)),
    )
    result.receipt = _publish(lake, engine, source, stage, out, settled, receipt, started, scratch)
    for name in ("stage_good", quarantine.STAGED, *vars(Settled()).values()):
        engine.drop(name)
    return result


def _begin(engine: Engine, source: FormattedSource) -> None:
    fields = ", ".join(
        f"cast(null as {c.sql_type}) as {quote_identifier(c.name)}" for c in columns(source.contract)
    )
    place = "cast(null as varchar) as _batch, cast(null as bigint) as _row"
    engine.create("stage_good", f"select {fields}, {place} where false")
    engine.create(quarantine.STAGED, quarantine.EMPTY)


def _add(
    lake: Lake, engine: Engine, source: FormattedSource, batch: Batch, scratch: Path, stage: _Stage
) -> None:
    """Parse one batch and stage its rows."""
    where = f"{source.dataset}, batch {batch.batch} ({batch.name})"
    path = lake.project / batch.path
    if not path.is_file():
        raise BatchRefused(
            where,
            f"expected its file in persistent landing, found none at {batch.path}",
            "Nothing of it is formatted.",
            "restore the file, or have it delivered again",
        )
    parsed = parse(
        engine, "stage_batch", path, batch.name, source.contract, source.settings, scratch / "plain", where
    )
    quarantined = quarantine.quarantine_rows(engine, parsed, batch.batch)
    rows = parsed.records + len(parsed.broken)
    stage.done[batch.batch] = BatchCount(rows, rows - quarantined, quarantined, 0)
    _collect(engine, source, parsed, quote_literal(batch.batch), scratch, stage)


def _add_fetched(
    lake: Lake,
    engine: Engine,
    source: FormattedSource,
    waiting: list[list[Batch]],
    scratch: Path,
    stage: _Stage,
    progress: Callable[[str], None],
) -> list[list[Batch]]:
    """Stage windows extracted by a query, many small files at a time; returns what is left to add singly."""
    groups, left = together(lake.project, waiting)
    for group in groups:
        progress(f"format {source.name}: {len(group)} windows")
        paths = [lake.project / versions[0].path for versions in group]
        batches = [versions[0].batch for versions in group]
        where = f"{source.dataset}, {len(group)} windows from {group[0][0].name}"
        try:
            parsed = parse_together(
                engine, "stage_batch", paths, batches, source.contract, source.settings, where
            )
        except BatchRefused:
            left.extend(group)  # each will say for itself what is wrong with it
            continue
        quarantine.quarantine_together(engine, parsed)
        counted = engine.fetch(
            "select _batch, count(*), count(*) filter (where _reasons is null) "
            "from stage_batch group by _batch"
        )
        stage.done |= {batch: BatchCount(0, 0, 0, 0) for batch in batches}
        stage.done |= {batch: BatchCount(rows, good, rows - good, 0) for batch, rows, good in counted}
        _collect(engine, source, parsed, "_batch", scratch, stage)
    return left


def _collect(
    engine: Engine, source: FormattedSource, parsed: Parsed, named: str, scratch: Path, stage: _Stage
) -> None:
    """Stage the good rows of what was parsed, and write them once they are many."""
    fields = ", ".join(map(quote_identifier, source.fields))
    good = f"select {fields}, {named} as _batch, _row from {parsed.table} where _reasons is null"
    stage.ignored.update(parsed.ignored_columns)
    if keys(source.contract):
        engine.insert("stage_good", good)
    else:
        stage.hours |= _hours(engine, source, f"({good})")
        if parsed.records >= LARGE:
            stage.written.append(engine.write(good, scratch))
        else:
            stage.collected += engine.insert("stage_good", good)
        if stage.collected >= 2 * LARGE:
            _write_collected(engine, source, stage, scratch)
    engine.drop(parsed.table)


def _write_collected(engine: Engine, source: FormattedSource, stage: _Stage, scratch: Path) -> None:
    stage.written.append(engine.write("select * from stage_good", scratch))
    engine.create("stage_good", "select * from stage_good where false")
    stage.collected = 0


def _counts(
    engine: Engine, stage: _Stage, known: Mapping[str, Known], out: Iterable[str], settled: Settled | None
) -> dict[str, BatchCount]:
    """The accounts of the batches formatted now, and of those whose rows won or lost against them."""
    counts = dict(stage.done)
    if settled is None:
        return counts
    gone = set(out)

    def move(table: str, formatted: int, only_known: bool) -> None:
        for batch, rows in engine.fetch(f"select _batch, count(*) from {table} group by _batch"):
            if only_known == (batch in stage.done):
                continue
            count = counts.get(batch) or known[batch].count
            counts[batch] = BatchCount(
                count.rows,
                count.formatted + formatted * rows,
                count.quarantined,
                count.duplicate - formatted * rows,
            )

    move(settled.losers, -1, only_known=False)
    move(settled.lost, -1, only_known=True)
    move(settled.revived, +1, only_known=True)
    return {batch: count for batch, count in counts.items() if batch in stage.done or batch not in gone}


def _touched(
    lake: Lake,
    engine: Engine,
    source: FormattedSource,
    stage: _Stage,
    out: list[str],
    settled: Settled | None,
    changed_before: HourRanges,
) -> HourRanges | None:
    """The hours in which the table changes: those of the rows that come and of the rows that go."""
    if source.event_time is None:
        return None
    hours = set(stage.hours)
    if settled is not None:
        hours |= _hours(engine, source, settled.winners) | _hours(engine, source, settled.lost)
    if out and lake.exists(source.dataset):
        if source.event_time not in {name for name, _ in lake.read(source.dataset).columns}:
            return merge_hours([*changed_before, *((h, h + 1) for h in hours)])  # it had another name
        hours |= _hours(engine, source, f"(select * from {source.dataset} where {_among(out)})")
    return merge_hours((h, h + 1) for h in hours)


def _hours(engine: Engine, source: FormattedSource, table: str) -> set[int]:
    if source.event_time is None:
        return set()
    # Shifted by about a thousand years, so that the division rounds down before 1970 too.
    micros = f"epoch_us({quote_identifier(source.event_time)})"
    hour = f"({micros} + 9000000 * 3600000000) // 3600000000 - 9000000"
    return {row[0] for row in engine.fetch(f"select distinct {hour} from {table} as t")}


def _publish(
    lake: Lake,
    engine: Engine,
    source: FormattedSource,
    stage: _Stage,
    out: list[str],
    settled: Settled | None,
    receipt: Receipt,
    started: float,
    scratch: Path,
) -> Receipt:
    def put(zone: str, staged: list[Staged], where: str | None, only_if_needed: bool) -> Receipt:
        dataset = f"{zone}.{source.name}"
        rows = sum(part.rows for part in staged)
        present = lake.exists(dataset)
        nothing = only_if_needed and present and not rows and where is not None
        if nothing and not engine.files_holding(lake.read(dataset), where or "true"):
            return receipt
        final = replace(
            receipt,
            dataset=dataset,
            rows_written=rows if zone != "formatted" else receipt.rows_written,
            batches=receipt.batches if zone == "formatted" else {},
            removed_batches=receipt.removed_batches if zone == "formatted" else (),
            seconds=round(time.monotonic() - started, 3),
        )
        replace_rows(
            lake,
            engine,
            dataset,
            staged,
            final,
            transaction=f"{receipt.run_id}:{dataset}:{lake.version(dataset)}",
            scratch=scratch,
            where=where if present else None,
        )
        return final

    redone = _among([*out, *stage.done])
    whole = receipt.replaces_all
    put("quarantine", [engine.write(f"select * from {quarantine.STAGED}", scratch)], redone, True)
    if settled is None:
        if lake.exists(f"duplicate.{source.name}"):  # the contract had a key before
            nothing = engine.write("select * from stage_good where false", scratch)
            put("duplicate", [nothing], None if whole else redone, True)
        _write_collected(engine, source, stage, scratch)
        gone = "false" if not out else _among(out)
        return put("formatted", stage.written, None if whole else gone, False)

    in_lost = f"(_batch, _row) in (select (_batch, _row) from {settled.lost})"
    # The losers are replaced as well: a run that died here may have put some of them there already.
    in_losers = f"(_batch, _row) in (select (_batch, _row) from {settled.losers})"
    losers = engine.write(f"select * from {settled.losers}", scratch)
    put("duplicate", [losers], None if whole else f"({redone} or {in_losers})", True)
    winners = engine.write(f"select * from {settled.winners}", scratch)
    published = put("formatted", [winners], None if whole else f"({_among(out)} or {in_lost})", False)
    if published.measures.get(REVIVED):
        remove_revived(lake, engine, source.name, receipt.run_id, scratch)
    return published


def _revived(engine: Engine, settled: Settled) -> dict[str, str]:
    """How many duplicates are formatted again; told in the receipt, as they are removed after its commit."""
    rows = engine.fetch(f"select count(*) from {settled.revived}")[0][0]
    return {REVIVED: str(rows)} if rows else {}


def _among(batches: Iterable[str]) -> str:
    listed = ", ".join(quote_literal(batch) for batch in batches)
    return f"_batch in ({listed})" if listed else "false"
