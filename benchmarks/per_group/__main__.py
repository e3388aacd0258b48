"""What does a model per user cost, beside what is done today, and does it grow no faster than the users?

At 10,000 users all take turns: the product; scikit-learn in a loop over pandas groups, with arrays, and with
data frames as it is usually written; the same on all cores with joblib; seed 001 in PostgreSQL with
PL/Python, in one session as PostgreSQL runs it, and in one for each core as Greenplum's segments do; PySpark.
At more users the product is measured beside DuckDB merely sorting the file, and the peers' times are those at
10,000, scaled by the users.

Two tables each: whole processes, as the system accounts for them, and the seconds of their parts by their own
clock, in which `total` is from a file to stored models (`phases.py` says what it leaves out). Ratios said to
be met or not are of totals.
"""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Sequence
from itertools import pairwise

from benchmarks import measure
from benchmarks.measure import Measured
from benchmarks.per_group.session import (
    FRAMES,
    JOBLIB,
    LOOP,
    ON_SORTED,
    PLPYTHON,
    PRODUCT,
    SEGMENTS,
    SORT_ALL,
    SORT_USED,
    SPARK,
    Session,
)

SORTED_UP_TO = 1_000_000  # users; above, only the unsorted file is made
MOST_MB = 4_000


def main() -> None:
    parser = measure.arguments(__doc__, runs=3)
    parser.add_argument("--users", type=int, default=10_000, help="with which the peers are measured")
    parser.add_argument("--sizes", type=int, nargs="*", default=[100_000, 1_000_000], help="users beyond")
    parser.add_argument("--large", action="store_true", help="10,000,000 users too, once")
    parser.add_argument("--memory", default="4GB", help="limit of the product's engine")
    parser.add_argument(
        "--peers", default=sys.executable, metavar="PYTHON", help="of the environment that has the peers"
    )
    given = parser.parse_args()
    peers = Session(given, given.users)
    everyone = [PRODUCT, LOOP, FRAMES, JOBLIB, PLPYTHON, SEGMENTS, SPARK]
    measured = peers.measure(everyone, given.runs, warm_ups=0)
    _print(peers, measured, given.runs)
    said = [
        _at_least(f"{peers.users:,} users, {name}", peers.ratio(name), least)
        for name, least in ((LOOP, 400), (FRAMES, 400), (PLPYTHON, 200), (SEGMENTS, 200))
        if name in peers.said
    ]
    said += [
        _at_least(f"{peers.users:,} users × 9 candidates, {name}", peers.ratio(name, part="score"), 100)
        for name in (PLPYTHON, SEGMENTS)
        if name in peers.said
    ]
    said += [f"- skipped: {name}: {reason}" for name, reason in peers.skipped.items()]

    sessions = [peers]
    for users in [*given.sizes, *([10_000_000] if given.large else [])]:
        session = Session(given, users)
        by_user = [ON_SORTED] if users <= SORTED_UP_TO else []
        runs = given.runs if users <= SORTED_UP_TO else 1
        names = [PRODUCT, *by_user, SORT_ALL, SORT_USED]
        measured = session.measure(names, runs, warm_ups=1 if runs > 1 else 0)
        _print(session, measured, runs)
        said += _compare(session, measured, peers)
        sessions.append(session)
    shutil.rmtree(given.cache / "per-group" / "out", ignore_errors=True)
    print("\n".join([*said, *_growth(sessions)]))


def _compare(session: Session, measured: Measured, peers: Session) -> list[str]:
    """What is said of a size at which the peers are not measured."""
    said = []
    factor = session.users / peers.users
    for name in (LOOP, PLPYTHON):
        if name in peers.said:
            times = factor * peers.median(name) / session.median(PRODUCT)
            text = f"{session.users:,} users, {name} (its {peers.users:,} users scaled)"
            if session.users == 100_000:
                said.append(_at_least(text, times, 1000))
            else:
                said.append(f"- {text}: {times:,.0f} × the product's time")
    for name in (PLPYTHON, SEGMENTS):
        if name in peers.said:
            times = factor * peers.median(name, "score") / session.median(PRODUCT, "score")
            text = f"{session.users:,} users × 9 candidates, {name} (its {peers.users:,} users scaled)"
            said.append(_at_least(text, times, 100))
    for name in (SORT_ALL, SORT_USED):
        times = session.ratio(PRODUCT, name)
        text = f"{session.users:,} unsorted users: {times:.2f} × {name}"
        at_target = session.users == 1_000_000
        said.append(measure.target(f"{text}, at most 1.5 ×", times <= 1.5) if at_target else f"- {text}")
    peak_mb = max(used.peak_mb for name in (PRODUCT, ON_SORTED) for used in measured.get(name, []))
    text = f"{session.users:,} users: at most {MOST_MB:,} MB, found {peak_mb:,.0f} MB"
    return [*said, measure.target(text, peak_mb <= MOST_MB)]


def _growth(sessions: Sequence[Session]) -> list[str]:
    said = []
    for a, b in pairwise(sessions):
        exponent = math.log(b.median(PRODUCT) / a.median(PRODUCT)) / math.log(b.users / a.users)
        text = f"{a.users:,} to {b.users:,} users: time grows with the power {exponent:.2f} of the users"
        said.append(measure.target(f"{text}, at most 1.05", exponent <= 1.05))
    return said


def _print(session: Session, measured: Measured, runs: int) -> None:
    facts = session.facts[0]
    print(f"\n{session.users:,} users, {runs} runs of each in turn; {facts['models']:,} have a model.\n")
    print(measure.results(measured, PRODUCT), session.parts(), sep="\n\n", end="\n\n")


def _at_least(text: str, found: float, least: float) -> str:
    return measure.target(
        f"{text}: at least {least:,} × the product's time, found {found:,.0f} ×", found >= least
    )


if __name__ == "__main__":
    main()
