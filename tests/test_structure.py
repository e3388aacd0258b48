"""What may import what, and what is loaded when."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import backbone

PACKAGE = Path(backbone.__file__).parent
ORDER = (
    "errors", "home", "interrupts", "printable", "whole_file", "storage_refused", "error_log", "dataset",
    "asked", "timezones", "resources", "quoting", "contracts", "column_settings", "settings_for_files",
    "unpivot_settings", "source_settings", "settings", "lake", "engines", "ledger", "landing", "formatted",
    "exploitation", "analysis", "testing", "governance", "operations", "pipeline", "importing", "validation",
    "loading", "project_folder", "project", "planning", "upkeep", "perform", "pinning", "repair",
    "publish_exports", "runner", "maintain", "overview", "pipelines", "orchestration", "reports", "scaffold",
    "demo", "commands",
)  # fmt: skip
HEAVY = (
    "duckdb", "deltalake", "pandas", "pyarrow", "sqlglot", "sklearn", "skops", "numba", "numpy", "scipy",
    "adbc_driver_manager", "adbc_driver_postgresql", "adbc_driver_sqlite",
)  # fmt: skip
FILES = sorted(PACKAGE.rglob("*.py"))
MOST_PARAMETERS = 7  # beside self and cls
# Functions that may have more, each with the reason.
MANY_PARAMETERS = {
    "commands/running.py: run": "an option of the command line each",
    "commands/report.py: report": "an option of the command line each",
    "analysis/hourly_components/estimator.py: HourlyComponents.__init__": "a record of settings",
    "analysis/rare_edges/detector.py: RareEdgeDetector.__init__": "a record of settings",
}


def _part(parts: tuple[str, ...]) -> str:
    """The place in the order of a module below `backbone`."""
    return parts[0] if parts else ""


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, at any level, as written out in full."""
    here = path.relative_to(PACKAGE.parent).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = here[: -node.level] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            for name in node.names:
                inner = PACKAGE.parent.joinpath(*module.split("."), name.name)
                is_module = inner.is_dir() or inner.with_suffix(".py").is_file()
                yield node.lineno, f"{module}.{name.name}" if is_module else module


def _upward(path: Path) -> list[str]:
    here = path.relative_to(PACKAGE).with_suffix("").parts
    found = []
    for line, module in _imports(path):
        parts = tuple(module.split("."))
        if parts[0] != "backbone" or len(parts) == 1:
            continue
        mine, other = _part(here), parts[1]
        if mine == other and len(here) > 1:
            continue
        if other not in ORDER:
            found.append(f"line {line}: {module} has no place in the order")
        elif ORDER.index(other) >= ORDER.index(mine):
            found.append(f"line {line}: {mine} imports {module}")
    return found


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.name != "__init__.py"], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_a_file_imports_only_from_those_above_it(path: Path) -> None:
    assert _part(path.relative_to(PACKAGE).with_suffix("").parts) in ORDER
    assert _upward(path) == []


def _name(path: Path) -> str:
    """A module as others import it."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _circle(imports: Mapping[str, set[str]]) -> list[str]:
    """Modules each of which imports the next, back to the first; none where there is no such circle."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def test_modules_import_each_other_in_no_circle() -> None:
    """Within a folder too; what is imported in a function or for the types alone counts."""
    names = {_name(path) for path in FILES}
    imports = {_name(path): {found for _, found in _imports(path) if found in names} for path in FILES}
    assert _circle(imports) == []
    engine = "backbone.engines.duckdb.engine"
    assert engine in imports["backbone.engines"]
    circle = _circle(imports | {engine: imports[engine] | {"backbone.engines"}})
    assert circle[0] == circle[-1]
    assert {*circle} == {engine, "backbone.engines"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_pickle_is_imported(path: Path) -> None:
    banned = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
    assert [module for _, module in _imports(path) if module.split(".")[0] in banned] == []


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "pipelines").rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_a_shipped_pipeline_needs_the_public_names_alone(path: Path) -> None:
    """People copy them: what they import from the package is public, or a module of their own."""
    used = {
        name.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "backbone"
        for name in node.names
    }
    inner = [
        module
        for _, module in _imports(path)
        if module.startswith("backbone.") and not module.startswith("backbone.pipelines")
    ]
    assert (inner, used - {*backbone.__all__}) == ([], set())


def _parameters(code: ast.AST, outer: str = "") -> Iterator[tuple[str, list[str]]]:
    """Every function below a node, under its full name, with its parameters."""
    for node in ast.iter_child_nodes(code):
        name = outer
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            name = ".".join(filter(None, [outer, getattr(node, "name", "lambda")]))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            given = node.args
            some = [given.vararg, *given.kwonlyargs, given.kwarg]
            names = [one.arg for one in (*given.posonlyargs, *given.args, *some) if one is not None]
            yield name, [one for one in names if one not in ("self", "cls")]
        yield from _parameters(node, name)


def test_no_function_has_too_many_parameters() -> None:
    """What travels together is one record."""
    code = "class A:\n async def f(self, a, /, b, *c, d, **e):\n  g = lambda x: x"
    assert dict(_parameters(ast.parse(code))) == {"A.f": [*"abcde"], "A.f.lambda": ["x"]}
    found = {
        f"{path.relative_to(PACKAGE).as_posix()}: {name}"
        for path in FILES
        for name, parameters in _parameters(ast.parse(path.read_text(encoding="utf-8")))
        if len(parameters) > MOST_PARAMETERS
    }
    assert found == {*MANY_PARAMETERS}


def _loaded_after(code: str) -> list[str]:
    listing = f"{code}\nimport sys\nsys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    return [name.partition(".")[0] for name in done.stderr.split()]


@pytest.mark.parametrize(
    "code",
    [
        "import backbone",
        "import backbone.commands.cli",
        "import sys\nfrom backbone.commands.main import main\nsys.argv = ['backbone', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code",
    ],
    ids=["import backbone", "import backbone.commands.cli", "backbone --help"],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert sorted({*_loaded_after(code)} & {*HEAVY}) == []
