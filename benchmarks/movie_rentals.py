"""Does a run of the film rentals grow no faster than its data, and within its memory?

The sample data of each scale is written once; each run works on a new project that links to it. The seconds
of each stage are those of its receipt. A growth exponent of 1 means as fast as the data.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import statistics
import subprocess
import tomllib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import Contestant

SAMPLE = "import sys, pathlib, backbone.demo as d; d.make_demo(pathlib.Path(sys.argv[1]), int(sys.argv[2]))"
RECEIPTS = """
select dataset, max(rows_read) as rows_read, max(seconds) as seconds, min(committed_at) as committed
from operations.receipt where run_id <> '' and stage in ('land', 'format', 'build')
and dataset not like 'quarantine.%' and dataset not like 'duplicate.%'
group by dataset order by committed
"""


def main() -> None:
    parser = measure.arguments(__doc__, runs=3)
    parser.add_argument("--scale", type=int, nargs="+", default=[1, 10, 100, 1000], help="of the sample data")
    parser.add_argument("--memory", nargs="+", default=["4GB", "1GB"], help="limits of the engine's memory")
    given = parser.parse_args()
    rows = [("scale", "memory limit", "rows", "median s", "min s", "max s", "CPU s", "peak MB")]
    stages: dict[tuple[int, str], dict[str, float]] = {}
    seconds: dict[tuple[int, str], float] = {}
    read: dict[int, int] = {}
    said = []
    for scale in given.scale:
        sample = _sample(given.cache, given.python, scale)
        contestants = [_contestant(sample, given.cache, given.python, limit) for limit in given.memory]
        measured = measure.measure(contestants, given.runs)
        for limit in given.memory:
            project = given.cache / f"run-{limit}"
            receipts = _receipts(project, given.python)
            stages[scale, limit] = {name: took for name, _, took in receipts}
            read[scale] = sum(n for name, n, _ in receipts if name.startswith("formatted."))
            used = measured[limit]
            times = [u.seconds for u in used]
            seconds[scale, limit] = statistics.median(times)
            cpu = statistics.median(u.cpu_seconds for u in used)
            peak = max(u.peak_mb for u in used)
            figures = (seconds[scale, limit], min(times), max(times), cpu)
            rows.append(
                (f"{scale}", limit, f"{read[scale]:,}", *(f"{f:.2f}" for f in figures), f"{peak:,.0f}")
            )
            most = _megabytes(limit) + 500
            text = f"scale {scale}, {limit}: at most {most:,.0f} MB, found {peak:,.0f} MB"
            said.append(measure.target(text, peak <= most))
            shutil.rmtree(project, ignore_errors=True)
    print(measure.markdown(rows))
    for limit in given.memory:
        print(
            f"\nSeconds of each stage with {limit}, in the last run, and how they grow from scale to scale:\n"
        )
        print(_growth(given.scale, limit, stages, seconds))
    print()
    for a, b in pairwise(given.scale):
        for limit in given.memory:
            exponent = math.log(seconds[b, limit] / seconds[a, limit]) / math.log(read[b] / read[a])
            text = f"scale {a} to {b}, {limit}: time grows with the power {exponent:.2f} of the rows"
            said.append(measure.target(f"{text}, at most 1.05", exponent <= 1.05))
    print("\n".join(said))


def _sample(cache: Path, python: str, scale: int) -> Path:
    folder = cache / f"movie-rentals-{scale}"
    if not folder.exists():
        part = measure.fresh(cache / "movie-rentals-part")
        subprocess.run([python, "-c", SAMPLE, part, str(scale)], check=True)
        part.rename(folder)
    return folder


def _contestant(sample: Path, cache: Path, python: str, limit: str) -> Contestant:
    project = cache / f"run-{limit}"

    def prepare() -> None:
        shutil.copytree(sample, measure.fresh(project), copy_function=os.link)
        settings = project / "backbone.toml"
        text = settings.read_text(encoding="utf-8")
        settings.unlink()  # a link to the sample's, which stays as it is
        if "engine" in tomllib.loads(text):
            raise SystemExit("the sample sets its engine; the benchmark wants to")
        settings.write_text(f'{text}\n[engine]\nmemory_limit = "{limit}"\n', encoding="utf-8")

    return Contestant(limit, [measure.backbone(python), "-C", project, "run"], prepare)


def _receipts(project: Path, python: str) -> list[tuple[str, int, float]]:
    command = [measure.backbone(python), "-C", project, "query", RECEIPTS, "--format", "json"]
    found = subprocess.check_output([str(part) for part in command], text=True).strip()
    records = json.loads(found) if found.startswith("[") else [json.loads(r) for r in found.splitlines()]
    return [(r["dataset"], int(r["rows_read"]), float(r["seconds"])) for r in records]


def _growth(
    scales: Sequence[int],
    limit: str,
    stages: dict[tuple[int, str], dict[str, float]],
    seconds: dict[tuple[int, str], float],
) -> str:
    header = ["stage", *(f"scale {s}" for s in scales)]
    header += [f"exponent {a}–{b}" for a, b in pairwise(scales)]
    rows = [tuple(header)]
    for name in stages[scales[-1], limit]:
        took = [stages[s, limit].get(name, math.nan) for s in scales]
        rows.append((name, *(f"{t:.2f}" for t in took), *_exponents(scales, took)))
    totals = [seconds[s, limit] for s in scales]
    rows.append(("all of it, by the clock", *(f"{t:.2f}" for t in totals), *_exponents(scales, totals)))
    return measure.markdown(rows)


def _exponents(scales: Sequence[int], took: Sequence[float]) -> list[str]:
    """Of times under a tenth of a second, growth says nothing."""
    exponents = []
    for i in range(len(scales) - 1):
        if not took[i + 1] >= 0.1 or not took[i] > 0:
            exponents.append("")
        else:
            exponents.append(f"{math.log(took[i + 1] / took[i]) / math.log(scales[i + 1] / scales[i]):.2f}")
    return exponents


def _megabytes(limit: str) -> float:
    units = {
        "KB": 1e-3,
        "MB": 1.0,
        "GB": 1e3,
        "TB": 1e6,
        "KiB": 1.024e-3,
        "MiB": 1.048576,
        "GiB": 1073.741824,
    }
    unit = limit.lstrip("0123456789. ")
    return float(limit.removesuffix(unit)) * units[unit]


if __name__ == "__main__":
    main()
