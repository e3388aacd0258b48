"""How long does Backbone take to answer, and to find that there is nothing to do?

Each is compared with the imports it can't do without: Typer and Rich for `--help`; DuckDB and deltalake for a
run of an up-to-date project, once of the film rentals with files only and once with the query sources too.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import Contestant

SAMPLE = "import sys, pathlib, backbone.demo as d; d.make_demo(pathlib.Path(sys.argv[1]), int(sys.argv[2]))"
HELP, TYPER, TYPER_ONLY = "backbone --help", "import typer, rich", "import typer"
FILES, ALL, LIBRARIES = "backbone run, files", "backbone run, files and queries", "import duckdb, deltalake"
LISTED = '"backbone.pipelines.movie_rentals"'

# The same pipeline less what reads the database: two sources of files and the tables made of them.
FILES_ONLY = '''"""The film rentals without their database."""

from dataclasses import replace
from pathlib import Path

from backbone.pipelines.movie_rentals import pipeline as shipped

NAMES = ("user_purchase", "movie_review")
pipeline = replace(
    shipped.pipeline,
    sources=[s for s in shipped.pipeline.sources if s.name in NAMES],
    steps=[
        replace(s, file=str(Path(shipped.__file__).parent / s.file)) if hasattr(s, "file") else s
        for s in shipped.pipeline.steps
        if s.name != "customer_genre_metric"
    ],
)
'''


def main() -> None:
    parser = measure.arguments(__doc__, runs=21)
    parser.add_argument("--scale", type=int, default=1, help="of the project's sample data")
    given = parser.parse_args()
    command = measure.backbone(given.python)
    projects = {name: measure.fresh(given.cache / f"startup-{i}") for i, name in enumerate((FILES, ALL))}
    for name, project in projects.items():
        subprocess.run([given.python, "-c", SAMPLE, project, str(given.scale)], check=True)
        if name == FILES:
            _without_queries(project)
        measure.run_once([command, "-C", project, "run"])
        said = subprocess.check_output([command, "-C", project, "run"], text=True).strip()
        if said != "Nothing is stale.":
            raise SystemExit(f"expected nothing to be stale, found {said}")
    contestants = [
        Contestant("python -c pass", [given.python, "-c", "pass"]),
        Contestant(TYPER, [given.python, "-c", "import typer, rich.console, rich.table, rich.panel"]),
        Contestant(TYPER_ONLY, [given.python, "-c", "import typer"]),
        Contestant(HELP, [command, "--help"]),
        Contestant(LIBRARIES, [given.python, "-c", "import duckdb, deltalake"]),
        *(Contestant(name, [command, "-C", project, "run"]) for name, project in projects.items()),
    ]
    measured = measure.measure(contestants, given.runs, warm_ups=2)
    for project in projects.values():
        shutil.rmtree(project)
    print(f"{given.runs} runs of each in turn, sample data of scale {given.scale}.\n")
    for names, baseline in (((TYPER, TYPER_ONLY, HELP), TYPER), ((LIBRARIES, FILES, ALL), LIBRARIES)):
        print(measure.results({n: measured[n] for n in ("python -c pass", *names)}, baseline, digits=3))
        print()
    over = measure.ratio(measured, HELP, TYPER)
    print(measure.target(f"{HELP}: at most 1.5 × {TYPER}, found {over:.2f} ×", over <= 1.5))
    for name in (FILES, ALL):
        most = 1.5 * measure.median(measured, LIBRARIES) + 0.3
        took = measure.median(measured, name)
        text = f"{name}: at most 1.5 × {LIBRARIES} + 0.3 s = {most:.2f} s, found {took:.2f} s"
        print(measure.target(text, took <= most))


def _without_queries(project: Path) -> None:
    """Leave what is fed from files: the database's sections go, and so does what reads it."""
    (project / "rentals_of_files.py").write_text(FILES_ONLY, encoding="utf-8")
    settings = project / "backbone.toml"
    head, *sections = settings.read_text(encoding="utf-8").split("\n[")
    others = [s for s in sections if "shop" not in s]
    text = "\n[".join([head, *others]).replace(LISTED, '"rentals_of_files"')
    settings.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
