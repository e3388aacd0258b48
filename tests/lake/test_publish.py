"""What a commit makes true: files, columns and the receipt together, or nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import pytest

from backbone.dataset import BatchCount, Receipt
from backbone.lake.publish import Staged, publish
from backbone.lake.table import Lake

NAME = "exploitation.trial"
RECEIPT = Receipt("run-1", "build", NAME, "f" * 32)


class Desk:
    """Stages and publishes tables in a lake of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lake = Lake(folder / "project")
        self.staged = 0

    def stage(self, table: pa.Table) -> Staged:
        self.staged += 1
        folder = self.folder / "staged" / str(self.staged)
        folder.mkdir(parents=True)
        if "window_date" not in table.column_names:
            path = folder / "part.parquet"
            pq.write_table(table, path)
            return Staged((path,) if table.num_rows else (), table.num_rows, table.schema)
        files = []
        for day in sorted(set(table["window_date"].to_pylist())):
            rows = table.filter(pa.compute.equal(table["window_date"], day)).drop_columns(["window_date"])
            path = folder / f"window_date={day}" / "part.parquet"
            path.parent.mkdir()
            pq.write_table(rows, path)
            files.append(path)
        return Staged(tuple(files), table.num_rows, table.schema, partitioned=True)

    def publish(
        self,
        table: pa.Table,
        remove: Iterable[str] | None = None,
        transaction: str | tuple[str, int] | None = None,
        receipt: Receipt = RECEIPT,
    ) -> int:
        staged = self.stage(table)
        transaction = transaction or f"t{self.staged}"
        return publish(self.lake, NAME, staged, receipt, transaction=transaction, remove=remove)

    def rows(self, version: int | None = None) -> list[tuple[object, ...]]:
        table = self.lake.open(NAME, version).to_pyarrow_table()
        return sorted((tuple(row.values()) for row in table.to_pylist()), key=repr)

    def columns(self) -> tuple[tuple[str, str], ...]:
        return self.lake.read(NAME).columns


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def numbers(*values: int) -> pa.Table:
    return pa.table({"n": pa.array(values, pa.int64())})


def days(*values: tuple[int, int]) -> pa.Table:
    return pa.table(
        {
            "n": pa.array([n for _, n in values], pa.int64()),
            "window_date": pa.array([date(2026, 1, day) for day, _ in values], pa.date32()),
        }
    )


def test_the_first_commit_makes_the_table(desk: Desk) -> None:
    assert not desk.lake.exists(NAME)
    assert desk.lake.version(NAME) == -1
    assert desk.lake.datasets() == []
    assert desk.publish(numbers(1, 2)) == 0
    assert desk.rows() == [(1,), (2,)]
    assert desk.lake.datasets() == [NAME]
    assert desk.columns() == (("n", "long"),)


def test_adding_removing_and_replacing_files(desk: Desk) -> None:
    desk.publish(numbers(1))
    first = desk.lake.read(NAME).files
    assert desk.publish(numbers(2), remove=()) == 1
    assert desk.rows() == [(1,), (2,)]
    assert desk.publish(numbers(3), remove=first) == 2
    assert desk.rows() == [(2,), (3,)]
    assert desk.publish(numbers(), remove=desk.lake.read(NAME).files) == 3
    assert desk.rows() == []
    assert desk.publish(numbers(4)) == 4
    assert desk.publish(numbers(5)) == 5
    assert desk.rows() == [(5,)]
    assert [desk.rows(v) for v in range(5)] == [[(1,)], [(1,), (2,)], [(2,), (3,)], [], [(4,)]]


def test_partitions(desk: Desk) -> None:
    desk.publish(days((1, 10), (2, 20)))
    table = desk.lake.read(NAME)
    assert table.partitioned
    first = [f for f in table.files if "window_date=2026-01-01" in f]
    desk.publish(days((1, 11), (3, 30)), remove=first)
    assert desk.rows() == [
        (11, date(2026, 1, 1)), (20, date(2026, 1, 2)), (30, date(2026, 1, 3)),
    ]  # fmt: skip
    pruned = desk.lake.open(NAME).to_pyarrow_table(filters=[("window_date", "=", date(2026, 1, 3))])
    assert pruned["n"].to_pylist() == [30]


