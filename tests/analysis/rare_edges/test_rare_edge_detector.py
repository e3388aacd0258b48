"""`RareEdgeDetector`: any split of the hours, any kind of data, and what it refuses."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_edges import QUICK, assert_as_reference, edge_counts, instants, shuffled
from sklearn.base import clone

from backbone.analysis.rare_edges.detector import RareEdgeDetector
from backbone.analysis.rare_edges.rule import Rule
from backbone.engines import own_engine
from backbone.engines.rows import Rows

DETECTOR = RareEdgeDetector(*QUICK, threads=2)
RETIRING = QUICK._replace(retire_hours=9)
RULES = pytest.mark.parametrize("rule", [QUICK, RETIRING], ids=["all stay", "some start anew"])
UTC_HOURS = pa.timestamp("us", "UTC")


def up_to(counts: pa.Table, hour: Any) -> pa.Table:
    return counts.filter(pc.less_equal(counts["hour"], hour))


def after(counts: pa.Table, hour: Any) -> pa.Table:
    return counts.filter(pc.greater(counts["hour"], hour))


def in_parts(detector: RareEdgeDetector, counts: pa.Table, ends: list[int]) -> tuple[pa.Table, pa.Table]:
    """The state and all alerts, where each call gets the hours up to the next end."""
    state, found = None, []
    for start, end in zip([-1, *ends], [*ends, 1 << 40], strict=True):
        state, alerts = detector.update(state, shuffled(after(up_to(counts, end), start), seed=end % 1000))
        found.append(alerts)
    return state, pa.concat_tables(found)


def test_state_and_alerts_are_those_of_the_reference() -> None:
    counts = shuffled(edge_counts())
    state, alerts = DETECTOR.update(None, counts)
    assert_as_reference(state, alerts, counts, QUICK)
    assert alerts.num_rows > 20


@RULES
def test_rows_come_in_a_fixed_order(rule: Rule) -> None:
    state, alerts = RareEdgeDetector(*rule, threads=2).update(None, shuffled(edge_counts()))
    edge = [("source", "ascending"), ("destination", "ascending")]
    assert state.equals(state.sort_by([("first_seen", "ascending"), *edge]))
    assert alerts.equals(alerts.sort_by([("hour", "ascending"), *edge]))


@RULES
def test_hour_by_hour_is_the_same_as_all_at_once(rule: Rule) -> None:
    detector = RareEdgeDetector(*rule, threads=2)
    counts = up_to(edge_counts(), 60)
    state, alerts = detector.update(None, counts)
    parts, found = in_parts(detector, counts, list(range(rule.training_hours, 60)))
    assert parts.equals(state)
    assert found.equals(alerts)
    assert alerts.num_rows > 1


@RULES
@settings(max_examples=12, deadline=None)
@given(ends=st.sets(st.integers(0, 199), min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_any_split_of_the_hours_is_the_same(rule: Rule, ends: set[int], seed: int) -> None:
    detector = RareEdgeDetector(*rule, threads=2)
    counts = edge_counts(edges=12, seed=seed)
    state, alerts = detector.update(None, counts)
    parts, found = in_parts(detector, counts, sorted(ends))
    assert parts.equals(state)
    assert found.equals(alerts)


def test_an_edge_that_starts_again_follows_those_seen_before() -> None:
    rows = [("a", "x", 0, 1), ("b", "x", 1, 1), ("a", "x", 100, 1), ("c", "x", 100, 1)]
    columns = zip(*rows, strict=True)
    counts = pa.table(dict(zip(("source", "destination", "hour", "connections"), columns, strict=True)))
    detector = RareEdgeDetector(retire_hours=24, threads=2)
    at_once, _ = detector.update(None, counts)
    parts, _ = in_parts(detector, counts, [0, 1])
    assert parts.equals(at_once)
    assert at_once["source"].to_pylist() == ["b", "a", "c"]


def test_nothing_to_take_in_changes_nothing() -> None:
    counts = edge_counts()
    state, alerts = DETECTOR.update(None, counts.slice(0, 0))
    assert (state.num_rows, alerts.num_rows) == (0, 0)
    assert state.schema.equals(DETECTOR.update(None, counts)[0].schema)
    before, found = DETECTOR.update(state, counts)
    assert (before, found) == DETECTOR.update(None, counts)
    same, alerts = DETECTOR.update(before, counts.slice(0, 0))
    assert same.equals(before)
    assert alerts.schema.equals(found.schema)


def test_changes_are_the_rows_of_the_state_that_have_counts() -> None:
    counts = edge_counts()
    before, _ = DETECTOR.update(None, up_to(counts, 120))
    now = up_to(after(counts, 120), 121)
    state, alerts = DETECTOR.update(before, now)
    changed, found = DETECTOR.changes(before, now)
    edge = ["source", "destination"]
    order = [(name, "ascending") for name in edge]
    active = now.select(edge).group_by(edge).aggregate([]).sort_by(order)
    assert 0 < changed.num_rows < state.num_rows
    assert changed.select(edge).equals(active)
    assert changed.equals(state.join(active, edge, join_type="left semi").sort_by(order))
    assert found.equals(alerts)
    few = before.filter(pc.is_in(before["source"], now["source"]))  # the others need not be there
    assert DETECTOR.changes(few, now)[0].equals(changed)


class Stream:
    """What Polars, pandas and others offer: an Arrow stream, to be read once."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.to_reader(max_chunksize=1000).__arrow_c_stream__(requested_schema)


