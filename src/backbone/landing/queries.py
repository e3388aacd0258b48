"""SQL queries as sources: each window extracted once, as a Parquet file, through ADBC.

A query that names `$window_start` or `$window_end` is extracted window by window; one that names neither
is extracted whole at every run, and counts as a new version only when its result has changed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from backbone.asked import Asked
from backbone.dataset import Window, floor, windows_between
from backbone.errors import SettingsError, SourceUnavailable
from backbone.landing.persistent import STAMP, WHOLE, Arrival, Feed, PersistentLanding
from backbone.ledger.manifest import Manifest
from backbone.source_settings import WINDOW_PARAMETER, as_instant

SQLITE_BATCH = 250_000
EARLIEST = datetime(1000, 1, 1, tzinfo=UTC)  # the first instant that an event time may have


@dataclass(frozen=True)
class Reports:
    """Who gets what is being done now, and what should be looked at."""

    progress: Callable[[str], None] = lambda text: None
    warn: Callable[[str], None] = lambda text: None


def extract(
    landing: PersistentLanding, feed: Feed, known: Manifest, asked: Asked, reports: Reports
) -> Iterator[Arrival]:
    """Run a source's query for every closed window that has not been extracted.

    When the first windows are extracted, a warning has the number of rows that are earlier than all of them.

    Raises
    ------
    SettingsError
        When the query has windows and nothing says where to start.
    SourceUnavailable
        When the database can't be reached, refuses the query, or goes away. The windows extracted
        before are kept.
    """
    query = feed.settings.query or ""
    windows: list[Window | None] = [None]
    if has_windows(query):
        windows = list(due_windows(feed, known, asked))
    if not windows:
        return
    assert feed.connection is not None
    where = f"source {feed.source}, connection {feed.settings.connection}"
    with _as_unavailable(where), closing(connect(feed, landing.project)) as connection:
        first = _first_extracted(feed, known, windows)
        if first is not None:
            reports.progress(f"count the rows of {feed.source} before {first:%Y-%m-%d %H:%M}")
            _warn_of_earlier(connection, feed, query, first, reports.warn)
        for window in windows:
            name = WHOLE if window is None else f"{window.start:{STAMP}}--{window.end:{STAMP}}.parquet"
            if window is not None:
                reports.progress(f"extract {feed.source} {window}")
            arrived_at, target = landing.place(feed.source, name)
            part = target.with_name(target.name + ".part")
            try:
                _fetch(connection, feed, query, window, part)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
            for error in landing.barrier.sync([part]).values():
                raise error
            part.rename(target)
            landing.barrier.add_folder(target.parent)
            bounds = (window.start, window.end) if window else (None, None)
            yield Arrival(feed.source, name, arrived_at, target, "", *bounds)


def has_windows(query: str) -> bool:
    """Whether a query is extracted window by window."""
    return WINDOW_PARAMETER.search(query) is not None


def due_windows(feed: Feed, known: Manifest, asked: Asked) -> Iterator[Window]:
    """The windows to extract: closed, not extracted yet, or to be extracted again."""
    every = feed.every or "day"
    done = sorted(
        Window(b.window_start, b.window_end)
        for b in known.current().values()
        if b.source == feed.source and b.window_start is not None and b.window_end is not None
    )
    begin = asked.start or _instant(feed.settings.start)
    if begin is None:
        if not done:
            raise SettingsError(
                f"source {feed.source}",
                "its query has windows, and nothing says which is the first",
                "Nothing was extracted.",
                f"write start = 2026-01-01 under [sources.{feed.source}], or run with --from",
            )
        begin = done[0].start
    until = min(t for t in (asked.end, _instant(feed.settings.end), asked.now) if t is not None)
    # What was extracted is extracted again as it was cut then, also after a change of cadence: a day
    # beside one of its hours would hold the same rows twice.
    again = [w for w in done if w.start < until and w.end > begin]
    if not asked.force:
        again = again[-feed.settings.refetch :] if feed.settings.refetch else []
    extracted = set(done)
    fresh = (w for w in windows_between(begin, until, every) if w.end <= until and w not in extracted)
    yield from sorted({*again, *(part for w in fresh for part in _uncovered(w, done))})


def _first_extracted(feed: Feed, known: Manifest, windows: list[Window | None]) -> datetime | None:
    """The instant before which nothing is extracted, if these windows are the first or reach further back.

    A window that lies before it and after the source's `start` is only not extracted yet.
    """
    names = {match.group(1) for match in WINDOW_PARAMETER.finditer(feed.settings.query or "")}
    if len(names) < 2 or windows[0] is None:  # open at one end, the query can't be cut there
        return None
    done = [
        b.window_start
        for b in known.current().values()
        if b.source == feed.source and b.window_start is not None
    ]
    first = windows[0].start
    if done and min(done) <= first:
        return None
    start = _instant(feed.settings.start)
    return first if start is None else min(first, floor(start, feed.every or "day"))


def _warn_of_earlier(
    connection: Any, feed: Feed, query: str, first: datetime, warn: Callable[[str], None]
) -> None:
    """Count the rows of a query before an instant, which are never extracted; an error is only a warning."""
    import adbc_driver_manager

    rows = f"select count(*) from ({query.strip().rstrip(';')}\n) as earlier"
    text, values = _bound(feed, rows, Window(EARLIEST, first))
    name = "its start" if _instant(feed.settings.start) is not None else "the first window"
    try:
        with closing(connection.cursor()) as cursor:
            cursor.execute(text, values)
            count = cursor.fetchone()[0]
    except adbc_driver_manager.Error as error:
        connection.rollback()
        warn(
            f"source {feed.source}: the rows before {name}, {first:%Y-%m-%d %H:%M} UTC, could not be "
            f"counted: {' '.join(str(error).split())[:300]}"
        )
        return
    if count:
        rows_are = "1 row of its query is" if count == 1 else f"{count:,} rows of its query are"
        warn(
            f"source {feed.source}: {rows_are} earlier than {name}, {first:%Y-%m-%d %H:%M} UTC, and not "
            f"extracted. To take them too, write an earlier start under [sources.{feed.source}]"
        )


def _uncovered(window: Window, done: list[Window]) -> Iterator[Window]:
    """What of a window was never extracted: all of it, or the gaps between what was."""
    at = window.start
    for other in done[bisect_left(done, window.start, key=lambda w: w.end) :]:
        if other.start >= window.end:
            break
        if at < other.start:
            yield Window(at, other.start)
        at = max(at, other.end)
    if at < window.end:
        yield Window(at, window.end)


def _instant(value: datetime | date | None) -> datetime | None:
    return None if value is None else as_instant(value)


@contextmanager
def _as_unavailable(where: str) -> Iterator[None]:
    """Turn a driver's error into one that says what to do; the drivers' messages hold no passwords."""
    import adbc_driver_manager
    import pyarrow as pa

    try:
        yield
    except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk, not of the driver
            raise
        raise SourceUnavailable(
            where,
            f"the database answered: {' '.join(str(error).split())[:500]}",
            "Windows extracted before it are kept; nothing of this one is.",
            "see that the database is up and the query is right, then run again",
        ) from error


def connect(feed: Feed, project: Path) -> Any:
    """An ADBC connection whose session reads times without a zone as the source writes them."""
    assert feed.connection is not None
    scheme, _, rest = feed.connection.url.partition("://")
    if scheme in ("postgresql", "postgres"):
        import adbc_driver_postgresql.dbapi as postgresql

        connection = postgresql.connect(feed.connection.url)
        with closing(connection.cursor()) as cursor:
            cursor.execute(f"set timezone = '{ZoneInfo(feed.settings.timezone).key}'")
        return connection
    if scheme == "sqlite":
        import adbc_driver_sqlite.dbapi as sqlite

        path = project / rest.removeprefix("/")
        if not path.is_file():
            raise SourceUnavailable(
                f"connection {feed.settings.connection}",
                f"expected a SQLite file, found none at {path}",
                "Nothing was extracted.",
                "mend the url: sqlite:///in/the/project.db or sqlite:////absolute/path.db",
            )
        return sqlite.connect(f"{path.as_uri()}?mode=ro")
    raise SettingsError(
        f"connection {feed.settings.connection}",
        f"expected postgresql://… or sqlite:///…, found {f'{scheme}://…' if rest else 'something else'}",
        "",
        "write one of the two in backbone.toml",
    )


def _fetch(connection: Any, feed: Feed, query: str, window: Window | None, target: Path) -> None:
    """Stream one result into a Parquet file; an empty one has the columns and no rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    assert feed.connection is not None
    query, values = _bound(feed, query, window)
    with closing(connection.cursor()) as cursor:
        if feed.connection.url.startswith("sqlite:"):
            reader = _sqlite_reader(cursor, query, values)
        else:
            cursor.execute(query, values or None)
            reader = cursor.fetch_record_batch()
        schema = pa.schema([pa.field(f.name, _plain(f.type)) for f in reader.schema])
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for batch in reader:
                columns = [
                    column.storage if isinstance(column, pa.ExtensionArray) else column
                    for column in batch.columns
                ]
                writer.write_batch(pa.record_batch(columns, schema=schema))


