"""What a project costs after many runs of one small file each: CPU seconds a run, files, data files a table.

`python -m benchmarks.growth FOLDER [RUNS] [KEEP_DAYS]` makes the project in a new folder and prints
the figures.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from backbone.maintain import maintain
from projects import TinyProject

SPAN = 100


def grow(root: Path, runs: int, settings: str) -> None:
    project = TinyProject(root, settings=settings)
    seconds = []
    for run in range(runs):
        at = f"2026-{run // 672 % 12 + 1:02}-{run // 24 % 28 + 1:02}T{run % 24:02}:00:00"
        project.sales(f"{run}.csv", (run, "a", 1, at), (run // 2, "b", 2, at))
        begin = time.process_time()
        assert project.run().ok
        seconds.append(time.process_time() - begin)
        if run % SPAN == SPAN - 1:
            print(f"{run + 1} runs: {_of(seconds[-SPAN:])}, {_files(root)} files", flush=True)
    begin = time.process_time()
    done = maintain(project.open())
    print(f"maintain: {time.process_time() - begin:.2f} s, freed {done.files} files, {done.bytes} bytes")
    data = {name: len(project.lake.read(name).files) for name in project.lake.datasets()}
    stored = {name: sum(1 for _ in project.lake.path(name).rglob("*.parquet")) for name in data}
    figures = {
        "first": _of(seconds[:SPAN]),
        "last": _of(seconds[-SPAN:]),
        "files a run": round(_files(root) / runs, 2),
        "data files of the present version": data,
        "parquet files on disk, checkpoints too": stored,
    }
    print(json.dumps(figures, indent=1))


def _files(root: Path) -> int:
    return sum(1 for file in root.rglob("*") if file.is_file())


def _of(seconds: list[float]) -> str:
    return f"mean {sum(seconds) / len(seconds):.4f} s, median {median(seconds):.4f} s"


if __name__ == "__main__":
    found = f"[maintain]\nkeep_days = {sys.argv[3]}\n" if len(sys.argv) > 3 else ""
    grow(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000, found)
