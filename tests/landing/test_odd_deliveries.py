"""Deliveries that no plan foresees: odd names, odd places, odd times, and numbers with many digits."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from conftest import HEADER, SALE, Trial

ROW = "1,tea,2.50,2026-01-01 08:00:00\n"


@pytest.mark.parametrize("at", ["9999-12-31 00:00:00", "9999-12-31 23:30:00", "0001-01-01 00:00:00"])
def test_a_time_at_the_end_of_the_calendar_is_quarantined(trial: Trial, at: str) -> None:
    trial.drop(HEADER + ROW + f"2,cake,1.00,{at}\n")
    trial.run_well()
    assert trial.formatted() == [1]
    [(line, _, [reason])] = trial.quarantined()
    assert line == 3
    assert "an event time from the year 1000 to 8999" in reason
    assert trial.command("status").status == 0


def test_a_name_that_is_not_utf8_stays_and_the_others_land(trial: Trial) -> None:
    trial.drop(HEADER + ROW, "good.csv")
    bad = os.fsencode(trial.temporal) + b"/K\xe4ufe.csv"
    Path(os.fsdecode(bad)).write_text(HEADER + ROW)
    result = trial.run()
    [error] = result.failures.values()
    assert "K\\xe4ufe.csv" in str(error)
    assert "rename" in str(error)
    assert [b.name for b in trial.batches()] == ["good.csv"]
    assert Path(os.fsdecode(bad)).exists()
    assert trial.command("run").status == 1
    Path(os.fsdecode(bad)).rename(trial.temporal / "kaeufe.csv")
    trial.run_well()
    assert trial.formatted() == [1, 1]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells which files are open")
def test_a_file_that_somebody_holds_open_is_left_until_it_is_closed(trial: Trial) -> None:
    target = trial.drop(HEADER, "slow.csv")
    script = (
        "import sys\nwith open(sys.argv[1], 'a') as f:\n"
        "    print('open', flush=True)\n    sys.stdin.readline()\n    f.write(sys.argv[2])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(target), ROW],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        writer.stdout.readline()
        assert trial.run_well().waiting == [target]
        assert trial.batches() == []
        writer.stdin.write("\n")
        writer.stdin.flush()
        writer.wait()
    os.utime(target, (time.time() - 60, time.time() - 60))
    trial.run_well()
    assert trial.formatted() == [1]


def test_a_drop_folder_on_another_file_system_never_lands_half_a_file(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rename is refused there; what is copied has its name only when it is whole."""
    dropped = trial.drop(HEADER + ROW)
    rename = Path.rename

    def between_systems(self: Path, target: Path) -> Path:
        if self == dropped:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        assert not self.name.endswith(".part") or self.read_text() == HEADER + ROW
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", between_systems)
    trial.run_well()
    assert not dropped.exists()
    assert trial.formatted() == [1]
    assert [p.name for p in trial.persistent.rglob("*.*") if p.is_file()] == ["sales.csv"]


def test_a_path_that_names_one_file_which_never_came_is_an_error(trial: Trial) -> None:
    trial.settings('path = "in/sales.csv"')
    (trial.root / "in").mkdir()
    [error] = trial.run().failures.values()
    assert "expected the file in/sales.csv, found none" in str(error)
    trial.write(trial.root / "in" / "sales.csv", HEADER + ROW)
    trial.run_well()
    (trial.root / "in" / "sales.csv").unlink()
    trial.run_well()
    assert trial.formatted() == [1]


def test_a_path_may_be_a_folder(trial: Trial) -> None:
    trial.settings('path = "in"')
    trial.write(trial.root / "in" / "sales.csv", HEADER + ROW)
    trial.run_well()
    assert trial.formatted() == [1]


def test_a_projects_folder_may_look_like_a_pattern(tmp_path: Path) -> None:
    root = tmp_path / "p[1]*"
    root.mkdir()
    trial = Trial(root).contract().settings('path = "in/*.csv"')
    trial.write(root / "in" / "sales.csv", HEADER + ROW)
    trial.run_well()
    assert trial.formatted() == [1]
    assert [b.name for b in trial.batches()] == ["sales.csv"]


NUMBERS = '''
class Number(Contract):
    """A number with its name."""

    name: str
    number: Annotated[Decimal, Field(max_digits=38, decimal_places=10)]
    sold_at: datetime
'''


def test_json_numbers_keep_their_digits(trial: Trial) -> None:
    trial.contract(NUMBERS)
    trial.drop(
        '{"name": "long", "number": 12345678901234567.1234567891, "sold_at": "2026-01-01"}\n'
        '{"number" : 123456789012345678901234, "name": 12345678901234567.125, "sold_at": "2026-01-01"}\n'
        '{"name": "short", "number": 0.1, "sold_at": "2026-01-01"}\n'
        '{"name": "nested", "n": {"number": 1.2345678901234567}, "number": "12345678901234567.5", '
        '"sold_at": "2026-01-01"}\n',
        "numbers.jsonl",
    )
    trial.run_well()
    assert trial.rows(f"select name, number::varchar from {trial.table()} order by name") == [
        ("12345678901234567.125", "123456789012345678901234.0000000000"),
        ("long", "12345678901234567.1234567891"),
        ("nested", "12345678901234567.5000000000"),
        ("short", "0.1000000000"),
    ]


