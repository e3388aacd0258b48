"""The order of deliveries and of runs between them changes nothing, nor does running again."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projects import TinyProject, accounts, contents

Rows = Sequence[tuple[object, ...]]
Drawn = tuple[list[tuple[str, str, Rows]], list[list[int]]]
SHOPS = ("x", "y", "z")
BEGIN = datetime(2026, 2, 1)


def _instant(hours: int) -> str:
    return f"{BEGIN + timedelta(hours=hours):%Y-%m-%dT%H:%M:%S}"


hours = st.integers(0, 71).map(_instant)
sale = st.tuples(st.integers(1, 6), st.sampled_from(SHOPS), st.integers(-1, 3), hours)
visit = st.tuples(st.sampled_from(SHOPS), st.integers(-1, 2), hours)
files = st.lists(
    st.one_of(
        st.tuples(st.just("sale"), st.lists(sale, max_size=4)),
        st.tuples(st.just("visit"), st.lists(visit, max_size=4)),
    ),
    min_size=1,
    max_size=5,
)


@st.composite
def deliveries(draw: st.DrawFn) -> Drawn:
    """Named files, and which of them arrive before each run, in another order than they are listed."""
    named: list[tuple[str, str, Rows]] = [
        (source, f"{i}.csv", rows) for i, (source, rows) in enumerate(draw(files))
    ]
    order = draw(st.permutations(range(len(named))))
    cuts = sorted(draw(st.sets(st.integers(1, len(named)), max_size=3)) | {len(named)})
    return named, [list(order[a:b]) for a, b in zip([0, *cuts], cuts, strict=False)]


def _deliver(project: TinyProject, source: str, name: str, rows: Rows) -> None:
    heading = {"sale": "sale_id,shop,amount,sold_at", "visit": "shop,seconds,visited_at"}[source]
    project.drop(source, name, [heading, *(",".join(map(str, row)) for row in rows)])


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(deliveries())
def test_any_order_of_deliveries_and_runs_gives_the_same_tables(
    drawn: Drawn,
) -> None:
    named, arrivals = drawn
    with tempfile.TemporaryDirectory() as folder:
        once, split = TinyProject(Path(folder, "once")), TinyProject(Path(folder, "split"))
        for source, name, rows in named:
            _deliver(once, source, name, rows)
        assert once.run().ok
        for group in arrivals:
            for number in group:
                _deliver(split, *named[number])
            assert split.run().ok
        expected = contents(once.root, batches=False)
        assert contents(split.root, batches=False) == expected
        assert accounts(split.root) == accounts(once.root)

        before = split.versions()
        again = split.run()
        assert (again.ok, again.receipts, split.versions()) == (True, [], before)

        assert split.run(force=True).ok
        assert contents(split.root, batches=False) == expected
