"""The records every zone speaks in: datasets, windows, batches and receipts.

Instants are timezone-aware and in UTC. A window is half open, `[start, end)`. Where a set of instants
has to be remembered (which windows a batch touches), it is remembered as ranges of whole hours since
1970, the finest cadence a pipeline can have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

Every = Literal["hour", "day", "week", "month"]
CADENCES: tuple[str, ...] = get_args(Every)

HOUR = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ZONES = ("landing", "formatted", "quarantine", "duplicate", "exploitation", "operations")
DATASET_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, order=True)
class Dataset:
    """A table by its zone and its name in it.

    Examples
    --------
    >>> sale = Dataset.of("formatted.sale")
    >>> sale.zone, sale.name, str(sale)
    ('formatted', 'sale', 'formatted.sale')
    """

    zone: str
    name: str

    @classmethod
    def of(cls, text: str) -> Dataset:
        """The dataset of a dotted name, `zone.name`; the name is empty where there is none."""
        zone, _, name = text.partition(".")
        return cls(zone, name)

    def __str__(self) -> str:
        return f"{self.zone}.{self.name}"


HourRanges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, order=True)
class Window:
    """A half-open interval of time in UTC: what one scheduled run works on.

    Examples
    --------
    >>> day = window_of(datetime(2026, 3, 5, 17, 30, tzinfo=UTC), "day")
    >>> str(day), day.hours
    ('2026-03-05', (492408, 492432))
    """

    start: datetime
    end: datetime

    @property
    def hours(self) -> tuple[int, int]:
        """The window as whole hours since 1970, half open."""
        return hour_of(self.start), hour_of(self.end)

    def __str__(self) -> str:
        length = self.end - self.start
        if length <= HOUR:
            return f"{self.start:%Y-%m-%dT%H}"
        if length == timedelta(days=1):
            return f"{self.start:%Y-%m-%d}"
        return f"{self.start:%Y-%m-%d}..{self.end:%Y-%m-%d}"


def hour_of(instant: datetime) -> int:
    """Whole hours since 1970; negative before."""
    return (instant - EPOCH) // HOUR


def instant_of(hour: int) -> datetime:
    """The instant at which an hour since 1970 begins."""
    return EPOCH + hour * HOUR


def floor(instant: datetime, every: str) -> datetime:
    """The start of the window of length `every` that holds the instant; weeks begin on Monday."""
    start = instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if every == "hour":
        return start
    start = start.replace(hour=0)
    if every == "day":
        return start
    if every == "week":
        return start - timedelta(days=start.weekday())
    if every == "month":
        return start.replace(day=1)
    raise ValueError(f"every must be one of {', '.join(CADENCES)}, not {every!r}")


def step(start: datetime, every: str, count: int = 1) -> datetime:
    """The start of the window `count` windows later (earlier when negative)."""
    if every == "hour":
        return start + count * HOUR
    if every == "day":
        return start + timedelta(days=count)
    if every == "week":
        return start + timedelta(days=7 * count)
    month = start.month - 1 + count
    return start.replace(year=start.year + month // 12, month=month % 12 + 1)


def window_of(instant: datetime, every: str) -> Window:
    """The window of length `every` that holds the instant."""
    start = floor(instant, every)
    return Window(start, step(start, every))


def windows_between(start: datetime, end: datetime, every: str) -> Iterator[Window]:
    """Every window that overlaps `[start, end)`, in order.

    Examples
    --------
    >>> month = windows_between(datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC), "month")
    >>> [str(w) for w in month]
    ['2026-01-01..2026-02-01', '2026-02-01..2026-03-01']
    """
    at = floor(start, every)
    while at < end:
        following = step(at, every)
        yield Window(at, following)
        at = following


def merge_hours(ranges: Iterable[tuple[int, int]]) -> HourRanges:
    """Half-open hour ranges as the fewest, sorted ranges that cover the same hours.

    Examples
    --------
    >>> merge_hours([(5, 6), (1, 2), (2, 4)])
    ((1, 4), (5, 6))
    """
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


@dataclass(frozen=True)
class Batch:
    """One version of one file ever taken over, unchanged, into persistent landing.

    `path` is relative to the project. `status` is `landed`, or `duplicate` for a delivery whose bytes
    equal those of the file's current version (nothing further is kept of it). `origin` identifies what
    was read in place (path, size and modification time), so that an untouched file is not read again.
    """

    batch: str
    source: str
    name: str
    sha256: str
    bytes: int
    arrived_at: datetime
    path: str
    status: str = "landed"
    origin: str = ""
    window_start: datetime | None = None
    window_end: datetime | None = None


@dataclass(frozen=True)
class BatchCount:
    """How the rows of one batch are accounted for under the current contract."""

    rows: int
    formatted: int
    quarantined: int
    duplicate: int

    @property
    def balanced(self) -> bool:
        return self.rows == self.formatted + self.quarantined + self.duplicate


@dataclass(frozen=True)
class Receipt:
    """What a stage did; it rides in the commit that published its result.

    `inputs` are the versions of the datasets it read. `windows` are the windows it replaced, as hour
    ranges (each starting at a window's start), and `every` their cadence; None for a table without
    windows. `touched` are the hours in which the dataset changed, None for all of it. `replaces_all` says
    that whatever was known of older windows no longer holds. `notes` are remarks for who looks at the
    receipt; `warnings` are also printed by the run and shown by `status`. `kept_from` is the hour from which
    on all rows are retained, None where none has been dropped. `remembered` is what the stage's next run has
    to know, by name.
    """

    run_id: str
    stage: str
    dataset: str
    fingerprint: str
    inputs: Mapping[str, int] = field(default_factory=dict)
    rows_read: int = 0
    rows_written: int = 0
    rows_rejected: int = 0
    rows_duplicate: int = 0
    started_at: str = ""
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    every: str | None = None
    windows: HourRanges = ()
    touched: HourRanges | None = ()
    replaces_all: bool = False
    kept_from: int | None = None
    batches: Mapping[str, BatchCount] = field(default_factory=dict)
    removed_batches: tuple[str, ...] = ()
    measures: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    remembered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def to_json(self) -> str:
        facts: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}  # thousands of windows
        facts["batches"] = {batch: asdict(count) for batch, count in self.batches.items()}
        facts |= {"inputs": dict(self.inputs), "measures": dict(self.measures)}
        facts["remembered"] = {name: list(texts) for name, texts in self.remembered.items()}
        return json.dumps(facts, separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Receipt:
        known = {f.name for f in fields(cls)}
        facts: dict[str, Any] = {k: v for k, v in json.loads(text).items() if k in known}
        facts["batches"] = {k: BatchCount(**v) for k, v in facts.get("batches", {}).items()}
        for name in ("windows", "touched"):
            if facts.get(name) is not None:
                facts[name] = tuple((low, high) for low, high in facts[name])
        for name in ("removed_batches", "notes", "warnings"):
            facts[name] = tuple(facts.get(name, ()))
        facts["remembered"] = {name: tuple(texts) for name, texts in facts.get("remembered", {}).items()}
        return cls(**facts)
