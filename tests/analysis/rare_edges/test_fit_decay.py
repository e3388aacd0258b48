"""`fit_decay` finds the line that history was made with."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from made_up_edges import instants, shuffled

from backbone.analysis.rare_edges.detector import RareEdgeDetector


def history(
    slope: float, intercept: float, *, noise: float = 0.0, edges: int = 60, seed: int = 0
) -> pa.Table:
    """Counts whose new maxima exceed the last one by the line's multiple, with lower counts in between."""
    rng = np.random.default_rng(seed)
    rows = []
    for edge in range(edges):
        maximum, since = 100_000, 720
        rows += [(edge, hour, int(rng.integers(1, 90_000))) for hour in range(0, 720, 30)]
        rows.append((edge, int(rng.integers(0, 720)) // 30 * 30 + 1, maximum))
        for _ in range(4):
            gap = int(rng.integers(1, 40 * 24))
            rows += [(edge, since + ago, int(rng.integers(1, maximum))) for ago in range(1, gap, 50)]
            multiple = (intercept + slope * gap / 24) * (1 + noise * rng.normal())
            since, maximum = since + gap, round(multiple * maximum)
            rows.append((edge, since, maximum))
    columns = np.array(rows).T
    return pa.table(
        {
            "source": columns[0],
            "destination": np.zeros(len(rows), dtype=np.int64),
            "hour": columns[1],
            "connections": columns[2],
        }
    )


@pytest.mark.parametrize("slope, intercept", [(-0.04448, 3.6), (-0.02, 2.0), (0.01, 1.5)])
def test_the_line_of_the_history_is_found(slope: float, intercept: float) -> None:
    counts = history(slope, intercept)
    detector = RareEdgeDetector(threads=2)
    assert detector.fit_decay(shuffled(counts)) is detector
    assert detector.slope == pytest.approx(slope, abs=1e-6)
    assert detector.intercept == pytest.approx(intercept, abs=1e-5)
    assert detector.n_maxima_ == 240


def test_it_is_found_within_noise() -> None:
    detector = RareEdgeDetector(threads=2).fit_decay(history(-0.04448, 3.6, noise=0.1, edges=400))
    assert detector.slope == pytest.approx(-0.04448, abs=0.002)
    assert detector.intercept == pytest.approx(3.6, abs=0.05)


def test_instants_and_the_parts_of_an_hour_make_no_difference() -> None:
    counts = history(-0.03, 3.0, edges=8)
    once = RareEdgeDetector(threads=2).fit_decay(counts)
    parts = pa.concat_tables([counts, counts])
    twice = RareEdgeDetector(threads=2).fit_decay(instants(parts, pa.timestamp("ms", "Asia/Tokyo")))
    assert (twice.slope, twice.intercept) == (once.slope, once.intercept)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_every_kind_of_instant_gives_the_same_line(unit: str, zone: str | None) -> None:
    counts = history(-0.03, 3.0, edges=8)
    once = RareEdgeDetector(threads=2).fit_decay(counts)
    found = RareEdgeDetector(threads=2).fit_decay(instants(counts, pa.timestamp(unit, zone)))
    assert (found.slope, found.intercept, found.n_maxima_) == (once.slope, once.intercept, once.n_maxima_)


@pytest.mark.parametrize("kind", [pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.timestamp("ns", "UTC")])
@pytest.mark.parametrize("parts", [30 * 60 * 10**6, 1])
def test_parts_of_hours_are_refused_as_they_are_by_update(kind: pa.DataType, parts: int) -> None:
    counts = instants(history(-0.03, 3.0, edges=8), kind)
    late = pa.array(counts["hour"].cast(pa.int64()).to_numpy() + parts).cast(kind)
    counts = counts.set_column(2, "hour", late)
    detector = RareEdgeDetector(threads=2)
    for take in (detector.fit_decay, lambda table: detector.update(None, table)):
        with pytest.raises(ValueError, match=r"expected whole hours \(of UTC\), found"):
            take(counts)


def test_the_training_of_an_edge_gives_no_point() -> None:
    counts = history(-0.03, 3.0, edges=8)
    with pytest.raises(ValueError, match="first 100000 hours of the edges, found 0; give a longer history"):
        RareEdgeDetector(training_hours=100_000, threads=2).fit_decay(counts)


def test_counts_below_one_are_refused() -> None:
    counts = history(-0.03, 3.0, edges=8)
    counts = counts.set_column(3, "connections", pa.array(counts["connections"].to_numpy() - 200_000))
    with pytest.raises(ValueError, match="expected connections of 1 or more, found -"):
        RareEdgeDetector(threads=2).fit_decay(counts)
    holes = counts.set_column(3, "connections", pa.nulls(counts.num_rows, pa.int64()))
    with pytest.raises(ValueError, match="expected connections of 1 or more, found 0"):
        RareEdgeDetector(threads=2).fit_decay(holes)
    large = counts.set_column(3, "connections", pa.array([2**53 + 1] * counts.num_rows))
    with pytest.raises(ValueError, match="expected at most 2\\*\\*53 connections in an hour, found 9007"):
        RareEdgeDetector(threads=2).fit_decay(large)