def _bound(feed: Feed, query: str, window: Window | None) -> tuple[str, list[Any]]:
    """A query with the marks of its database for a window's bounds, and their values."""
    assert feed.connection is not None
    if window is None:
        return query, []
    bounds = {"window_start": window.start, "window_end": window.end}
    order = sorted({m.group(1) for m in WINDOW_PARAMETER.finditer(query)})
    values: list[Any] = [bounds[name] for name in order]
    mark = "$"
    if feed.connection.url.startswith("sqlite:"):  # which has no type for instants: they are text there
        zone = ZoneInfo(feed.settings.timezone)
        values = [v.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") for v in values]
        mark = "?"
    return WINDOW_PARAMETER.sub(lambda m: f"{mark}{order.index(m.group(1)) + 1}", query), values


def _sqlite_reader(cursor: Any, query: str, values: list[Any]) -> Any:
    """A result whose columns have a type each, which the rows of the first batch tell.

    Where that is text, numbers may be among it, and the driver would write them with six decimals; so they
    are written by the database, with the digits that give the same number back.
    """
    import pyarrow as pa

    cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(SQLITE_BATCH)})
    cursor.execute(query, values or None)
    reader = cursor.fetch_record_batch()
    if not any(pa.types.is_string(field.type) for field in reader.schema):
        return reader
    columns = []
    for field in reader.schema:
        name = '"' + field.name.replace('"', '""') + '"'
        short, long = f"printf('%!.15g', {name})", f"printf('%!.17g', {name})"
        exact = f"case when cast({short} as real) = {name} then {short} else {long} end"
        is_text = pa.types.is_string(field.type)
        columns.append(
            f"case typeof({name}) when 'real' then {exact} else {name} end as {name}" if is_text else name
        )
    reader.close()
    cursor.execute(f"select {', '.join(columns)} from ({query.strip().rstrip(';')}\n)", values or None)
    return cursor.fetch_record_batch()


def _plain(kind: Any) -> Any:
    return getattr(kind, "storage_type", kind)