def test_data_of_every_kind_gives_the_same(tmp_path: Path) -> None:
    counts = instants(shuffled(edge_counts()), UTC_HOURS)
    middle = counts["hour"][0].as_py()
    first, second = up_to(counts, middle), after(counts, middle)
    known, _ = DETECTOR.update(None, first)
    expected = DETECTOR.update(known, second)
    paths = {name: tmp_path / f"{name}.parquet" for name in ("known", "a", "b")}
    pq.write_table(known, paths["known"])
    pq.write_table(second.slice(0, 100), paths["a"])
    pq.write_table(second.slice(100), paths["b"])
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        relation = connection.sql(
            "select *, 'x' as other from second union all by name select *, 'y' from second limit 0"
        )
        assert DETECTOR.update(Stream(known), relation)[0].num_rows == known.num_rows
        summed = connection.sql("select source, destination, hour, sum(connections) as connections "
                                "from second group by all")  # fmt: skip
        assert DETECTOR.update(Stream(known), summed) == expected
    assert DETECTOR.update(Stream(known), Stream(second)) == expected
    assert DETECTOR.update(paths["known"], [paths["a"], str(paths["b"])]) == expected
    assert DETECTOR.update(str(paths["known"]), str(tmp_path / "[ab].parquet")) == expected
    with own_engine("1GB", 2) as engine:
        put = engine.put(second), engine.put(known)
        rows = [Rows(engine, f"select * from {one}") for one in put]
        assert DETECTOR.update(rows[1], rows[0]) == expected
        left = {row[0] for row in engine.fetch("select table_name from information_schema.tables")}
        assert left == {one.name for one in put}


@pytest.mark.parametrize(
    "kind",
    [
        pa.timestamp("s"),
        pa.timestamp("ms", "UTC"),
        pa.timestamp("us", "America/New_York"),
        pa.timestamp("ns", "Asia/Tokyo"),
        pa.timestamp("ns"),
    ],
    ids=str,
)
def test_hours_keep_their_type(kind: pa.DataType) -> None:
    numbers = edge_counts()
    shifted = numbers.set_column(2, "hour", pa.array(numbers["hour"].to_numpy() + 490_000))
    state, alerts = DETECTOR.update(None, instants(up_to(numbers, 100), kind))
    state, more = DETECTOR.update(state, instants(after(numbers, 100), kind))
    assert {state.field(name).type for name in ("first_seen", "last_seen", "maximum_at", "last_alert")} == {
        kind
    }
    assert more.schema == alerts.schema
    assert more.field("hour").type == more.field("previous_maximum_at").type == kind
    assert_as_reference(state, pa.concat_tables([alerts, more]), shifted, QUICK)


