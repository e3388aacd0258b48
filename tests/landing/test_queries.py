"""Databases as sources: each window once, and what happens when one goes away."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from backbone.runner import RunResult
from conftest import Postgres, Trial, utc

NOW = utc("2026-01-04T00:00:00")
WINDOWED = (
    "select sale_id, item, price, sold_at from sale where sold_at >= $window_start and sold_at < $window_end"
)
SALES = [
    (1, "tea", "2.50", "2026-01-01 08:00:00"),
    (2, "cake", "3.25", "2026-01-01 23:59:59"),
    (3, "tea", "2.50", "2026-01-02 00:00:00"),
    (4, "bun", "1.00", "2026-01-03 10:30:00"),
]


def insert(path: Path, *rows: tuple[object, ...]) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "create table if not exists sale (sale_id integer, item text, price text, sold_at text)"
        )
        connection.executemany("insert into sale values (?, ?, ?, ?)", rows)
        connection.commit()


@pytest.fixture
def database(trial: Trial) -> Path:
    path = trial.root / "shop.db"
    insert(path, *SALES)
    trial.connections = '[connections.shop]\nurl = "sqlite:///shop.db"'
    trial.settings(f'connection = "shop"\nquery = "{WINDOWED}"\nstart = 2026-01-01')
    return path


def windows(trial: Trial) -> list[tuple[str, str]]:
    return [
        (f"{b.window_start:%d %H}", f"{b.window_end:%d %H}")
        for b in trial.batches("landed")
        if b.window_start and b.window_end
    ]


def test_each_closed_window_is_extracted_once(trial: Trial, database: Path) -> None:
    trial.run_well(now=utc("2026-01-03T12:00:00"))
    assert windows(trial) == [("01 00", "02 00"), ("02 00", "03 00")]
    assert trial.formatted() == [1, 2, 3]
    trial.run_well(now=NOW)
    assert windows(trial) == [("01 00", "02 00"), ("02 00", "03 00"), ("03 00", "04 00")]
    assert trial.formatted() == [1, 2, 3, 4]
    assert trial.accounted() == (4, 4, 0, 0)
    assert trial.run_well(now=NOW).receipts == []


def test_a_window_without_rows_counts_as_extracted(trial: Trial, database: Path) -> None:
    trial.run_well(now=utc("2026-01-06"))
    assert len(windows(trial)) == 5
    assert trial.accounted() == (4, 4, 0, 0)
    assert trial.run_well(now=utc("2026-01-06")).receipts == []


def test_an_extracted_window_is_fetched_again_only_when_asked_for(trial: Trial, database: Path) -> None:
    trial.run_well(now=NOW)
    insert(database, (5, "late", "1.00", "2026-01-03 11:00:00"), (6, "later", "1.00", "2026-01-01 01:00:00"))
    trial.run_well(now=NOW)
    assert trial.formatted() == [1, 2, 3, 4]
    section = trial.section
    trial.settings(f"{section}\nrefetch = 1").run_well(now=NOW)
    assert trial.formatted() == [1, 2, 3, 4, 5]
    assert len(trial.batches()) == 4, "only the last window, and only as it has changed"
    assert trial.run_well(now=NOW).receipts == []
    trial.settings(section).run_well(now=NOW, force=True)
    assert trial.formatted() == [1, 2, 3, 4, 5, 6]
    assert len(trial.batches()) == 5
    assert trial.accounted() == (6, 6, 0, 0)


@pytest.mark.parametrize(("first", "then"), [("day", "hour"), ("hour", "day"), ("day", "month")])
def test_another_cadence_neither_doubles_rows_nor_leaves_some_out(
    trial: Trial, database: Path, first: str, then: str
) -> None:
    end = utc("2026-02-01") if then == "month" else utc("2026-01-06")
    trial.settings(every=first).run_well(now=utc("2026-01-03T12:00:00"))
    insert(database, (7, "new", "1.00", "2026-01-05 11:00:00"))
    trial.settings(every=then).run_well(now=end)
    assert trial.formatted() == [1, 2, 3, 4, 7]
    trial.settings(every=first).run_well(now=end, force=True)
    assert trial.formatted() == [1, 2, 3, 4, 7]
    assert trial.accounted() == (5, 5, 0, 0)


def test_a_longer_cadence_extracts_what_is_left_of_a_window_at_once(trial: Trial, database: Path) -> None:
    trial.run_well(now=utc("2026-01-03"))
    trial.settings(every="month").run_well(now=utc("2026-02-01"))
    assert windows(trial) == [("01 00", "02 00"), ("02 00", "03 00"), ("03 00", "01 00")]


def test_a_whole_query_is_a_version_only_when_its_result_changes(trial: Trial, database: Path) -> None:
    trial.settings('connection = "shop"\nquery = "select * from sale order by sale_id"')
    for _ in range(3):
        trial.run_well()
    assert [(b.name, b.status) for b in trial.batches()] == [("whole.parquet", "landed")]
    insert(database, (5, "bun", "1.00", "2026-01-03 11:00:00"))
    trial.run_well()
    assert trial.formatted() == [1, 2, 3, 4, 5]
    assert trial.accounted() == (5, 5, 0, 0)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("delete from sale where sale_id < 4")
        connection.commit()
    trial.run_well()
    assert trial.formatted() == [4, 5]
    assert [b.status for b in trial.batches()] == ["landed"] * 3


def test_from_extends_what_is_extracted_backwards(trial: Trial, database: Path) -> None:
    insert(database, (0, "old", "1.00", "2025-12-31 08:00:00"))
    trial.run_well(now=NOW)
    assert trial.formatted() == [1, 2, 3, 4]
    trial.run_well(now=NOW, start=utc("2025-12-31"), end=utc("2026-01-01"))
    assert trial.formatted() == [0, 1, 2, 3, 4]
    assert trial.accounted() == (5, 5, 0, 0)


def earlier(result: RunResult) -> list[str]:
    """What a run warns of: rows before the first window."""
    return [w for w in (*result.warnings, *(w for r in result.receipts for w in r.warnings)) if "start" in w]


def assert_rows_before_start_are_counted_once(trial: Trial, add: Callable[..., object]) -> None:
    section = trial.section
    add((-1, "old", "1.00", "2025-11-30 08:00:00"), (0, "old", "1.00", "2025-12-31 23:59:59"))
    assert earlier(trial.run_well(now=NOW)) == [
        "source sale: 2 rows of its query are earlier than its start, 2026-01-01 00:00 UTC, and not "
        "extracted. To take them too, write an earlier start under [sources.sale]"
    ]
    assert trial.formatted() == [1, 2, 3, 4]
    assert earlier(trial.run_well(now=utc("2026-01-06"))) == []
    trial.settings(section.replace("2026-01-01", "2025-12-01"))
    (text,) = earlier(trial.run_well(now=utc("2026-01-06")))
    assert "1 row of its query is earlier than its start, 2025-12-01 00:00 UTC" in text
    assert trial.formatted() == [0, 1, 2, 3, 4]
    trial.settings(section.replace("2026-01-01", "2025-11-01"))
    assert earlier(trial.run_well(now=utc("2026-01-06"))) == []
    assert trial.formatted() == [-1, 0, 1, 2, 3, 4]


def test_rows_before_the_start_are_counted_once(trial: Trial, database: Path) -> None:
    assert_rows_before_start_are_counted_once(trial, lambda *rows: insert(database, *rows))


def test_windows_that_are_extracted_later_are_not_before_the_start(trial: Trial, database: Path) -> None:
    result = trial.run_well(now=NOW, start=utc("2026-01-03"))
    assert earlier(result) == []
    assert trial.formatted() == [4]
    assert earlier(trial.run_well(now=NOW)) == []
    assert trial.formatted() == [1, 2, 3, 4]


def test_rows_before_the_first_window_where_no_start_is_set(trial: Trial, database: Path) -> None:
    trial.settings(f'connection = "shop"\nquery = "{WINDOWED} -- all;"')
    (text,) = earlier(trial.run_well(now=NOW, start=utc("2026-01-02")))
    assert text.startswith("source sale: 2 rows of its query are earlier than the first window, 2026-01-02")


@pytest.mark.parametrize(
    "condition", ["sold_at >= $window_start", "sold_at < $window_end and sold_at >= '2026-01-02'"]
)
def test_a_query_that_is_open_at_one_end_is_not_counted(trial: Trial, database: Path, condition: str) -> None:
    insert(database, (0, "old", "1.00", "2025-12-31 23:59:59"))
    trial.settings(
        f"""connection = "shop"\nquery = "select * from sale where {condition}"\nstart = 2026-01-01"""
    )
    assert earlier(trial.run_well(now=utc("2026-01-02"))) == []


def test_a_count_that_fails_fails_nothing(
    trial: Trial, server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The divisor is 0 where the window begins long ago."""
    condition = "where 1 / (extract(year from $window_start) - 1000) > 0 and sold_at >="
    trial.settings(trial.section.replace("where sold_at >=", condition))
    (text,) = earlier(trial.run_well(now=NOW))
    assert "source sale: the rows before its start, 2026-01-01 00:00 UTC, could not be counted: " in text
    assert "division by zero" in text
    assert trial.formatted() == [1, 2, 3, 4]


