"""What does a field of a wide contract cost, and a further file with the same fields?

The columns are, in turn, a text, an integer, a decimal, an instant, a float, a truth value, a date and an
integer that may be empty. Backbone runs a project with one source in a new project each time, and checks,
accounts and publishes. pandas and Polars read each file with the types given and write a Parquet file; they
turn nothing away. Start-up is part of all of them; a project of eight columns shows how much it is.
"""

from __future__ import annotations

import os
import shutil
import sys
from itertools import pairwise
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import Contestant

SCRIPTS = Path(__file__).parent / "wide_contestants"
ROWS = 200
KINDS = (
    ("str", "x"),
    ("int", "5"),
    ("Annotated[Decimal, Field(max_digits=12, decimal_places=3, ge=0)]", "1.250"),
    ("datetime", "2026-01-01 08:00:00"),
    ("float", "1.5"),
    ("bool", "true"),
    ("date", "2026-01-01"),
    ("int | None", ""),
)
SIZES = ((8, 1), (200, 1), (200, 5), (200, 50), (800, 1))
IMPORTS = """
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from backbone import Contract, Pipeline, Source


class Wide(Contract):
    "Many columns."

"""


def main() -> None:
    parser = measure.arguments(__doc__, runs=5)
    parser.add_argument(
        "--peers", default=sys.executable, metavar="PYTHON", help="of the environment that has the peers"
    )
    parser.add_argument("--sizes", nargs="*", default=[f"{n}x{f}" for n, f in SIZES], metavar="FIELDSxFILES")
    given = parser.parse_args()
    project, out = given.cache / "wide", given.cache / "wide-out"
    found: dict[tuple[int, int], float] = {}
    for size in given.sizes:
        fields, files = map(int, size.split("x"))

        def prepare(fields: int = fields, files: int = files) -> None:
            _make_project(measure.fresh(project), fields, files)
            shutil.rmtree(out, ignore_errors=True)

        def check(files: int = files) -> None:
            _check(project, files)

        drop = project / "landing" / "temporal" / "wide"
        measured = measure.measure(
            [
                Contestant(
                    "Backbone",
                    [measure.backbone(given.python), "-C", project, "run"],
                    prepare,
                    check,
                ),
                Contestant("pandas", [given.peers, SCRIPTS / "pandas_parquet.py", drop, out], prepare),
                Contestant("Polars", [given.peers, SCRIPTS / "polars_parquet.py", drop, out], prepare),
            ],
            given.runs,
            warm_ups=1 if given.runs > 1 else 0,
        )
        print(f"{fields} fields, {files} file{'s' if files > 1 else ''} of {ROWS} rows, {given.runs} runs.\n")
        print(measure.results(measured, "Polars"), end="\n\n")
        found[fields, files] = measure.median(measured, "Backbone")
    shutil.rmtree(project, ignore_errors=True)
    shutil.rmtree(out, ignore_errors=True)
    for (few, _), (many, _) in pairwise(sorted(key for key in found if key[1] == 1)):
        cost = 1000 * (found[many, 1] - found[few, 1]) / (many - few)
        text = f"a field, from {few} to {many}: at most 2 ms, found {cost:.2f}"
        print(measure.target(text, cost <= 2))
    for (fields, few), (_, many) in pairwise(sorted(key for key in found if key[0] == 200)):
        cost = 1000 * (found[fields, many] - found[fields, few]) / (many - few) / fields
        text = (
            f"a field and further file, {few} to {many}: at most 0.1 ms besides its cells, found {cost:.3f}"
        )
        print(measure.target(text, cost <= 0.1))


def _make_project(folder: Path, fields: int, files: int) -> None:
    lines = "".join(f"    f{i}: {KINDS[i % 8][0]}\n" for i in range(fields))
    pipeline = '\n\npipeline = Pipeline("wide", every="day", sources=[Source("wide", Wide)], steps=[])\n'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "wide.py").write_text(IMPORTS + lines + pipeline)
    (folder / "backbone.toml").write_text('[project]\npipelines = ["wide"]\n')
    drop = folder / "landing" / "temporal" / "wide"
    drop.mkdir(parents=True)
    header = ",".join(f"f{i}" for i in range(fields)) + "\n"
    row = ",".join(KINDS[i % 8][1] for i in range(fields)) + "\n"
    for number in range(files):
        file = drop / f"{number}.csv"
        file.write_text(header + row * ROWS)
        os.utime(file, (0, 0))  # a file that was just written is watched for half a second


def _check(project: Path, files: int) -> None:
    import json

    log = sorted((project / "formatted" / "wide" / "_delta_log").glob("*.json"))[-1].read_text()
    rows = sum(
        json.loads(action["add"]["stats"])["numRecords"]
        for action in map(json.loads, log.splitlines())
        if "add" in action
    )
    if rows != files * ROWS:
        raise SystemExit(f"expected {files * ROWS} rows in formatted.wide, found {rows}")


if __name__ == "__main__":
    main()
