"""What does a checked, accounted table of a CSV file cost, and what do the peers take for it?

All contestants read the same file of purchases (`customer_id` is written `17850.0`, a quarter is empty) and
must arrive at the same rows and the same sum. They differ in what they do on the way:

- DuckDB reads it with the types given and writes Parquet. Nothing is checked: the floor.
- Backbone runs a project whose pipeline has this source only, in a new project each time. It hashes and
  records the file, counts its records independently of the reader, checks each value against the contract,
  keeps what breaks it with line and reason, accounts for every row, and commits a Delta table with its
  receipt. Once with the file dropped into temporal landing (a hard link, made before the clock starts, as
  landing moves it), once found by `path`, where landing copies it.
- dlt loads it into a Delta table, reading Arrow batches in the two ways it has (the faster one counts). It
  checks no value and can turn none away.
- pandas and Polars check the same things and write good rows and rejects to Delta tables. They keep no
  copy, no hash, no accounts and no reasons.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import Contestant

HERE = Path(__file__).parent
SCRIPTS = HERE / "csv_contestants"
FLOOR, DROPPED, BY_PATH = "DuckDB, unchecked", "Backbone, dropped file", "Backbone, by path"
DLT_ARROW, DLT_DUCKDB, DLT_DICTS = "dlt, PyArrow reader", "dlt, read_csv_duckdb", "dlt, read_csv"
PANDAS, POLARS = "pandas", "Polars"


def main() -> None:
    parser = measure.arguments(__doc__, runs=5)
    parser.add_argument("--rows", type=int, default=10_000_000, help="of the CSV file")
    parser.add_argument(
        "--peers", default=sys.executable, metavar="PYTHON", help="of the environment that has the peers"
    )
    parser.add_argument("--dlt-default", action="store_true", help="dlt also with `read_csv`: Python records")
    given = parser.parse_args()
    file = given.cache / f"purchases-{given.rows}.csv"
    if not file.exists():
        given.cache.mkdir(parents=True, exist_ok=True)
        subprocess.run([given.peers, SCRIPTS / "generate.py", str(given.rows), file], check=True)
    out = given.cache / "out"

    expected: list[str] = []

    def check(table: Path) -> None:
        said = subprocess.check_output([given.peers, SCRIPTS / "facts.py", table], text=True)
        facts = json.dumps(json.loads(said)["facts"])
        expected.append(facts)
        if facts != expected[0]:
            raise SystemExit(f"{table} holds {facts}, the others {expected[0]}")

    def peer(name: str, script: str, table: str, *options: str) -> Contestant:
        return Contestant(
            name,
            [given.peers, SCRIPTS / script, file, out, *options],
            prepare=lambda: measure.fresh(out),
            check=lambda: check(out / table),
        )

    def product(name: str, by_path: bool) -> Contestant:
        return Contestant(
            name,
            [measure.backbone(given.python), "-C", out, "run"],
            prepare=lambda: _make_project(measure.fresh(out), file, by_path),
            check=lambda: check(out / "formatted" / "user_purchase"),
        )

    contestants = [
        peer(FLOOR, "duckdb_parquet.py", "."),
        product(DROPPED, by_path=False),
        product(BY_PATH, by_path=True),
        peer(DLT_ARROW, "dlt_delta.py", "lake/shop/purchases", "arrow"),
        peer(DLT_DUCKDB, "dlt_delta.py", "lake/shop/purchases", "duckdb"),
        peer(PANDAS, "pandas_delta.py", "purchases"),
        peer(POLARS, "polars_delta.py", "purchases"),
    ]
    if given.dlt_default:
        contestants.append(peer(DLT_DICTS, "dlt_delta.py", "lake/shop/purchases", "records"))
    measured = measure.measure(contestants, given.runs, warm_ups=1 if given.runs > 1 else 0)
    shutil.rmtree(out, ignore_errors=True)

    size_mb = file.stat().st_size / 1e6
    dlt = min((DLT_ARROW, DLT_DUCKDB), key=lambda name: measure.median(measured, name))
    print(f"{given.rows:,} rows, {size_mb:,.0f} MB of CSV, {given.runs} runs of each in turn.")
    print("The same rows and the same sum everywhere:", expected[0], end="\n\n")
    print(measure.results(measured, FLOOR), end="\n\n")
    for name in (DROPPED, BY_PATH):
        over = measure.ratio(measured, name, FLOOR)
        faster = measure.ratio(measured, dlt, name)
        print(measure.target(f"{name}: at most 2 × {FLOOR}, found {over:.2f} ×", over <= 2))
        print(measure.target(f"{name}: at least 5 × faster than {dlt}, found {faster:.2f} ×", faster >= 5))
        for other in (PANDAS, POLARS):
            faster = measure.ratio(measured, other, name)
            print(measure.target(f"{name}: faster than {other}, found {faster:.2f} ×", faster > 1))


def _make_project(folder: Path, file: Path, by_path: bool) -> None:
    shutil.copytree(HERE / "projects" / "purchases", folder, ignore=shutil.ignore_patterns("__pycache__"))
    if by_path:
        with (folder / "backbone.toml").open("a", encoding="utf-8") as settings:
            settings.write(f"\n[sources.user_purchase]\npath = {json.dumps(str(file))}\n")
        return
    drop = folder / "landing" / "temporal" / "user_purchase"
    drop.mkdir(parents=True)
    os.link(file, drop / file.name)


if __name__ == "__main__":
    main()