@pytest.mark.parametrize("kind", [pa.int16(), pa.uint32(), pa.int64()], ids=str)
def test_hours_may_be_numbers_of_any_size(kind: pa.DataType) -> None:
    counts = edge_counts()
    counts = counts.set_column(2, "hour", counts["hour"].cast(kind))
    state, alerts = DETECTOR.update(None, counts)
    assert state.field("first_seen").type == alerts.field("hour").type == kind
    assert_as_reference(state, alerts, counts, QUICK)


@pytest.mark.parametrize(
    "kind, stored",
    [
        (pa.int32(), pa.int32()),
        (pa.large_string(), pa.large_string()),
        (pa.string_view(), pa.string_view()),
        (pa.dictionary(pa.int8(), pa.string()), pa.string()),
        (pa.date32(), pa.date32()),
    ],
    ids=str,
)
def test_keys_keep_their_type(kind: pa.DataType, stored: pa.DataType) -> None:
    counts = edge_counts()
    number = pc.cast(pc.utf8_slice_codeunits(counts["source"], 5), pa.int32())
    source = number.cast(kind if kind in (pa.int32(), pa.date32()) else pa.string())

    def named(part: pa.Table) -> pa.Table:
        names = source.filter(pc.is_in(counts["hour"], pc.unique(part["hour"])))
        return part.set_column(0, "source", names.cast(kind))

    state, alerts = DETECTOR.update(None, named(up_to(counts, 100)))
    state, more = DETECTOR.update(state, named(after(counts, 100)))
    assert state.field("source").type == more.field("source").type == stored
    assert_as_reference(state, pa.concat_tables([alerts, more]), named(counts), QUICK)


def test_a_state_of_related_types_will_do() -> None:
    counts = instants(edge_counts(), pa.timestamp("us", "UTC"))
    middle = counts["hour"][30].as_py()
    state, _ = DETECTOR.update(None, up_to(counts, middle))
    expected = DETECTOR.update(state, after(counts, middle))
    other = pa.schema(
        [
            pa.field(f.name, pa.timestamp("ms", "Asia/Tokyo") if pa.types.is_timestamp(f.type) else f.type)
            for f in state.schema
        ]
    )
    other = other.set(0, pa.field("source", pa.large_string()))
    assert DETECTOR.update(state.cast(other), after(counts, middle)) == expected


def test_a_floor_keeps_what_is_expected_from_falling() -> None:
    hours = [0, 25, 400]
    quiet = pa.table({"source": ["a"] * 3, "destination": ["b"] * 3, "hour": hours, "connections": [9, 9, 1]})
    without, _ = DETECTOR.update(None, quiet)
    floored, _ = RareEdgeDetector(*QUICK._replace(floor=1.5), threads=2).update(None, quiet)
    assert without["maximum"].to_pylist() == [1]
    assert floored["maximum"].to_pylist() == [9]
    sd = np.std([9.0, 9.0, 1.0])
    assert floored["expected"].to_numpy() == pytest.approx(1.5 * 9 + sd)