AT = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
LONG = "z" * 500


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        (pa.int64(), -5, 2**62),
        (pa.float64(), -1.5, 1e300),
        (pa.float64(), 1.0, float("inf")),
        (pa.bool_(), False, True),
        (pa.string(), "a", "ü"),
        (pa.string(), f"{LONG}a", f"{LONG}b"),
        (pa.string(), "", "\U0010ffff" * 40),
        (pa.binary(), b"a", b"b"),
        (pa.date32(), date(1905, 1, 1), date(2026, 1, 1)),
        (pa.timestamp("us", "UTC"), AT, AT + timedelta(microseconds=1)),
        (pa.decimal128(12, 3), Decimal("-0.001"), Decimal("123456789.123")),
        (pa.decimal128(38, 3), Decimal("1.000"), Decimal("99999999999999999999999999999999999.123")),
    ],
    ids=lambda value: str(value)[:20],
)
def test_statistics_never_hide_a_row(desk: Desk, kind: pa.DataType, low: object, high: object) -> None:
    values = pa.array([low, None, high], kind)
    desk.publish(pa.table({"n": [1, 2, 3], "value": values, "nothing": pa.nulls(3, pa.string())}))
    desk.publish(pa.table({"n": [4, 5, 6], "value": values, "nothing": pa.array(["x"] * 3)}), remove=())
    desk.publish(pa.table({"n": [7], "value": pa.nulls(1, kind), "nothing": pa.array(["x"])}), remove=())
    table = desk.lake.open(NAME)
    for value in (low, high):
        found = table.to_pyarrow_dataset().to_table(
            filter=pa.compute.field("value") == pa.scalar(value, kind)
        )
        assert found.num_rows == 2, value
    assert table.to_pyarrow_table(filters=pa.compute.field("value").is_null()).num_rows == 3
    assert table.to_pyarrow_table(filters=pa.compute.field("nothing").is_null()).num_rows == 3
    assert table.to_pyarrow_table(filters=[("n", ">", 4)]).num_rows == 3


@pytest.mark.parametrize(
    ("kind", "ends"),
    [
        (pa.timestamp("us", "UTC"), (2**63 - 1, 1 - 2**63)),
        (pa.timestamp("us", "UTC"), (253402300800000000, -62135596800000001)),
        (pa.date32(), (2**31 - 1, 1 - 2**31)),
    ],
    ids=["infinite instants", "instants of the years 10000 and 0", "infinite dates"],
)
@pytest.mark.parametrize("partitioned", [False, True])
def test_values_that_python_cannot_count_to_are_published(
    desk: Desk, kind: pa.DataType, ends: tuple[int, int], partitioned: bool
) -> None:
    integer = pa.int32() if pa.types.is_date32(kind) else pa.int64()
    rows = pa.table({"n": [1, 2, 3], "value": pa.array([*ends, None], integer).cast(kind)})
    desk.publish(numbers(0))
    if partitioned:
        rows = rows.append_column("window_date", pa.array([date(2026, 1, 1)] * 3))
    desk.publish(rows)
    found = desk.lake.open(NAME)
    assert desk.lake.read(NAME).partitioned is partitioned
    assert sorted(found.to_pyarrow_table()["n"].to_pylist()) == [1, 2, 3]
    for n in (1, 2, 3):
        assert found.to_pyarrow_dataset().to_table(filter=pa.compute.field("n") == n).num_rows == 1
    table = found.to_pyarrow_table().sort_by("n")
    assert table["value"].cast(integer).to_pylist() == [*ends, None]


