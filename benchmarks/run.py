"""Run all benchmarks and keep what they found with the machine's description: `python -m benchmarks.run`."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import measure

HERE = Path(__file__).parent
BENCHMARKS: dict[str, list[str]] = {
    "csv_to_table": [],
    "wide_contract": [],
    "pollution": [],
    "movie_rentals": [],
    "per_group": [],
    "rare_edges": [],
    "hourly_components": [],
    "startup": [],
}  # with their usual sizes
QUICK = {
    "csv_to_table": ["--rows", "100000", "--runs", "2"],
    "wide_contract": ["--sizes", "8x1", "16x2", "--runs", "2"],
    "pollution": ["--one-in", "100"],
    "movie_rentals": ["--scale", "1", "10", "--runs", "1"],
    "per_group": ["--users", "500", "--sizes", "1000", "--runs", "1"],
    "rare_edges": [
        "--counts",
        "50000",
        "--sorted",
        "100000",
        "--connections",
        "200000",
        "--known",
        "5000",
        "--runs",
        "1",
    ],
    "hourly_components": ["--users", "1000", "--spark-users", "300", "--runs", "1"],
    "startup": ["--runs", "5"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all by default"
    )
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, to see that all work; kept nowhere"
    )
    given = parser.parse_args()
    for name in given.names:
        if name not in BENCHMARKS:
            parser.error(f"expected one of {', '.join(BENCHMARKS)}, found {name}")
    started_at = datetime.now(UTC)
    parts = [f"# {started_at:%Y-%m-%d %H:%M} UTC\n", measure.machine()]
    for name in given.names or BENCHMARKS:
        options = (QUICK if given.quick else BENCHMARKS)[name]
        command = ["-m", f"benchmarks.{name}", *options]
        print(f"{name} …", file=sys.stderr)
        done = subprocess.run(
            [sys.executable, *command], cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode != 0:
            raise SystemExit(done.returncode)
        print(done.stdout)
        parts.append(f"\n## {name}\n\n`python {shlex.join(command)}`\n\n{done.stdout.rstrip()}")
    if given.quick:
        return
    file = HERE / "results" / f"{started_at:%Y-%m-%d}-{os.cpu_count()}-cores.md"
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(parts) + "\n", encoding="utf-8")
    print(f"Kept in {file.relative_to(HERE.parent)}.")


if __name__ == "__main__":
    main()
