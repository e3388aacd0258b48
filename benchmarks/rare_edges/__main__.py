"""What does it cost to watch every edge, beside what is done today?

Five questions, each with its own contestants, whose alerts must agree:

- one edge over half a year, from single connections to alerts: the product's whole run with its three tables,
  their checks, publishes and receipts, against the seed's design, a SELECT and an INSERT an hour through an
  index, on a local SQLite and on PostgreSQL, as they come and set to keep nothing for after a crash;
- a million hourly counts: in memory against pandas and plain Python, from a file to alerts against PySpark;
- hourly counts sorted by edge, to alerts, against DuckDB merely reading and sorting the file;
- one hour over a million known edges, after few and after many hours;
- single connections, formatted before, to alerts, against DuckDB merely counting them, and against DuckDB
  writing the counts as a table is: by days, in order, none twice.

Two tables each: whole processes, as the system accounts for them, and the seconds of their parts by their own
clock; ratios said to be met or not are of the latter (`benchmarks/per_group/phases.py` says what they leave
out).
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import Measured
from benchmarks.rare_edges.session import Script, Session, in_process

PRODUCT, MEMORY, FILE = "Backbone", "Backbone, in memory", "Backbone, from a file"
SQLITE, FAST_SQLITE = "seed's design, SQLite", "seed's design, SQLite that keeps nothing"
POSTGRES, FAST_POSTGRES = "seed's design, PostgreSQL", "seed's design, PostgreSQL that keeps nothing"
APPLY, LOOP, SPARK = "pandas groupby.apply", "plain Python", "PySpark"
SORT, COUNT, TABLE = "DuckDB, read and sort", "DuckDB, count", "DuckDB, count to a table"
HALF_A_YEAR, MONTH, DAY = 4_380, 720, 24  # hours
PER_EDGE = 2_000  # connections within 45 days, two an hour
MILLION = 1_000_000


def main() -> None:
    parser = measure.arguments(__doc__, runs=3)
    parser.add_argument(
        "--counts", type=int, default=MILLION, help="hourly counts, of a hundredth as many edges"
    )
    parser.add_argument(
        "--sorted", type=int, default=10 * MILLION, help="hourly counts in a file sorted by edge"
    )
    parser.add_argument("--connections", type=int, default=20 * MILLION, help="single connections")
    parser.add_argument("--known", type=int, default=MILLION, help="edges that are known before a tick")
    parser.add_argument(
        "--large", action="store_true", help="100,000,000 of the sorted and of the single ones too"
    )
    parser.add_argument(
        "--only", choices=QUESTIONS, nargs="*", default=list(QUESTIONS), help="some questions"
    )
    parser.add_argument(
        "--peers", default=sys.executable, metavar="PYTHON", help="of the environment that has the peers"
    )
    given = parser.parse_args()
    said: list[str] = []
    for name in given.only:
        said += QUESTIONS[name](given)
    print("\n".join(said))


def one_edge(given: argparse.Namespace) -> list[str]:
    session, file = Session(given), _data(given, "one-edge", HALF_A_YEAR, 0)
    scripts = {
        PRODUCT: Script("product", file, peer=False),
        SQLITE: Script("seed_design", file, ["sqlite"]),
        FAST_SQLITE: Script("seed_design", file, ["sqlite", "fast"]),
        POSTGRES: Script("seed_design", file, ["postgresql"]),
        FAST_POSTGRES: Script("seed_design", file, ["postgresql", "fast"]),
    }
    measured = session.measure(scripts, min(given.runs, 2))
    _print(f"One edge over {HALF_A_YEAR:,} hours", session, measured, PRODUCT)
    return [
        *(
            _at_least(session, "one edge", name, PRODUCT, 100)
            for name in (SQLITE, POSTGRES)
            if name in measured
        ),
        *_shown(session, "one edge", (FAST_SQLITE, FAST_POSTGRES), PRODUCT),
    ]


def hourly_counts(given: argparse.Namespace) -> list[str]:
    edges = max(1, given.counts // 100)
    by_edge, by_hour = (_data(given, "counts", edges, 100, *order) for order in ((), ("--by-hour",)))
    said = []
    in_memory = Session(given)
    scripts = {
        MEMORY: Script("library", by_edge, ["memory"], peer=False),
        APPLY: Script("groups", by_edge, ["apply"]),
        LOOP: Script("groups", by_edge, ["loop"]),
    }
    measured = in_memory.measure(scripts, given.runs)
    what = f"{given.counts:,} hourly counts of {edges:,} edges"
    _print(f"{what}, in memory", in_memory, measured, MEMORY)
    said.append(_at_least(in_memory, f"{what}, in memory", APPLY, MEMORY, 300))
    said += _shown(in_memory, f"{what}, in memory", (LOOP,), MEMORY)
    from_file = Session(given)
    scripts = {
        FILE: Script("library", by_hour, ["parquet"], peer=False),
        SPARK: Script("pyspark_groups", by_hour),
    }
    measured = from_file.measure(scripts, min(given.runs, 2))
    _print(f"{what}, in a file in the order of the hours", from_file, measured, FILE)
    if SPARK in measured:
        said.append(_at_least(from_file, f"{what}, from a file", SPARK, FILE, 300))
    return said


def sorted_counts(given: argparse.Namespace) -> list[str]:
    said = []
    for rows in [given.sorted, *([100 * MILLION] if given.large else [])]:
        session, file = Session(given), _data(given, "counts", max(1, rows // 100), 100)
        scripts = {
            FILE: Script("library", file, ["parquet"], peer=False),
            SORT: Script("duckdb_count", file, ["sort"], finds=False),
        }
        runs = given.runs if rows <= given.sorted else 1
        measured = session.measure(scripts, runs, warm_ups=1 if runs > 1 else 0)
        what = f"{rows:,} hourly counts in a file sorted by edge"
        _print(what, session, measured, SORT)
        said.append(_at_most(session, what, FILE, SORT, 2.0))
    return said


def tick(given: argparse.Namespace) -> list[str]:
    active, ticks, said = max(1, given.known * 23 // 1000), 6, []
    for hours in (DAY, MONTH):
        session, name = Session(given), f"{PRODUCT}, after {hours} hours"
        options = [str(option) for option in (given.known, active, hours, ticks)]
        script = Script("tick", None, options, peer=False, finds=False)
        measured = session.measure({name: script}, 1)
        what = f"one hour over {given.known:,} known edges, {active:,} of them active, after {hours} hours"
        _print(what[0].upper() + what[1:], session, measured, name)
        seconds, longest = session.median(name, "tick"), session.median(name, "longest tick")
        text = f"{what}: {seconds:.2f} s, the longest of {ticks} {longest:.2f} s; at most 1 s"
        said.append(measure.target(text, seconds <= 1.0))
    return said


def single_connections(given: argparse.Namespace) -> list[str]:
    said = []
    for rows in [given.connections, *([100 * MILLION] if given.large else [])]:
        session, file = Session(given), _data(given, "connections", rows, max(1, rows // PER_EDGE))
        project = _formatted(given, file)
        scripts = {
            PRODUCT: Script("product", file, ["--formatted", str(project)], peer=False),
            COUNT: Script("duckdb_count", project, ["count"], finds=False),
            TABLE: Script("duckdb_count", project, ["table"], finds=False),
        }
        runs = min(given.runs, 2) if rows <= given.connections else 1
        measured = session.measure(scripts, runs)
        what = f"{rows:,} connections to alerts"
        _print(what, session, measured, COUNT)
        said.append(_at_most(session, what, PRODUCT, COUNT, 1.2))
        said.append(f"- {what}: {session.ratio(TABLE, COUNT):.2f} × {COUNT}, {TABLE}")
    return said


QUESTIONS: dict[str, Callable[[argparse.Namespace], list[str]]] = {
    "one-edge": one_edge,
    "counts": hourly_counts,
    "sorted": sorted_counts,
    "tick": tick,
    "connections": single_connections,
}


def _data(given: argparse.Namespace, kind: str, *arguments: object) -> Path:
    *numbers, last = arguments
    options = [last] if str(last).startswith("--") else []
    numbers = [*numbers] if options else [*numbers, last]
    return Path(in_process(given.peers, "data", kind, *numbers, given.cache / "rare-edges", *options).strip())


def _formatted(given: argparse.Namespace, file: Path) -> Path:
    """A project in which the file's connections are formatted, made unless it is there."""
    project = file.with_suffix(".project")
    if not project.exists():
        part = measure.fresh(file.with_suffix(".part-project"))
        in_process(given.python, "format", file, part)
        part.rename(project)
    shutil.rmtree(project / "exploitation", ignore_errors=True)
    return project


def _print(what: str, session: Session, measured: Measured, baseline: str) -> None:
    found = f"; {session.facts[0][1]['alerts']:,} alerts" if session.facts else ""
    print(f"\n{what}{found}.\n")
    print(measure.results(measured, baseline), session.parts(baseline), sep="\n\n", end="\n\n")
    for name, reason in session.skipped.items():
        print(f"- skipped: {name}: {reason}")


def _at_least(session: Session, what: str, name: str, product: str, least: float) -> str:
    found = session.ratio(name, product)
    text = f"{what}, {name}: at least {least:,} × the product's time, found {found:,.0f} ×"
    return measure.target(text, found >= least)


def _at_most(session: Session, what: str, name: str, baseline: str, most: float) -> str:
    found = session.ratio(name, baseline)
    return measure.target(f"{what}: {found:.2f} × {baseline}, at most {most} ×", found <= most)


def _shown(session: Session, what: str, names: tuple[str, ...], product: str) -> list[str]:
    return [
        f"- {what}, {name}: {session.ratio(name, product):,.1f} × the product's time"
        for name in names
        if name in session.said
    ]


if __name__ == "__main__":
    main()
