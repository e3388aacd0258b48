"""Whatever goes wrong with one file is a refusal of that file; what concerns the run ends it."""

from __future__ import annotations

import errno
import gzip
import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.dataset import Batch
from backbone.error_log import LOG
from backbone.errors import EngineFailed, OutOfMemory
from backbone.formatted import file_group, parse, staging
from backbone.formatted.csv import group as csv_group
from backbone.formatted.file_group import FileGroup
from backbone.formatted.staging import Staging
from conftest import HEADER, KEYED_SALE, ONE, SALE, THREE, TWO, Trial
from projects import TinyProject

# Two good records, one that breaks the contract, and a line that is no record.
MIXED = HEADER + ONE + TWO.replace("3.25", "-1") + "4,tea\n" + THREE
CALLS = ("load", "load_files", "create", "insert", "take", "fetch", "write", "drop")


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException, name: str = "bad.csv") -> None:
    """From now on, to parse the file of this name raises an error."""

    def raises(database: Any, table: str, file: parse.LandedFile, *rest: Any) -> Any:
        if file.name == name:
            raise error
        return parse.parse(database, table, file, *rest)

    def of_group(path: Path, batch: Batch, *rest: Any) -> Any:
        if batch.name == name:
            raise error
        return member(path, batch, *rest)

    member = csv_group.open_member
    monkeypatch.setattr("backbone.formatted.staging.parse", raises)
    monkeypatch.setattr("backbone.formatted.csv.group.open_member", of_group)