def test_statistics_let_readers_skip_files(desk: Desk) -> None:
    at = pa.array([AT, AT], pa.timestamp("us", "UTC"))
    desk.publish(pa.table({"n": [1, 2], "at": at, "text": ["a", None], "d": [1.5, 2.5]}))
    desk.publish(pa.table({"n": [8, 9], "at": at, "text": ["b", "c"], "d": [1.5, 2.5]}), remove=())
    dataset = desk.lake.open(NAME).to_pyarrow_dataset()
    field = pa.compute.field
    for condition in (field("n") > 5, field("text") == "b"):
        assert len(list(dataset.get_fragments(filter=condition))) == 1
    assert len(list(dataset.get_fragments(filter=field("at") > pa.scalar(AT)))) == 0


def test_other_columns_come_with_the_whole_table(desk: Desk) -> None:
    desk.publish(numbers(1))
    desk.publish(pa.table({"n": ["one"], "more": [1.5]}))
    assert desk.columns() == (("n", "string"), ("more", "double"))
    assert desk.rows() == [("one", 1.5)]
    assert desk.rows(0) == [(1,)]


@pytest.mark.parametrize("rows", [0, 2])
def test_partitions_come_and_go_with_the_whole_table(desk: Desk, rows: int) -> None:
    some = [(1, 10), (2, 20)][:rows]
    desk.publish(numbers(1))
    desk.publish(days(*some), receipt=replace(RECEIPT, run_id="partitioned"))
    assert desk.lake.read(NAME).partitioned
    assert desk.columns() == (("n", "long"), ("window_date", "date"))
    assert [row[0] for row in desk.rows()] == [n for _, n in some]
    assert [r.run_id for *_, r in desk.lake.receipts(NAME)] == ["run-1", "partitioned"]
    desk.publish(numbers(*(n for _, n in some)), transaction="back")
    assert not desk.lake.read(NAME).partitioned
    assert [row[0] for row in desk.rows()] == [n for _, n in some]
    assert desk.publish(numbers(9), transaction="back") == 2


def test_a_publish_that_has_happened_is_not_repeated(desk: Desk) -> None:
    assert desk.publish(numbers(1), transaction="a") == 0
    assert desk.publish(numbers(1), remove=(), transaction="a") == 0
    assert desk.publish(numbers(2), remove=(), transaction="b") == 1
    assert desk.publish(numbers(3), transaction="a") == 1
    assert desk.rows() == [(1,), (2,)]


def test_of_a_numbered_publish_only_the_last_is_remembered(desk: Desk) -> None:
    for number in range(3):
        assert desk.publish(numbers(number), remove=(), transaction=("a", number + 1)) == number
    assert desk.publish(numbers(9), remove=(), transaction=("a", 3)) == 2
    assert desk.publish(numbers(9), remove=(), transaction=("a", 1)) == 2
    assert desk.publish(numbers(3), remove=(), transaction=("b", 1)) == 3
    assert desk.rows() == [(0,), (1,), (2,), (3,)]


def test_receipts_are_read_back_as_they_were_written(desk: Desk) -> None:
    receipt = replace(
        RECEIPT,
        inputs={"formatted.a": 3},
        windows=((10, 34), (34, 58)),
        touched=None,
        every="day",
        batches={"b1": BatchCount(4, 2, 1, 1)},
        removed_batches=("b0",),
        measures={"sum": "1.5"},
        notes=("ignored column ü",),
    )
    desk.publish(numbers(1), receipt=receipt)
    [(version, committed_at, found)] = desk.lake.receipts(NAME)
    assert (version, found) == (0, receipt)
    assert abs(datetime.now(UTC) - committed_at) < timedelta(minutes=1)