def test_rows_before_the_start_in_a_server(trial: Trial, server: Postgres) -> None:
    def add(*rows: tuple[object, ...]) -> None:
        server.execute(
            "trial", *(f"insert into sale values ({n}, '{i}', {p}, '{at}+00')" for n, i, p, at in rows)
        )

    assert_rows_before_start_are_counted_once(trial, add)


def test_windows_are_cut_in_the_zone_that_the_source_writes_in(trial: Trial, database: Path) -> None:
    insert(database, (9, "early", "1.00", "2026-01-01 03:00:00"))
    trial.settings(f'{trial.section}\ntimezone = "Asia/Kolkata"').run_well(now=utc("2026-01-03"))
    assert trial.formatted("sale_id, sold_at") == [
        (1, utc("2026-01-01T02:30:00")),
        (2, utc("2026-01-01T18:29:59")),
        (3, utc("2026-01-01T18:30:00")),
    ], "2026 begins in UTC, after the early sale"


def test_what_a_dead_run_extracted_is_not_extracted_again(
    trial: Trial, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(BaseException):
        pass

    def die(*arguments: object) -> None:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr("backbone.ledger.manifest.record", die)
        with pytest.raises(Died):
            trial.run(now=NOW)
    extracted: list[str] = []
    trial.run_well(now=NOW, progress=extracted.append)
    assert not [text for text in extracted if text.startswith("extract")]
    assert len(windows(trial)) == 3
    assert trial.formatted() == [1, 2, 3, 4]
    assert trial.run_well(now=NOW).receipts == []


def test_bad_rows_are_told_by_their_window(trial: Trial, database: Path) -> None:
    insert(
        database,
        (5, "bun", "-1.00", "2026-01-02 11:00:00"),
        (6, "bun", "1.00", "2026-01-02 12:00:00"),
        (7, None, 1.5, "2026-01-03 11:00:00"),
        ("eight", "bun", 2, "2026-01-03 12:00:00"),
    )
    trial.run_well(now=NOW)
    found = trial.rows(
        "select strftime(window_start, '%d'), reasons from quarantine.sale q "
        "join landing.batch b on b.batch = q._batch order by all"
    )
    assert found == [
        ("02", ["price: -1.00 breaks price >= 0"]),
        ("03", ["item: null is not allowed"]),
        ("03", ["sale_id: 'eight' is not a whole number"]),
    ]
    assert trial.formatted() == [1, 2, 3, 4, 6]
    assert trial.accounted() == (8, 5, 3, 0)


def test_values_of_another_type_far_down_a_result_lose_nothing(trial: Trial, database: Path) -> None:
    insert(
        database,
        *((n, "tea", 1, "2026-01-02 11:00:00") for n in range(10, 2010)),
        (2010, "tea", 1.5, "2026-01-02 12:00:00"),
    )
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("delete from sale where sale_id < 10")
        connection.execute(
            "create table typeless as select sale_id, item, sold_at, +price as price from sale"
        )
        connection.execute("update typeless set price = 1")
        connection.execute("update typeless set price = 1.5 where sale_id = 2010")
        connection.commit()
    trial.settings(trial.section.replace("from sale", "from typeless")).run_well(now=NOW)
    assert trial.rows("select count(*), sum(price) from formatted.sale") == [(2001, Decimal("2001.50"))]


def test_nothing_says_where_to_start(trial: Trial, database: Path) -> None:
    trial.settings(f'connection = "shop"\nquery = "{WINDOWED}"')
    ended = trial.command("run")
    assert ended.status in (1, 2)
    assert "nothing says which is the first" in ended.errors
    assert "Next: write start = 2026-01-01 under [sources.sale]" in ended.errors


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("select * from nowhere", "nowhere"),
        ("selec 1", "selec"),
        ("select sale_id from sale", "expected the columns 'item', 'price', 'sold_at'"),
    ],
)
def test_a_query_that_fails_is_told(trial: Trial, database: Path, query: str, told: str) -> None:
    trial.settings(f'connection = "shop"\nquery = "{query}"')
    ended = trial.command("run")
    assert ended.status == 1
    assert told in ended.errors
    assert "\nNext: " in ended.errors
    assert trial.formatted() == []