class Fault:
    """Lets the n-th call of the database fail while a file is staged, before it does its work or after."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, trial: Trial, name: str) -> None:
        self.left, self.after, self.active, self.name = 0, False, False, name
        with trial.open().database("question") as database:
            kind = type(database)
        for call in CALLS:
            monkeypatch.setattr(kind, call, self._watched(getattr(kind, call)))
        add = Staging._add

        def watched(this: Staging, batch: Batch, where: str) -> None:
            self.active = batch.name == self.name
            try:
                add(this, batch, where)
            finally:
                self.active = False

        monkeypatch.setattr(Staging, "_add", watched)
        add_group = Staging._add_group

        def watched_group(this: Staging, group: FileGroup) -> None:
            self.active = self.name in {member.batch.name for member in group.members}
            try:
                add_group(this, group)
            finally:
                self.active = False

        monkeypatch.setattr(Staging, "_add_group", watched_group)

    def _watched(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            is_last = False
            if self.active:
                self.left -= 1
                is_last = self.left == 0
            if is_last and not self.after:
                raise ValueError("a fault before")
            try:
                return original(*arguments, **options)
            finally:
                if is_last:
                    raise ValueError("a fault after")

        return call


@pytest.mark.parametrize(
    ("contract", "large"),
    [(SALE, 500_000), (SALE, 2), (KEYED_SALE, 500_000)],
    ids=["small files", "large files", "with a key"],
)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.long)])
def test_a_file_that_fails_at_any_step_leaves_no_row(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, contract: str, large: int, after: bool, every: int
) -> None:
    trial.contract(contract)
    monkeypatch.setattr(staging, "LARGE", large)
    monkeypatch.setattr(file_group, "MOST_FILES", 1)
    fault = Fault(monkeypatch, trial, "bad.csv")
    fault.after = after
    trial.drop(MIXED, "bad.csv")
    for step in range(1, 100, every):
        trial.drop(f"{HEADER}{10 * step},a,1,2026-01-05\nx,,,\n", "a.csv")
        trial.drop(f"{HEADER}{10 * step + 1},z,1,2026-01-05\nx,,,\n", "z.csv")
        fault.left = step
        result = trial.run()
        if result.ok:
            break
        (error,) = result.failures.values()
        assert "bad.csv" in error.where
        assert "a fault" in error.problem
        assert trial.formatted() == [10 * step, 10 * step + 1], f"step {step}"
        assert trial.accounted() == (4, 2, 2, 0)
    assert step > 10
    assert trial.formatted() == [1, 3, 10 * step, 10 * step + 1]
    assert trial.accounted() == (8, 4, 4, 0)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.long)])
def test_a_group_that_fails_at_any_step_is_read_in_parts(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, after: bool, every: int
) -> None:
    fault = Fault(monkeypatch, trial, "")
    fault.after = after
    good, bad = list[int](), 0
    for step in range(1, 100, every):
        fault.name, fault.left = f"bad{step}.csv", step
        ids = [4 * step + n for n in range(4)]
        trial.drop(f"{HEADER}{ids[0]},a,1,2026-01-05\nx,,,\n", f"a{step}.csv")
        trial.drop(f"{HEADER}{ids[1]},z,1,2026-01-05\nx,y\n{ids[2]},z,1,2026-01-05\n", fault.name)
        trial.drop(f"{HEADER}{ids[3]},z,1,2026-01-05\nx,,,\n", f"z{step}.csv")
        trial.run_well()
        good, bad = [*good, *ids], bad + 3
        assert trial.formatted() == good, f"step {step}"
        assert trial.accounted() == (len(good) + bad, len(good), bad, 0)
        if fault.left > 0:
            break
    assert step > 10
    assert fault.left > 0


@pytest.mark.parametrize(
    "error",
    [
        ValueError("year 0 is out of range"),
        AssertionError(),
        RecursionError("maximum recursion depth exceeded"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        pa.ArrowInvalid("offset overflow"),
        RuntimeError("odd"),
        OSError(errno.EACCES, "Permission denied"),
        EngineFailed("engine", "IO Error: Could not read enough bytes from file"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_any_error_of_one_file_is_its_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    project = TinyProject(tmp_path)
    project.sales("bad.csv", (1, "x", 5, "2026-02-01T10:00:00"))
    project.sales("good.csv", (2, "x", 5, "2026-02-01T10:00:00"))
    project.visits("good.csv", ("x", 5, "2026-02-01T10:00:00"))
    failing(monkeypatch, error)
    result = project.run()
    (name,) = result.failures
    assert name.startswith("formatted.sale ")
    text = str(result.failures[name])
    assert "bad.csv" in text
    assert "Nothing of it is formatted" in text
    assert "Next: " in text
    assert project.rows("select sale_id from formatted.sale") == [(2,)]
    assert project.rows("select count(*) from formatted.visit") == [(1,)]
    foreseen = isinstance(error, OSError | EngineFailed)
    assert (tmp_path / LOG).exists() != foreseen
    if not foreseen:
        assert type(error).__name__ in (tmp_path / LOG).read_text()
    monkeypatch.undo()
    assert project.run().ok
    assert project.rows("select count(*) from formatted.sale") == [(2,)]


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (KeyboardInterrupt(), 130, "Interrupted"),
        (MemoryError(), 1, "the memory is used up"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left on device"),
        (EngineFailed("engine", "IO Error: No space left on device", "", "free disk space"), 1, "No space"),
        (
            OutOfMemory("engine", "failed to pin block of size 256.0 KiB", "", "raise it"),
            1,
            "the engine's memory is used up: failed to pin",
        ),
    ],
    ids=["interrupt", "memory", "disk", "engine's disk", "engine's memory"],
)
def test_what_is_no_fault_of_a_file_ends_the_run(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, told: str
) -> None:
    trial.drop(HEADER + ONE, "a.csv")
    trial.run_well()
    before = trial.versions()
    trial.drop(HEADER + TWO, "b.csv")
    trial.drop(HEADER + THREE, "bad.csv")
    failing(monkeypatch, error)
    ended = trial.command("run")
    assert ended.status == status
    assert told in ended.errors
    assert "Traceback" not in ended.errors
    if status == 1:
        assert f": formatted.sale, batch {trial.batches()[-1].batch} (bad.csv): " in ended.errors
        assert "what was published before stays" in ended.errors
        assert "and run again" in ended.errors
    assert trial.formatted() == [1]
    assert {n: v for n, v in trial.versions().items() if n != "landing.batch"} == {
        n: v for n, v in before.items() if n != "landing.batch"
    }
    monkeypatch.undo()
    trial.run_well()
    assert trial.formatted() == [1, 2, 3]


@pytest.mark.parametrize("files", [1, 2])
def test_memory_that_a_file_uses_up_ends_the_run_with_its_name(trial: Trial, files: int) -> None:
    """A file alone, and two that share a statement."""
    trial.drop(HEADER + ONE, "a.csv")
    trial.run_well()
    for number in range(files):
        rows = "".join(f"{n},{'x' * 200}{n},2.50,2026-01-01\n" for n in range(16_000))
        trial.drop(HEADER + rows, f"big{number}.csv")
    plain = (trial.root / "backbone.toml").read_text()
    (trial.root / "backbone.toml").write_text(plain.replace("[engine]", '[engine]\nmemory_limit = "8MB"'))
    ended = trial.command("run")
    assert ended.status == 1
    batch = trial.batches()[-1]
    file = f"batch {batch.batch} (big0.csv)" if files == 1 else "2 files (big0.csv to big1.csv)"
    assert f"OutOfMemory: formatted.sale, {file}: the engine's memory is used up: " in ended.errors
    assert (
        "The run has ended, and nothing of it is formatted; what was published before stays." in ended.errors
    )
    assert (
        "Next: raise [engine] memory_limit in backbone.toml, or have it delivered in smaller" in ended.errors
    )
    assert "Possible solutions" not in ended.errors, "DuckDB's settings are not Backbone's"
    assert trial.formatted() == [1]
    (trial.root / "backbone.toml").write_text(plain)
    trial.run_well()
    assert trial.accounted() == (1 + 16_000 * files, 1 + 16_000 * files, 0, 0)


def test_an_error_while_a_source_is_published_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = TinyProject(tmp_path)
    project.sales("a.csv", (1, "x", 5, "2026-02-01T10:00:00"))
    project.visits("a.csv", ("x", 5, "2026-02-01T10:00:00"))

    def raises(*arguments: Any, **options: Any) -> Any:
        raise KeyError("odd")

    monkeypatch.setattr("backbone.formatted.format.rank_duplicates", raises)
    result = project.run()
    assert {*result.failures} == {"formatted.sale"}
    assert "KeyError" in str(result.failures["formatted.sale"])
    assert project.rows("select count(*) from formatted.visit") == [(1,)]
    monkeypatch.undo()
    assert project.run().ok


def test_a_fault_in_one_of_many_windows_is_that_windows(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(trial.root / "shop.db")) as shop, shop:
        shop.execute("create table sale (sale_id integer, item text, price text, sold_at text)")
        days = [(n, f"2026-01-0{n} 08:00:00") for n in (1, 2, 3)]
        shop.executemany("insert into sale values (?, 'tea', '1', ?)", days)
    trial.connections = '[connections.shop]\nurl = "sqlite:///shop.db"\n'
    query = "select * from sale where sold_at >= $window_start and sold_at < $window_end"
    trial.settings(f'connection = "shop"\nquery = "{query}"\nstart = 2026-01-01\nend = 2026-01-04\n')

    def raises(*arguments: Any, **options: Any) -> Any:
        raise ValueError("in a group")

    monkeypatch.setattr("backbone.formatted.quarantine.quarantine_group", raises)
    trial.command("land")
    second = sorted(b.name for b in trial.batches())[1]
    failing(monkeypatch, ValueError("of its own"), second)
    result = trial.run()
    (error,) = result.failures.values()
    assert second in error.where
    assert trial.formatted() == [1, 3]
    assert trial.accounted() == (2, 2, 0, 0)


def test_a_header_with_an_unnamed_column_stops_no_other_file(trial: Trial) -> None:
    trial.drop(",sale_id,item,price,sold_at\n0,7,tea,2.50,2026-01-01\n", "pandas.csv")
    trial.drop(HEADER + ONE, "good.csv")
    trial.command("run")
    assert 1 in trial.formatted()


@pytest.mark.parametrize("seed", range(2))
def test_damaged_files_are_refused_each_by_itself(trial: Trial, seed: int) -> None:
    draw = random.Random(seed)
    sink = io.BytesIO()
    rows = 300
    pq.write_table(
        pa.table(
            {
                "sale_id": [*range(rows)],
                "item": [f"thing {n * 7919}" for n in range(rows)],
                "price": ["1.00"] * rows,
                "sold_at": ["2026-01-01"] * rows,
            }
        ),
        sink,
        use_dictionary=False,
    )
    whole = sink.getvalue()
    packed = gzip.compress((HEADER + ONE * 50).encode())
    for number in range(12):
        for name, data in ((f"{number}.parquet", bytearray(whole)), (f"{number}.csv.gz", bytearray(packed))):
            for _ in range(draw.choice([1, 3, 20])):
                data[draw.randrange(len(data))] = draw.randrange(256)
            trial.drop(bytes(data[: draw.choice([len(data), draw.randrange(8, len(data))])]), name)
    trial.drop(HEADER + THREE, "good.csv")
    ended = trial.command("run")
    assert ended.status == 1
    assert "Traceback" not in ended.errors
    assert trial.value("select count(*) from formatted.sale where item = 'tea' and sale_id = 3") >= 1
    assert trial.account().files == 25
