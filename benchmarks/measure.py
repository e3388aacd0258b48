"""Run commands as processes of their own, in turn, and say how long they took and in how much memory.

This process stays small on purpose: on Linux the peak memory of a child begins with its parent's.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "backbone-benchmarks"
PACKAGES = (
    "backbone-data", "duckdb", "deltalake", "pyarrow", "numpy", "scikit-learn", "typer", "rich",
    "dlt", "pandas", "polars",
)  # fmt: skip


@dataclass(frozen=True)
class Usage:
    """What one process took, its own children included in the times."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Contestant:
    """A command to measure.

    Parameters
    ----------
    prepare : done before each run and not measured, such as making an empty project.
    check : done after each run and not measured; raises where the run has not made what it should.
    """

    name: str
    command: Sequence[str | Path]
    prepare: Callable[[], object] = lambda: None
    check: Callable[[], object] = lambda: None
    environment: Mapping[str, str] = field(default_factory=dict)


Measured = dict[str, list[Usage]]


def measure(contestants: Sequence[Contestant], runs: int, warm_ups: int = 0) -> Measured:
    """Run all contestants once, then all again: what disturbs the machine disturbs them alike."""
    measured: Measured = {c.name: [] for c in contestants}
    for run in range(-warm_ups, runs):
        for contestant in contestants:
            contestant.prepare()
            usage = run_once(contestant.command, contestant.environment)
            contestant.check()
            if run >= 0:
                measured[contestant.name].append(usage)
                print(f"  {contestant.name}: {usage.seconds:.2f} s", file=sys.stderr)
    return measured


def run_once(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Usage:
    """Run one command to its end.

    Raises
    ------
    SystemExit
        When it fails, with the end of what it said.
    """
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**_environment(), **(environment or {})},
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            text = said.read().decode("utf-8", "replace")[-2000:]
            raise SystemExit(f"{' '.join(map(str, command))}\nfailed ({process.returncode}):\n{text}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Usage(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * unit / 1e6)


def _environment() -> dict[str, str]:
    """This one, less a setting by which every start would compile all of its modules again."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def results(measured: Measured, baseline: str, digits: int = 2) -> str:
    """A Markdown table: medians over the runs; the ratio is that of each round's pair to the baseline."""
    rows = [("", "median s", "min s", "max s", "CPU s", "peak MB", f"× {baseline}", "min – max ×")]
    for name, used in measured.items():
        seconds = [u.seconds for u in used]
        ratios = [u.seconds / b.seconds for u, b in zip(used, measured[baseline], strict=True)]
        rows.append(
            (
                name,
                f"{statistics.median(seconds):.{digits}f}",
                f"{min(seconds):.{digits}f}",
                f"{max(seconds):.{digits}f}",
                f"{statistics.median(u.cpu_seconds for u in used):.{digits}f}",
                f"{max(u.peak_mb for u in used):,.0f}",
                f"{statistics.median(ratios):.2f}",
                f"{min(ratios):.2f} – {max(ratios):.2f}",
            )
        )
    return markdown(rows)


def ratio(measured: Measured, name: str, baseline: str) -> float:
    """The median of the ratios of each round's pair."""
    pairs = zip(measured[name], measured[baseline], strict=True)
    return statistics.median(a.seconds / b.seconds for a, b in pairs)


def median(measured: Measured, name: str) -> float:
    """The median wall time in seconds."""
    return statistics.median(u.seconds for u in measured[name])


def target(text: str, met: bool) -> str:
    """A line that says whether a target is met."""
    return f"- {'met' if met else '**not met**'}: {text}"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table with its columns aligned, the first to the left and the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(cells: Sequence[str]) -> str:
        first, *others = (
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join([first, *others])} |"

    rule = [("-" * (w - 1) + ":") if i else "-" * w for i, w in enumerate(widths)]
    return "\n".join([line(rows[0]), line(rule), *map(line, rows[1:])])


def machine() -> str:
    """What this was measured on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return "\n".join(
        [
            f"- {cores} cores ({_processor()}), {memory_gb:.0f} GB of memory, {_system()}",
            f"- Python {platform.python_version()}, {', '.join(versions)}",
            f"- load average at the start: {', '.join(f'{load:.1f}' for load in os.getloadavg())}",
        ]
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _system() -> str:
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        name = ""
    return f"{name + ', ' if name else ''}{platform.system()} {platform.release()}"


def backbone(python: str) -> Path:
    """The command `backbone` of an interpreter's environment."""
    return Path(python).absolute().parent / "backbone"


def fresh(folder: Path) -> Path:
    """A folder that does not exist, with parents that do."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder


def arguments(doc: str | None, runs: int) -> argparse.ArgumentParser:
    """The arguments that all benchmarks have."""
    parser = argparse.ArgumentParser(
        description=(doc or "").partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=runs, help="how often each contestant runs")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where inputs are kept")
    parser.add_argument("--python", default=sys.executable, help="of the environment that has Backbone")
    return parser
