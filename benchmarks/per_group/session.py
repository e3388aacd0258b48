"""The contestants of one size: run in turn, heard, and held to each other."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import Contestant, Measured

ROOT = Path(__file__).parents[2]
NEAR = 0.01  # scikit-learn's default tolerance moves a coefficient by up to 0.02, their mean by far less

PRODUCT, ON_SORTED = "Backbone", "Backbone, sorted file"
LOOP, FRAMES, JOBLIB = "scikit-learn loop", "scikit-learn loop, frames", "joblib"
PLPYTHON, SEGMENTS, SPARK = "PL/Python", "PL/Python, all cores", "PySpark"
SORT_ALL, SORT_USED = "DuckDB, sort only", "DuckDB, sort 4 of 5 columns"


@dataclass
class Session:
    """The contestants of one size, and what they said of themselves."""

    given: argparse.Namespace
    users: int
    said: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    facts: list[dict[str, object]] = field(default_factory=list)

    def measure(self, names: Sequence[str], runs: int, warm_ups: int) -> Measured:
        measured = measure.measure([self._contestant(name) for name in names], runs, warm_ups)
        self.said = {name: said[warm_ups:] for name, said in self.said.items()}
        return {name: used for name, used in measured.items() if name not in self.skipped}

    def _contestant(self, name: str) -> Contestant:
        python = self.given.python if name in (PRODUCT, ON_SORTED) else self.given.peers
        out, said = self.given.cache / "per-group" / "out", self.given.cache / "per-group" / "said.json"
        script, *options = self._script(name)
        file = _file(self.given, self.users, by_user=name == ON_SORTED)
        # The shell becomes the script: nothing but its own use is accounted for.
        into = ["/bin/sh", "-c", 'exec "$@" > "$0"', said]
        return Contestant(
            name,
            [*into, python, "-m", f"benchmarks.per_group.{script}", file, out, *options],
            prepare=lambda: measure.fresh(out),
            check=lambda: self._hear(name, said, out),
            environment={"PYTHONPATH": str(ROOT)},
        )

    def _script(self, name: str) -> list[str]:
        return {
            PRODUCT: ["product", "--memory", self.given.memory],
            ON_SORTED: ["product", "--memory", self.given.memory],
            LOOP: ["sklearn_loop", "arrays"],
            FRAMES: ["sklearn_loop", "frames"],
            JOBLIB: ["joblib_groups"],
            PLPYTHON: ["plpython", "1"],
            SEGMENTS: ["plpython", str(os.cpu_count())],
            SPARK: ["pyspark_groups"],
            SORT_ALL: ["duckdb_sort", "all"],
            SORT_USED: ["duckdb_sort", "used"],
        }[name]

    def _hear(self, name: str, said: Path, out: Path) -> None:
        """Keep what a contestant said of its parts, and hold what it stored to what the others stored."""
        found = json.loads(said.read_text(encoding="utf-8").splitlines()[-1])
        if "skipped" in found:
            self.skipped[name] = found["skipped"]
            return
        self.said.setdefault(name, []).append(found)
        if name in (SORT_ALL, SORT_USED):
            return
        command = [self.given.peers, "-m", "benchmarks.per_group.facts", out]
        facts = json.loads(subprocess.check_output([str(part) for part in command], cwd=ROOT, text=True))
        self.facts.append(facts)
        if not _agree(facts, self.facts[0]):
            raise SystemExit(f"{name} stored {facts}, the first {self.facts[0]}")

    def median(self, name: str, part: str = "total") -> float:
        return statistics.median(said[part] for said in self.said[name])

    def ratio(self, name: str, baseline: str = PRODUCT, part: str = "total") -> float:
        """The median of the ratios of each round's pair."""
        pairs = zip(self.said[name], self.said[baseline], strict=True)
        return statistics.median(a[part] / b[part] for a, b in pairs)

    def parts(self) -> str:
        """A Markdown table of the seconds of the parts: medians over the runs."""
        names = list(dict.fromkeys(part for said in self.said.values() for part in said[0]))
        names.sort(key=lambda part: part == "total")
        rows = [("seconds within", *names, f"× {PRODUCT}")]
        for name, said in self.said.items():
            medians = [f"{self.median(name, part):.3f}" if part in said[0] else "" for part in names]
            rows.append((name, *medians, f"{self.ratio(name):,.2f}"))
        return measure.markdown(rows)


def _agree(a: dict[str, object], b: dict[str, object]) -> bool:
    """Whether two stored the same models for the same users; the means that both have lie near each other."""
    means, others = a["mean"], b["mean"]
    assert isinstance(means, dict) and isinstance(others, dict)
    near = all(abs(means[name] - others[name]) <= NEAR for name in means.keys() & others.keys())
    return near and (a["users"], a["models"]) == (b["users"], b["models"])


def _file(given: argparse.Namespace, users: int, *, by_user: bool) -> Path:
    """Made in a process of its own, so that this one stays small."""
    command = [given.peers, "-m", "benchmarks.per_group.data", str(users), given.cache / "per-group"]
    said = subprocess.check_output(
        [*map(str, command), *(["--sorted"] if by_user else [])], cwd=ROOT, text=True
    )
    return Path(said.strip())
