"""What do principal components of every hour cost, beside what is used today, and what does counting cost?

The components and everybody's scores of all 24 hours, from cells that are counted: the product's kernel, from
memory to memory as the peers are; the product between tables in its engine; scikit-learn's full PCA of dense
matrices, in as many threads as it takes and in one; SciPy's `svds`. PySpark's PCA makes a matrix of users ×
users, so it is measured with few users, once, one hour of 24. `pca` is the quickest of a few times within a
process, of the peers the sum of each hour's quickest; beside it whole processes, as the system accounts for
them.

Counting: a whole fit from a file of events, beside DuckDB's same GROUP BY written to Parquet. From its
formatted table the pipeline counts all days, as GROUP BY does each time; and a new day, which is counted
alone and analysed with those before. Both are checked and published.

As history: MADlib 2.1's `pca_sparse_train` on PostgreSQL 15 took 69 s for 24 hours of 10,000 users × 14 days.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from benchmarks import measure
from benchmarks.hourly_components.session import (
    ENGINE,
    FIT,
    GROUP_BY,
    KERNEL,
    ONE_THREAD,
    PIPELINE,
    SKLEARN,
    SPARK,
    SVDS,
    TABLE,
    Session,
    Size,
)
from benchmarks.measure import Measured

TIMES_SKLEARN = 15
TIMES_GROUP_BY = 1.3
MOST_MB = 4_000
LARGE_DENSE, LARGE_SPARSE = Size(1_000_000, 14, 0.35), Size(1_000_000, 90, 0.0463)


def main() -> None:
    parser = measure.arguments(__doc__, runs=3)
    parser.add_argument("--users", type=int, default=10_000, help="with which the peers are measured")
    parser.add_argument("--days", type=int, nargs="+", default=[14, 90], help="on which they are active")
    parser.add_argument(
        "--spark-users", type=int, default=2_000, help="with which PySpark is; 4,000 take it minutes, 0 none"
    )
    parser.add_argument("--large", action="store_true", help="1,000,000 users too, once; 100 million events")
    parser.add_argument(
        "--memory", default="3GB", help="limit of the product's engine, which is not all that it takes"
    )
    parser.add_argument(
        "--peers", default=sys.executable, metavar="PYTHON", help="of the environment that has the peers"
    )
    given = parser.parse_args()
    said: list[str] = []
    for days in given.days:
        said += _components(Session(given, Size(given.users, days, 3.0)), [SVDS], given.runs)
    counted = Session(given, Size(given.users, min(given.days), 3.0), events=True)
    said += _counting(counted, [FIT, GROUP_BY, TABLE, PIPELINE], given.runs)
    if given.large:
        said += _components(Session(given, LARGE_DENSE), [], 1)
        said += _counting(Session(given, LARGE_SPARSE, events=True), [FIT, GROUP_BY], 1)
    print("\n".join(said), flush=True)
    if given.spark_users:
        print("\n".join(_spark(Session(given, Size(given.spark_users, min(given.days), 3.0)))))
    shutil.rmtree(given.cache / "hourly-components" / "out", ignore_errors=True)


def _components(session: Session, peers: Sequence[str], runs: int) -> list[str]:
    """Both of the product beside scikit-learn and other peers."""
    _print(session, session.measure([KERNEL, ENGINE, SKLEARN, ONE_THREAD, *peers], runs), KERNEL, runs)
    said = []
    for name, beside in ((KERNEL, SKLEARN), (KERNEL, ONE_THREAD), (ENGINE, SKLEARN), (ENGINE, ONE_THREAD)):
        times = session.ratio(beside, name, "pca")
        text = f"{session.size}: {beside} takes {times:.1f} × the time of {name}"
        wanted = name == KERNEL  # beside both: threads that wait for each other make the first one look slow
        said.append(
            measure.target(f"{text}, at least {TIMES_SKLEARN} ×", times >= TIMES_SKLEARN)
            if wanted
            else f"- {text}"
        )
    return said + _skipped(session)


def _spark(session: Session) -> list[str]:
    measured = session.measure([KERNEL, SPARK], 1)
    _print(session, measured, KERNEL, 1)
    if SPARK in session.skipped:
        return _skipped(session)
    times = session.ratio(SPARK, KERNEL, "pca")
    return [f"- {session.size}: {SPARK} takes {times:,.0f} × the time of {KERNEL}"]


def _counting(session: Session, names: Sequence[str], runs: int) -> list[str]:
    """From events to the end, beside the counting alone."""
    measured = session.measure(names, runs)
    _print(session, measured, GROUP_BY, runs)
    peak_mb = max(used.peak_mb for name in (FIT, PIPELINE) for used in measured.get(name, []))
    text = f"{session.size}, from events: at most {MOST_MB:,} MB, found {peak_mb:,.0f} MB"
    counts, total = (session.ratio(FIT, GROUP_BY, part) for part in ("count", "total"))
    done = f"{FIT} counts in {counts:.2f} × the time of {GROUP_BY}, and is done in {total:.2f} ×"
    wanted = f"{session.size}: {done}, at most {TIMES_GROUP_BY} ×"
    said = [measure.target(wanted, total <= TIMES_GROUP_BY)]
    if PIPELINE in measured:
        counts, day = (session.ratio(PIPELINE, GROUP_BY, part, "count") for part in ("count", "run"))
        said.append(
            f"- {session.size}: {PIPELINE} counts all days in {counts:.2f} × the time of {GROUP_BY}, "
            f"and a new day is done in {day:.2f} ×"
        )
    if TABLE in measured:
        times = session.ratio(TABLE, GROUP_BY, "count")
        said.append(f"- {session.size}: {TABLE} takes {times:.2f} × the time of {GROUP_BY}")
    return [*said, measure.target(text, peak_mb <= MOST_MB), *_skipped(session)]


def _print(session: Session, measured: Measured, baseline: str, runs: int) -> None:
    print(f"\n{session.size}, {runs} runs of each in turn.\n")
    print(session.parts(), measure.results(measured, baseline), sep="\n\n", end="\n\n", flush=True)


def _skipped(session: Session) -> list[str]:
    return [f"- {session.size}: skipped: {name}: {reason}" for name, reason in session.skipped.items()]


if __name__ == "__main__":
    main()