def with_column(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


COUNTS = edge_counts(edges=6, hours=30)
LATER = with_column(COUNTS, "hour", pa.array(COUNTS["hour"].to_numpy() + 30))
HOLES = pa.array([None] + [7] * (COUNTS.num_rows - 1))
REFUSED_COUNTS = {
    "a missing column": (COUNTS.drop_columns(["hour"]), "without hour"),
    "no whole number": (
        with_column(COUNTS, "connections", COUNTS["connections"].cast(pa.float64())),
        "expected whole numbers in 'connections', found double",
    ),
    "no connections": (with_column(COUNTS, "connections", HOLES), "1 or more, found 0"),
    "a date": (
        with_column(COUNTS, "hour", COUNTS["hour"].cast(pa.int32()).cast(pa.date32())),
        "expected hours as instants",
    ),
    "an hour that is missing": (with_column(COUNTS, "hour", HOLES), "found 1 rows without"),
    "an edge without a name": (
        with_column(COUNTS, "source", HOLES.cast(pa.string())),
        "expected a source, a destination and an hour in every row",
    ),
}
REFUSED_AFTER_OTHERS = {
    "an hour twice": (COUNTS, "expected hours after 29, the last one of the state"),
    "one late row": (pa.concat_tables([LATER, COUNTS.slice(0, 1)]), "expected hours after 29"),
    "another kind of hour": (instants(COUNTS, UTC_HOURS), "'first_seen' of the state to be timestamp"),
    "another kind of key": (with_column(LATER, "source", LATER["hour"]), "as in the counts; found string"),
}


@pytest.mark.parametrize("case", REFUSED_COUNTS)
def test_counts_that_make_no_sense_are_refused(case: str) -> None:
    counts, message = REFUSED_COUNTS[case]
    with pytest.raises(ValueError, match=message):
        DETECTOR.update(None, counts)


@pytest.mark.parametrize("case", REFUSED_AFTER_OTHERS)
def test_counts_that_do_not_fit_the_state_are_refused(case: str) -> None:
    state, _ = DETECTOR.update(None, COUNTS)
    counts, message = REFUSED_AFTER_OTHERS[case]
    with pytest.raises(ValueError, match=message):
        DETECTOR.update(state, counts)


def test_a_file_without_a_column_is_refused(tmp_path: Path) -> None:
    pq.write_table(COUNTS.drop_columns(["hour"]), tmp_path / "counts.parquet")
    with pytest.raises(ValueError, match="found source, destination, connections, without hour"):
        DETECTOR.update(None, tmp_path / "counts.parquet")


def test_a_state_that_makes_no_sense_is_refused() -> None:
    state, _ = DETECTOR.update(None, COUNTS)
    with pytest.raises(ValueError, match="expected a state as update"):
        DETECTOR.update(COUNTS, LATER)
    with pytest.raises(ValueError, match="expected an edge in one row of the state, found several of host"):
        DETECTOR.update(pa.concat_tables([state, state]), LATER)
    holes = with_column(state, "mean", pa.nulls(state.num_rows, pa.float64()))
    with pytest.raises(ValueError, match="expected a value of 'mean' for every edge"):
        DETECTOR.update(holes, LATER)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"training_hours": 1.5}, "expected training_hours of 1 or more .*, found 1.5"),
        ({"training_hours": True}, "expected training_hours .*, found True"),
        ({"training_hours": "720"}, "expected training_hours .*, found '720'"),
        ({"training_hours": None}, "expected training_hours .*, found None"),
        ({"training_hours": 10**20}, "expected training_hours .*, found 1000"),
        ({"cooldown_hours": 2.5}, "expected cooldown_hours of 0 or more .*, found 2.5"),
        ({"retire_hours": 1.5}, "expected retire_hours of 1 or more .*, or None, found 1.5"),
        ({"retire_hours": 0}, "expected retire_hours of 1 or more .*, or None, found 0"),
        ({"slope": float("nan")}, "expected a finite number as slope, found nan"),
        ({"slope": "x"}, "expected a finite number as slope, found 'x'"),
        ({"intercept": float("inf")}, "expected a finite number as intercept, found inf"),
        ({"intercept": None}, "expected a finite number as intercept, found None"),
        ({"floor": float("nan")}, "expected a finite number as floor, or None, found nan"),
        ({"floor": float("inf")}, "expected a finite number as floor, or None, found inf"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RareEdgeDetector(**settings)
    with pytest.raises(ValueError, match=message):
        RareEdgeDetector().set_params(**settings)


def test_numbers_of_numpy_are_numbers() -> None:
    given: list[Any] = [np.int64(20), np.int32(3), np.float32(-0.5), np.float64(2)]
    detector = RareEdgeDetector(*given, threads=2)
    counts = edge_counts()
    expected = RareEdgeDetector(20, 3, -0.5, 2.0, threads=2).update(None, counts)
    assert detector.update(None, counts) == expected


def test_another_detector_of_the_same_settings_can_be_made() -> None:
    detector = RareEdgeDetector(floor=0.5, retire_hours=9, memory_limit="1GB", threads=2)
    twin = clone(detector)
    assert twin is not detector
    assert twin.get_params() == detector.get_params()
    assert twin.set_params(floor=1.0).floor == 1.0
    assert detector.get_params()["floor"] == 0.5
    with pytest.raises(ValueError, match=r"expected settings out of training_hours, .*, found depth"):
        detector.set_params(depth=3)
    names = list(inspect.signature(RareEdgeDetector).parameters)
    assert list(detector.get_params()) == names, "all of the settings"
    assert tuple(detector.get_params().values())[:4] == (*Rule()[:4],)


def test_a_state_whose_last_alerts_have_become_fractions_is_the_same() -> None:
    """As they do in a data frame of pandas, whose whole numbers have no nulls."""
    counts = edge_counts()
    state, _ = DETECTOR.update(None, up_to(counts, 100))
    assert 0 < state["last_alert"].null_count < state.num_rows
    later = after(counts, 100)
    expected = DETECTOR.update(state, later)
    nulls = state["last_alert"].cast(pa.float64())
    for column in (nulls, nulls.fill_null(float("nan")), nulls.cast(pa.float32())):
        assert DETECTOR.update(with_column(state, "last_alert", column), later) == expected
    with pytest.raises(ValueError, match="expected whole hours as 'last_alert' of the state, found others"):
        DETECTOR.update(with_column(state, "last_alert", pc.add(nulls, 0.5)), later)


def test_whole_numbers_of_other_widths_are_taken_or_refused() -> None:
    counts = edge_counts()
    expected = DETECTOR.update(None, counts)[1].num_rows
    for kind in (pa.uint64(), pa.decimal128(38, 0)):
        wide = counts.set_column(3, "connections", counts["connections"].cast(kind))
        assert DETECTOR.update(None, wide)[1].num_rows == expected
        large = with_column(wide, "connections", pa.array([2**64 - 1] * wide.num_rows, kind))
        with pytest.raises(
            ValueError, match=r"expected at most 2\*\*53 connections in an hour, found more in"
        ):
            DETECTOR.update(None, large)
    late = with_column(counts, "hour", pa.array([2**64 - 1] * counts.num_rows, pa.uint64()))
    for take in (DETECTOR.fit_decay, lambda table: DETECTOR.update(None, table)):
        with pytest.raises(ValueError, match="expected numbers of hours to 9223372036854775807, found 18446"):
            take(late)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"training_hours of 1 or more .*, found 0"):
        RareEdgeDetector(training_hours=0)
    with pytest.raises(ValueError, match=r"cooldown_hours of 0 or more .*, found -1"):
        RareEdgeDetector(cooldown_hours=-1)


