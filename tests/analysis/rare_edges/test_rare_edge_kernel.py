"""The kernel: equal to the plain function bit for bit, and obedient to the laws of kernels."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_up_edges import QUICK, assert_as_reference, edge_counts, instants

from backbone.analysis.groups import chunks
from backbone.analysis.rare_edges.kernel import NEW, RareEdgeKernel
from backbone.analysis.rare_edges.reference import watch
from backbone.analysis.rare_edges.rule import Rule
from backbone.analysis.rare_edges.state import EdgeState
from backbone.testing import check_kernel

BY = ["source", "destination"]


def watched(kernel: RareEdgeKernel, counts: pa.Table) -> pa.Table:
    (groups,) = chunks(counts.combine_chunks().to_batches(), BY, chunk_bytes=1 << 62)
    return pa.Table.from_batches([kernel(groups)])


def alerts_of(found: pa.Table) -> pa.Table:
    rows = [
        {"source": row["source"], "destination": row["destination"], **alert}
        for row in found.to_pylist()
        for alert in row["alerts"]
    ]
    return pa.Table.from_pylist(rows)


def state_of(found: pa.Table) -> pa.Table:
    return found.drop_columns(["position", "alerts"])


@pytest.mark.parametrize("rule", [QUICK, QUICK._replace(floor=0.7), Rule(), Rule(1, 0, 0.0, 1.0)])
def test_state_and_alerts_are_those_of_the_reference(rule: Rule) -> None:
    counts = edge_counts(edges=30, hours=2000 if rule.training_hours == 720 else 200)
    found = watched(RareEdgeKernel(rule, pa.int64()), counts)
    assert_as_reference(state_of(found), alerts_of(found), counts, rule)
    assert sum(map(len, found["alerts"].to_pylist())) > 1


GAPS = st.one_of(st.integers(1, 3), st.integers(1, 60), st.integers(700, 2200))
COUNTS = st.one_of(st.integers(1, 5), st.integers(1, 300), st.integers(1, 1 << 53))
RULES = st.builds(
    Rule,
    st.integers(1, 800),
    st.integers(0, 50),
    st.floats(-3.0, 0.5),
    st.floats(-1.0, 5.0),
    st.one_of(st.none(), st.floats(-0.5, 2.0)),
    st.one_of(st.none(), st.integers(1, 800)),
)


@settings(max_examples=300, deadline=None)
@given(hours=st.lists(st.tuples(GAPS, COUNTS), min_size=1, max_size=60), rule=RULES)
@example(hours=[(1, 1), (719, 1), (1, 4), (24, 9), (1, 40)], rule=Rule())
@example(hours=[(1, 3), (30, 7), (1, 5)], rule=Rule(1, 0, -0.04448, 0.0, None))  # nothing is expected
def test_any_history_gives_the_bits_of_the_reference(hours: list[tuple[int, int]], rule: Rule) -> None:
    at = np.cumsum([gap for gap, _ in hours]).tolist()
    x = [count for _, count in hours]
    n = len(at)
    counts = pa.table({"source": ["a"] * n, "destination": ["b"] * n, "hour": at, "connections": x})
    found = watched(RareEdgeKernel(rule, pa.int64()), counts)
    assert_as_reference(state_of(found), alerts_of(found), counts, rule)


def test_the_laws_of_kernels_hold_from_the_beginning() -> None:
    check_kernel(RareEdgeKernel(QUICK, pa.int64()), edge_counts(), BY)
    kind = pa.timestamp("us", "UTC")
    check_kernel(RareEdgeKernel(QUICK, kind), instants(edge_counts(), kind), BY)


def test_each_hour_is_the_last_of_the_hours_up_to_it() -> None:
    rule = QUICK._replace(retire_hours=9)
    counts = edge_counts()
    every = RareEdgeKernel(rule, pa.int64(), each_hour=True)
    check_kernel(every, counts, BY)
    found = watched(every, counts)
    assert found.num_rows == counts.num_rows
    rows = [*found.to_pylist(), None]
    for row, after in pairwise(rows):
        goes_on = after is not None and all(row[name] == after[name] for name in BY)
        assert row["next_seen"] == (after["last_seen"] if goes_on else None)
    found = found.drop_columns(["next_seen"])
    for hour in (30, 90, 199):
        until = found.filter(pa.compute.field("last_seen") <= hour).to_pylist()
        last = {(row["source"], row["destination"]): row | {"alerts": []} for row in until}
        at_once = watched(RareEdgeKernel(rule, pa.int64()), counts.filter(pa.compute.field("hour") <= hour))
        assert list(last.values()) == [row | {"alerts": []} for row in at_once.to_pylist()]
        alerts = [alert for row in until for alert in row["alerts"]]
        assert alerts == [alert for row in at_once.to_pylist() for alert in row["alerts"]]


@pytest.mark.parametrize("since", [0, 1, 60, 150, 1000])
def test_of_early_hours_only_alerts_and_the_last_of_each_edge_have_a_row(since: int) -> None:
    counts = edge_counts()
    late = RareEdgeKernel(QUICK, pa.int64(), each_hour=True, since=since)
    check_kernel(late, counts, BY)
    expected = [
        row
        for row in watched(RareEdgeKernel(QUICK, pa.int64(), each_hour=True), counts).to_pylist()
        if row["last_seen"] >= since or row["alerts"] or row["next_seen"] is None or row["next_seen"] >= since
    ]
    assert watched(late, counts).to_pylist() == expected


def test_an_edge_that_was_away_for_long_starts_again() -> None:
    rule = QUICK._replace(retire_hours=100)
    hours = [0, 5, 30, 130, 231, 300]
    n = len(hours)
    counts = pa.table({"source": ["a"] * n, "destination": ["b"] * n, "hour": hours, "connections": [9] * n})
    (row,) = watched(RareEdgeKernel(rule, pa.int64()), counts).to_pylist()
    assert (row["first_seen"], row["last_seen"]) == (231, 300), "100 hours are not too long, 101 are"


def test_the_laws_of_kernels_hold_where_edges_are_known() -> None:
    kernel, later = going_on()
    check_kernel(kernel, later, BY)


def going_on() -> tuple[RareEdgeKernel, pa.Table]:
    """A kernel that knows two thirds of the edges of the rows after hour 150."""
    counts = edge_counts()
    before = watched(RareEdgeKernel(QUICK, pa.int64()), counts.filter(pa.compute.field("hour") <= 150))
    places = {(row["source"], row["destination"]): i for i, row in enumerate(before.to_pylist()) if i % 3}
    later = counts.filter(pa.compute.field("hour") > 150)
    position = [places.get((row["source"], row["destination"]), NEW) for row in later.to_pylist()]
    return RareEdgeKernel(QUICK, pa.int64(), EdgeState.of(before)), later.append_column(
        "position", pa.array(position, pa.int64())
    )


def test_rows_of_one_hour_are_summed() -> None:
    counts = edge_counts()
    parts = pa.concat_tables([counts, counts, counts]).sort_by([(c, "ascending") for c in (*BY, "hour")])
    tripled = counts.set_column(3, "connections", pa.array(counts["connections"].to_numpy() * 3))
    kernel = RareEdgeKernel(QUICK, pa.int64())
    assert watched(kernel, parts).equals(watched(kernel, tripled))


def at_known_edge(later: pa.Table) -> int:
    return int(np.flatnonzero(later["position"].to_numpy() != NEW)[0])


def refused(**columns: Any) -> str:
    kernel, later = going_on()
    row = later.slice(at_known_edge(later), 2)
    for name, values in columns.items():
        row = row.set_column(row.column_names.index(name), name, pa.array(values, pa.int64()))
    with pytest.raises(ValueError) as caught:
        watched(kernel, row)
    return str(caught.value)


def test_what_is_wrong_is_named_with_its_edge_and_hour() -> None:
    _, later = going_on()
    source, destination, hour, _, place = later.slice(at_known_edge(later), 1).to_pylist()[0].values()
    edge = f"{source} > {destination}"
    assert refused(connections=[0, 1]) == f"expected connections of 1 or more, found 0 in {hour} at {edge}"
    assert refused(connections=[-4, 1]).startswith("expected connections of 1 or more, found -4")
    assert refused(connections=[1 << 53, 1], hour=[160, 160]).startswith("expected at most 2**53 connections")
    assert refused(hour=[150, 160]).startswith(
        f"expected hours after 150, the last one of the state, found 150 at {edge}"
    )
    assert refused(position=[place, place + 1]) == (
        f"expected an edge in one row of the state, found several of {edge}"
    )
    kind = pa.timestamp("s")
    late = instants(edge_counts(), kind)
    late = late.set_column(2, "hour", pa.array(late["hour"].cast(pa.int64()).to_numpy() + 60).cast(kind))
    with pytest.raises(ValueError, match=r"expected whole hours \(of UTC\), found .*:01:00 at host-000"):
        watched(RareEdgeKernel(QUICK, kind), late)


def test_the_largest_counts_are_exact() -> None:
    counts = [(0, 1 << 52), (1, 1 << 53), (40, (1 << 53) - 1)]
    table = pa.table(
        {
            "source": ["a"] * 3,
            "destination": ["b"] * 3,
            "hour": [hour for hour, _ in counts],
            "connections": [x for _, x in counts],
        }
    )
    found = watched(RareEdgeKernel(QUICK, pa.int64()), table).to_pylist()[0]
    edge, _ = watch(counts, QUICK)
    assert (found["maximum"], found["expected"]) == (edge.max, edge.expected)