def test_a_missing_database_is_told(trial: Trial, database: Path) -> None:
    database.unlink()
    ended = trial.command("run")
    assert ended.status == 1
    assert (
        f"SourceUnavailable: connection shop: expected a SQLite file, found none at {database}"
        in ended.errors
    )


def run_until(trial: Trial, window: str, act: Callable[[], None]) -> RunResult:
    """A run before whose extraction of a window something happens."""

    def progress(text: str) -> None:
        if text == f"extract sale {window}":
            act()

    return trial.run(now=NOW, progress=progress)


def assert_kept_and_completed(trial: Trial, failed: RunResult, mend: Callable[[], object]) -> None:
    """Two windows are kept, the failure is told, and the next run fetches the third only."""
    (error,) = failed.failures.values()
    assert error.where.startswith("source sale, connection shop")
    assert "Windows extracted before it are kept" in error.state
    assert "run again" in error.next_step
    assert windows(trial) == [("01 00", "02 00"), ("02 00", "03 00")]
    assert not list(trial.persistent.rglob("*.part"))
    mend()
    trial.run_well(now=NOW)
    assert len(windows(trial)) == 3
    assert trial.formatted() == [1, 2, 3, 4]
    assert trial.accounted() == (4, 4, 0, 0)


def test_a_file_database_that_turns_to_garbage(trial: Trial, database: Path) -> None:
    trial.run_well(now=utc("2026-01-03"))
    good = database.read_bytes()
    trial.write(database, b"garbage" * 2000)
    assert_kept_and_completed(trial, trial.run(now=NOW), lambda: trial.write(database, good))


