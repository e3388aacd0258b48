"""Contestants that do the same work: run in turn, heard, and held to each other."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import Contestant, Measured

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Script:
    """A contestant's script and its options.

    Parameters
    ----------
    file : what it reads; None for a script that makes its own.
    peer : whether it runs where the peers are installed.
    finds : whether it stores alerts.
    """

    name: str
    file: Path | None
    options: Sequence[str] = ()
    peer: bool = True
    finds: bool = True


@dataclass
class Session:
    """The contestants of one question, and what they said of themselves."""

    given: argparse.Namespace
    said: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    facts: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def measure(self, scripts: dict[str, Script], runs: int, warm_ups: int = 0) -> Measured:
        contestants = [self._contestant(name, script) for name, script in scripts.items()]
        measured = measure.measure(contestants, runs, warm_ups)
        self.said = {name: said[warm_ups:] for name, said in self.said.items()}
        self._forget_output()
        return {name: used for name, used in measured.items() if name not in self.skipped}

    def _contestant(self, name: str, script: Script) -> Contestant:
        folder = self.given.cache / "rare-edges"
        python = self.given.peers if script.peer else self.given.python
        said, out = folder / "said.json", folder / "out"
        # The shell becomes the script: nothing but its own use is accounted for.
        into = ["/bin/sh", "-c", 'exec "$@" > "$0"', said]
        places = [place for place in (script.file, out) if place is not None]
        return Contestant(
            name,
            [*into, python, "-m", f"benchmarks.rare_edges.{script.name}", *places, *script.options],
            prepare=self._forget_output,
            check=lambda: self._hear(name, script, said, out),
            environment={"PYTHONPATH": str(ROOT)},
        )

    def _forget_output(self) -> None:
        folder = self.given.cache / "rare-edges"
        folder.mkdir(parents=True, exist_ok=True)
        for place in ("out", "out-arrivals"):
            shutil.rmtree(folder / place, ignore_errors=True)

    def _hear(self, name: str, script: Script, said: Path, out: Path) -> None:
        """Keep what a contestant said of its parts, and hold its alerts to those of the others."""
        found = json.loads(said.read_text(encoding="utf-8").splitlines()[-1])
        if "skipped" in found:
            self.skipped[name] = found["skipped"]
            return
        self.said.setdefault(name, []).append(found)
        if not script.finds:
            return
        facts = json.loads(in_process(self.given.peers, "facts", out))
        self.facts.append((name, facts))
        first, expected = self.facts[0]
        if facts != expected:
            raise SystemExit(f"{name} found {facts}, {first} {expected}")

    def median(self, name: str, part: str = "total") -> float:
        return statistics.median(said[part] for said in self.said[name])

    def ratio(self, name: str, baseline: str, part: str = "total") -> float:
        """The median of the ratios of each round's pair."""
        pairs = zip(self.said[name], self.said[baseline], strict=True)
        return statistics.median(a[part] / b[part] for a, b in pairs)

    def parts(self, baseline: str) -> str:
        """A Markdown table of the seconds of the parts: medians over the runs."""
        names = list(dict.fromkeys(part for said in self.said.values() for part in said[0]))
        names.sort(key=lambda part: part == "total")
        rows = [("seconds within", *names, f"× {baseline}")]
        for name, said in self.said.items():
            medians = [f"{self.median(name, part):.3f}" if part in said[0] else "" for part in names]
            rows.append((name, *medians, f"{self.ratio(name, baseline):,.2f}"))
        return measure.markdown(rows)


def in_process(python: str, script: str, *arguments: object) -> str:
    """What a script prints, run in a process of its own, so that this one stays small."""
    command = [python, "-m", f"benchmarks.rare_edges.{script}", *map(str, arguments)]
    return subprocess.check_output(command, cwd=ROOT, text=True)