def test_numbers_in_a_sqlite_column_of_mixed_types_keep_their_digits(trial: Trial) -> None:
    trial.contract(NUMBERS)
    with closing(sqlite3.connect(trial.root / "n.db")) as connection:
        connection.execute("create table n (name text, number, sold_at text)")
        rows = [("a", 1234567.89), ("b", 0.123456789), ("c", "7"), ("d", 9007199254740993), ("e", 1.1)]
        connection.executemany("insert into n values (?, ?, '2026-01-01 08:00:00')", rows)
        connection.commit()
    trial.connections = '[connections.n]\nurl = "sqlite:///n.db"'
    trial.settings('connection = "n"\nquery = "select * from n order by name"')
    trial.run_well()
    assert [row[0] for row in trial.rows(f"select number::varchar from {trial.table()} order by name")] == [
        "1234567.8900000000",
        "0.1234567890",
        "7.0000000000",
        "9007199254740993.0000000000",
        "1.1000000000",
    ]


def test_a_connection_without_a_scheme_keeps_its_password_to_itself(trial: Trial) -> None:
    trial.connections = '[connections.n]\nurl = "postgresql//joe:s3cret@127.0.0.1/x"'
    trial.settings('connection = "n"\nquery = "select 1"')
    [error] = trial.run().failures.values()
    assert "s3cret" not in str(error)
    assert "sqlite:///" in str(error)


@pytest.mark.parametrize(
    "sql", ["select 1; copy (select 42) to 'made.csv'", "copy (select 42) to 'made.csv'", "drop table x", ""]
)
def test_a_query_is_one_select_and_does_nothing_else(
    trial: Trial, sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trial.root)
    ended = trial.command("query", sql)
    assert ended.status == 2
    assert not (trial.root / "made.csv").exists()


NAMES = [
    "".join(chr(number) for number in range(1, 128) if chr(number) not in "/."),
    "50%41 off", "a\\b", "a\nb", "[ab]*?{c}",
    "'quoted' \"twice\"", "#1", "-rf", "~", "Käse 日本 e\u0301 \u2028",
    "window_date=2026-01-01", "s3:", "null",
]  # fmt: skip


@pytest.mark.parametrize("way", ["dropped", "path"])
def test_a_delivery_may_have_any_name(trial: Trial, way: str) -> None:
    """In every format; the longest names there are too, and the folder above it may have such a name."""
    import gzip
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    if way == "path":
        trial.settings('path = "in/**/*"')
    folder = trial.temporal if way == "dropped" else trial.root / "in"
    names = [*NAMES, "x" * 245, "ü" * 122, *(f"{name}/inner" for name in NAMES[1:3])]
    for number, name in enumerate(names):
        values = {"item": "tea", "price": "2.50", "sold_at": "2026-01-01 08:00:00"}
        ids = [number * 10 + kind for kind in range(4)]
        rows = [{"sale_id": one, **values} for one in ids]
        lines = [HEADER + ",".join(map(str, row.values())) + "\n" for row in rows]
        trial.write(folder / f"{name}.csv", lines[0])
        trial.write(folder / f"{name}.csv.gz", gzip.compress(lines[1].encode()))
        trial.write(folder / f"{name}.jsonl", json.dumps(rows[2]))
        path = trial.write(folder / f"{name}.parquet", b"")
        pq.write_table(pa.Table.from_pylist(rows[3:]), path)
        os.utime(path, (trial.started - 60, trial.started - 60))
    expected = [number * 10 + kind for number in range(len(names)) for kind in range(4)]
    trial.run_well()
    assert trial.formatted() == expected
    assert {b.name for b in trial.batches()} == {
        f"{name}.{kind}" for name in names for kind in ("csv", "csv.gz", "jsonl", "parquet")
    }
    trial.contract(SALE.replace("item: str", "item: str | None"))
    receipts = trial.run_well().receipts
    assert sum(receipt.rows_written for receipt in receipts) == len(expected), "all are formatted again"
    assert trial.formatted() == expected
    trial.account()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells which files are open")
def test_a_process_that_ends_while_it_is_looked_at_is_no_failure(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.drop(HEADER + ROW)
    gone = []
    for name in ("listdir", "scandir"):
        original = getattr(os, name)

        def look(path: Any = ".", original: Any = original) -> Any:
            if str(path).startswith("/proc/") and str(path).endswith("/fd"):
                gone.append(path)
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
            return original(path)

        monkeypatch.setattr(os, name, look)
    trial.run_well()
    assert gone
    assert trial.formatted() == [1]
