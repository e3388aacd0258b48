"""The contestants of one size: run in turn, heard, and held to each other."""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import Contestant, Measured

ROOT = Path(__file__).parents[2]
NEAR = 1e-8  # relative; of variances, and of sums and extremes of scores

KERNEL, ENGINE, FIT, PIPELINE = (
    "Backbone, kernel",
    "Backbone, tables",
    "Backbone, fit",
    "Backbone, pipeline",
)
SKLEARN, ONE_THREAD, SVDS, SPARK = (
    "scikit-learn",
    "scikit-learn, 1 thread",
    "SciPy svds",
    "PySpark, 1 hour × 24",
)
GROUP_BY, TABLE = "DuckDB, group by", "DuckDB, group by to a table"
SCRIPTS = {
    KERNEL: ["product", "kernel"],
    ENGINE: ["product", "engine"],
    FIT: ["product", "events"],
    PIPELINE: ["pipeline"],
    SKLEARN: ["sklearn_pca", "default"],
    ONE_THREAD: ["sklearn_pca", "one"],
    SVDS: ["scipy_svds"],
    SPARK: ["pyspark_pca"],
    GROUP_BY: ["duckdb_counts"],
    TABLE: ["duckdb_counts", "table"],
}
LIMITED = (KERNEL, ENGINE, FIT, PIPELINE)  # in memory, by an option


@dataclass(frozen=True)
class Size:
    """The activity of so many users, on so many days, with so many events of each in an hour of a day."""

    users: int
    days: int
    rate: float

    def __str__(self) -> str:
        return f"{self.users:,} users × {self.days} days"


@dataclass
class Session:
    """The contestants of one size, and what they said of themselves.

    Parameters
    ----------
    events : whether they read events that are to be counted, or cells.
    """

    given: argparse.Namespace
    size: Size
    events: bool = False
    said: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    facts: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, names: Sequence[str], runs: int) -> Measured:
        file = self._file()
        measured = measure.measure([self._contestant(name, file) for name in names], runs)
        return {name: used for name, used in measured.items() if name not in self.skipped}

    def _contestant(self, name: str, file: Path) -> Contestant:
        python = self.given.python if name in LIMITED else self.given.peers
        folder = self.given.cache / "hourly-components"
        out, said = folder / "out", folder / "said.json"
        script, *options = SCRIPTS[name]
        if name in LIMITED:
            options += ["--memory", self.given.memory]
        # The shell becomes the script: nothing but its own use is accounted for.
        into = ["/bin/sh", "-c", 'exec "$@" > "$0"', said]
        return Contestant(
            name,
            [*into, python, "-m", f"benchmarks.hourly_components.{script}", file, out, *options],
            prepare=lambda: measure.fresh(out),
            check=lambda: self._hear(name, said, out),
            environment={"PYTHONPATH": str(ROOT)},
        )

    def _hear(self, name: str, said: Path, out: Path) -> None:
        """Keep what a contestant said of its parts, and hold what it found to what the others found."""
        found = json.loads(said.read_text(encoding="utf-8").splitlines()[-1])
        if "skipped" in found:
            self.skipped[name] = found["skipped"]
            return
        self.said.setdefault(name, []).append(found)
        for hour, facts in json.loads((out / "facts.json").read_text(encoding="utf-8")).items():
            first = self.facts.setdefault(hour, facts)
            if not all(math.isclose(a, b, rel_tol=NEAR) for a, b in zip(facts, first, strict=True)):
                raise SystemExit(f"{self.size}, {hour}: {name} found {facts}, the first {first}")

    def least(self, name: str, part: str) -> float:
        return min(said[part] for said in self.said[name])

    def ratio(self, name: str, baseline: str, part: str, of: str | None = None) -> float:
        """The median of the ratios of each round's pair."""
        pairs = zip(self.said[name], self.said[baseline], strict=True)
        return statistics.median(a[part] / b[of or part] for a, b in pairs)

    def parts(self) -> str:
        """A Markdown table of the seconds of the parts: medians over the runs."""
        names = list(
            dict.fromkeys(part for said in self.said.values() for part in said[0] if part != "total")
        )
        rows = [("median seconds within", *names)]
        for name, said in self.said.items():
            medians = [
                f"{statistics.median(one[part] for one in said):.4f}" if part in said[0] else ""
                for part in names
            ]
            rows.append((name, *medians))
        return measure.markdown(rows)

    def _file(self) -> Path:
        """Made in a process of its own, so that this one stays small."""
        numbers = map(str, (self.size.users, self.size.days, self.size.rate))
        folder = self.given.cache / "hourly-components"
        command = [self.given.peers, "-m", "benchmarks.hourly_components.data", *numbers, folder]
        if self.events:
            command.append("--events")
        said = subprocess.check_output([str(part) for part in command], cwd=ROOT, text=True)
        return Path(said.strip())