def test_a_history_is_the_changes_of_every_hour() -> None:
    counts = up_to(edge_counts(), 60)
    before, _ = DETECTOR.update(None, up_to(counts, 25))
    later = after(counts, 25)
    with own_engine("1GB", 2) as engine:
        found = DETECTOR.history(before, Rows(engine, f"select * from {engine.put(later)}"))
        history = found.table()
        found.drop()
    state, rows, alerts_of_hours = before, [], []
    for hour in range(26, 61):
        part = later.filter(pc.equal(later["hour"], hour))
        if part.num_rows:
            changed, alerts = DETECTOR.changes(state, part)
            state, _ = DETECTOR.update(state, part)
            rows.append(changed)
            alerts_of_hours.append(alerts)
    columns = state.column_names
    order = [(name, "ascending") for name in ("last_seen", "source", "destination")]
    assert history.select(columns).sort_by(order).equals(pa.concat_tables(rows).sort_by(order))
    alerts = history.filter(pc.is_valid(history["alert_value"])).sort_by(order)
    expected = pa.concat_tables(alerts_of_hours)
    names = [f"alert_{name}" for name in expected.column_names[3:]]
    found_alerts = alerts.select(["source", "destination", "last_seen", *names])
    assert found_alerts.rename_columns(expected.column_names).equals(expected)