def test_receipts_outlive_compaction_checkpoints_and_vacuum(desk: Desk) -> None:
    for n in range(120):  # a checkpoint is written every 50 commits
        desk.publish(numbers(n), remove=() if n else None, receipt=replace(RECEIPT, run_id=str(n)))
    table = desk.lake.open(NAME)
    table.optimize.compact()
    table.cleanup_metadata()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert [r.run_id for *_, r in desk.lake.receipts(NAME)] == [str(n) for n in range(120)]
    assert [r.run_id for *_, r in desk.lake.receipts(NAME, 117)] == ["118", "119"]
    assert list(desk.lake.receipts(NAME, desk.lake.version(NAME))) == []
    assert len(desk.lake.read(NAME).files) == 1
    assert len(desk.rows()) == 120
    assert desk.publish(numbers(200), remove=(), transaction="t3") == desk.lake.version(NAME)  # known still
    assert len(desk.rows()) == 120


def test_an_empty_table_has_columns(desk: Desk) -> None:
    desk.publish(numbers())
    table = desk.lake.read(NAME)
    assert (table.files, table.columns) == ((), (("n", "long"),))
    assert desk.rows() == []


def test_what_no_version_refers_to_is_not_seen(desk: Desk) -> None:
    desk.publish(numbers(1))
    orphan = desk.lake.path(NAME) / "0123456789abcdef.parquet"
    pq.write_table(numbers(99), orphan)
    (desk.lake.path(NAME) / "_delta_log" / "_commit_1.json.tmp").write_text("{")
    assert desk.rows() == [(1,)]
    desk.publish(numbers(2), remove=())
    assert desk.rows() == [(1,), (2,)]


def test_the_version_is_the_newest_whoever_made_it(desk: Desk) -> None:
    assert desk.lake.version(NAME) == -1
    assert desk.publish(numbers(1)) == desk.lake.version(NAME) == 0
    other = Desk(desk.folder)
    other.staged = 10
    assert [other.publish(numbers(n)) for n in (2, 3)] == [1, 2]
    assert desk.lake.version(NAME) == 2
    assert desk.publish(numbers(4), remove=[]) == 3
    assert desk.rows() == [(3,), (4,)]
    shutil.rmtree(desk.lake.path(NAME))
    assert desk.lake.version(NAME) == -1
    assert other.publish(numbers(5)) == 0
    assert desk.lake.version(NAME) == 0
    assert desk.rows() == [(5,)]


def test_a_log_without_a_commit_is_no_table(desk: Desk) -> None:
    """A process that dies while it makes a table leaves the log's folder, which may be empty."""
    (desk.lake.path(NAME) / "_delta_log").mkdir(parents=True)
    assert not desk.lake.exists(NAME)
    assert desk.lake.datasets() == []
    assert desk.lake.version(NAME) == -1
    assert desk.publish(numbers(1)) == 0
    assert desk.rows() == [(1,)]


def test_as_of_gives_what_readers_saw(desk: Desk) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    desk.publish(numbers(1))
    [(_, first, _)] = desk.lake.receipts(NAME)
    assert desk.lake.as_of(NAME, before) is None
    found = desk.lake.as_of(NAME, first)
    assert found is not None
    assert found.version == 0


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "ünï",
        pytest.param("a%20b", marks=pytest.mark.xfail(reason="delta-rs takes the path for an address")),
        "a'b",
        "a#b",
        "a&b=c",
        "a[1]*",
    ],
)
def test_the_project_may_lie_anywhere(tmp_path: Path, name: str) -> None:
    desk = Desk(tmp_path / name)
    desk.publish(days((1, 10), (2, 20)))
    table = desk.lake.read(NAME)
    assert all(Path(f.removeprefix("file://")).is_file() for f in table.files), table.files
    desk.publish(days((1, 11)), remove=[f for f in table.files if "01-01" in f])
    assert [row[0] for row in desk.rows()] == [11, 20]


def test_a_project_can_be_moved(desk: Desk, tmp_path: Path) -> None:
    desk.publish(numbers(1))
    shutil.move(desk.lake.project, tmp_path / "elsewhere")
    desk.lake = Lake(tmp_path / "elsewhere")
    desk.publish(numbers(2), remove=())
    assert desk.rows() == [(1,), (2,)]