@pytest.fixture
def server(trial: Trial, postgres: Postgres) -> Postgres:
    """A PostgreSQL database with the sales, as the trial's source."""
    url = postgres.create("trial")
    postgres.execute(
        "trial",
        "create table sale (sale_id int, item text, price numeric(10, 2), sold_at timestamptz)",
        *(f"insert into sale values ({n}, '{item}', {price}, '{at}+00')" for n, item, price, at in SALES),
    )
    trial.connections = f'[connections.shop]\nurl = "{url}"'
    trial.settings(f'connection = "shop"\nquery = "{WINDOWED}"\nstart = 2026-01-01')
    return postgres


def test_a_server_that_goes_away_between_windows(trial: Trial, server: Postgres) -> None:
    others = (
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where pid <> pg_backend_pid() and datname = 'trial'"
    )
    failed = run_until(trial, "2026-01-03", lambda: server.execute("trial", others))
    assert_kept_and_completed(trial, failed, lambda: None)


def test_a_query_that_fails_in_the_third_window(trial: Trial, server: Postgres) -> None:
    section = trial.section
    trial.settings(section.replace("price, sold_at", "price + 0 / (sale_id - 4) as price, sold_at", 1))
    failed = trial.run(now=NOW)
    assert "division by zero" in str(*failed.failures.values())
    assert_kept_and_completed(trial, failed, lambda: trial.settings(section))


def test_a_failed_source_stops_what_reads_it_and_says_so(trial: Trial, server: Postgres) -> None:
    trial.settings(trial.section.replace("price, sold_at", "price / 0 as price, sold_at", 1))
    ended = trial.command("run")
    assert ended.status == 1
    assert "division by zero" in ended.errors
    assert trial.batches() == []


@pytest.mark.parametrize("where", ["127.0.0.1:1", "no-such-host.invalid"])
def test_a_server_that_is_not_there_is_told_without_the_password(trial: Trial, where: str) -> None:
    trial.connections = (
        f'[connections.shop]\nurl = "postgresql://clerk:s3cret-word@{where}/shop?connect_timeout=2"'
    )
    trial.settings(f'connection = "shop"\nquery = "{WINDOWED}"\nstart = 2026-01-01')
    ended = trial.command("run")
    assert ended.status == 1
    assert "SourceUnavailable: source sale, connection shop" in ended.errors
    assert "see that the database is up" in ended.errors
    assert "s3cret" not in ended.errors + ended.output
    assert "s3cret" not in trial.command("query", "select * from operations.run", "-f", "json").output


def test_a_wrong_password_is_told_without_it(trial: Trial, server: Postgres) -> None:
    rules = server.folder / "pg_hba.conf"
    before = rules.read_text()
    server.execute("trial", "create role clerk login password 'right'")
    rules.write_text(f"local all clerk scram-sha-256\n{before}")
    server.execute("trial", "select pg_reload_conf()")
    try:
        url = server.url("trial").replace("postgres:@", "clerk:s3cret-word@")
        trial.connections = f'[connections.shop]\nurl = "{url}"'
        ended = trial.settings().command("run")
    finally:
        rules.write_text(before)
        server.execute("trial", "select pg_reload_conf()", "drop role clerk")
    assert ended.status == 1
    assert "password authentication failed" in ended.errors
    assert "s3cret" not in ended.errors + ended.output


def test_types_of_a_server_keep_their_values(trial: Trial, server: Postgres) -> None:
    server.execute(
        "trial", "insert into sale values (9, 'a\u00e9\u6f22 \"\n', 123456.78, '2026-01-03 23:30:00-05')"
    )
    trial.run_well(now=utc("2026-01-05"))
    assert trial.formatted("item, cast(price as varchar), sold_at", "sale_id desc")[0] == (
        'aé漢 "\n',
        "123456.78",
        utc("2026-01-04T04:30:00"),
    )
