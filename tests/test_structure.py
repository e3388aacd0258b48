"""What may import what, and what is loaded when."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import backbone

PACKAGE = Path(backbone.__file__).parent
ORDER = (
    "errors", "home", "error_log", "dataset", "timezones", "resources", "quoting", "time_format", "notation",
    "column", "conversion", "field_names", "regular_expression", "contract", "settings", "lake", "engines",
    "landing", "formatted", "exploitation", "analysis", "testing", "governance", "operations", "pipeline",
    "declared", "loading", "runner", "overview", "pipelines", "orchestration", "reports", "scaffold", "demo",
    "terminal", "arguments", "cli",
)  # fmt: skip
HEAVY = (
    "duckdb", "deltalake", "pandas", "pyarrow", "sqlglot", "sklearn", "skops", "numba", "numpy", "scipy",
    "adbc_driver_manager", "adbc_driver_postgresql", "adbc_driver_sqlite",
)  # fmt: skip
FILES = sorted(PACKAGE.rglob("*.py"))


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


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_pickle_is_imported(path: Path) -> None:
    banned = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
    assert [module for _, module in _imports(path) if module.split(".")[0] in banned] == []


def _loaded_after(code: str) -> list[str]:
    listing = f"{code}\nimport sys\nsys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    return [name.partition(".")[0] for name in done.stderr.split()]


@pytest.mark.parametrize(
    "code",
    [
        "import backbone",
        "import backbone.cli",
        "import sys\nfrom backbone.cli import main\nsys.argv = ['backbone', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code",
    ],
    ids=["import backbone", "import backbone.cli", "backbone --help"],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert sorted({*_loaded_after(code)} & {*HEAVY}) == []
