"""The documents do what they say: their commands are run, and nothing that is there lacks a description.

A block that begins with ```` ```console ```` is a session: lines with `$ ` are run by a shell in an empty
folder, with this environment's `backbone`, and what they print has to be what the page shows. Words
after the language say more: `status=1` that the last command ends so, and on a block of any other language
`file=PATH` that it is written to that file first. Commands that begin with one of `SKIPPED` are not run.

After a change of wording: `python tests/test_docs.py --update` writes what is printed now into the pages.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "src" / "backbone" / "pipelines").rglob("*.md")]
)
SESSIONS = (
    ("README.md", "docs/command-line.md", "docs/when-something-is-broken.md"),
    ("docs/tutorial.md",),
    ("docs/per-group-models.md",),
    ("docs/landing.md",),
)
"""Pages whose commands are run, one after another in one folder."""

SKIPPED = {
    "make": "it sets up an environment, or runs these tests",
    "pip": "it installs the package",
    "git": "it is for a checkout",
}
LAST_SAMPLE = "2026-03-01"
"""Dates of the pages' data lie before it; dates from it on are those of a run."""

FENCE = re.compile(r"^```(?P<language>\w+)(?P<words>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
INSTANT = re.compile(r"(?<!\w)\d{4}-\d\d-\d\d(?:[T ]\d\d:?\d\d(?::?\d\d(?:\.\d+)?)?(?:\+00(?::00)?|Z)?)?")


Played = tuple[str, str, str]  # a command, what the page shows, what was printed


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: where its body stands, and what is said of it."""

    language: str
    words: dict[str, str]
    body: str
    start: int
    end: int

    def commands(self) -> Iterator[tuple[str, str]]:
        """Each command of a session with the output that follows it."""
        for part in re.split(r"^\$ ", self.body, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def blocks(text: str) -> list[Block]:
    return [
        Block(
            m["language"],
            dict(word.split("=", 1) for word in m["words"].split() if "=" in word),
            m["body"],
            m.start("body"),
            m.end("body"),
        )
        for m in FENCE.finditer(text)
    ]


def skipped(command: str) -> bool:
    return command.split()[0] in SKIPPED


def shell(command: str, folder: Path) -> tuple[int, str]:
    """Exit status and what is printed, errors included."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout


def play(page: Path, folder: Path) -> Iterator[tuple[Block, list[Played]]]:
    """Run a page; per session the commands, what the page shows for each, and what was printed."""
    for block in blocks(page.read_text(encoding="utf-8")):
        if "file" in block.words:
            file = folder / block.words["file"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.body, encoding="utf-8")
        if block.language != "console":
            continue
        played = []
        last = list(block.commands())[-1][0]
        for command, shown in block.commands():
            if skipped(command):
                played.append((command, shown, shown))
                continue
            status, printed = shell(command, folder)
            expected = int(block.words.get("status", "0")) if command == last else 0
            if status != expected:
                raise AssertionError(f"{page.name}: `{command}` ended with {status}:\n{printed}")
            played.append((command, shown, printed))
        yield block, played


def normal(text: str) -> str:
    """What stays the same from run to run: without the times, durations and ids of this one."""
    lines = []
    timed = False
    for raw in text.strip().splitlines():
        line = " ".join(raw.split())
        if re.search(r"(^| )seconds( |$)", line):
            timed = True
        elif not line:
            timed = False
        elif timed:
            line = re.sub(r"(?<= )\d+(\.\d+)?(e-\d+)?(?=$| \d{8}T)", "<s>", line)
        line = re.sub(r"\b\d{8}T\d{6}-[0-9a-f]{6}\b", "<run>", line)
        line = re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{12,64}\b", "<id>", line)
        line = re.sub(r"\ba file of [\d,]+ bytes\b", "a file of <n> bytes", line)  # ids are in it
        line = INSTANT.sub(lambda m: "<now>" if m.group() >= LAST_SAMPLE else m.group(), line)
        line = re.sub(r'"(seconds|peak_memory_bytes)": ?[\d.e-]+', r'"\1":<n>', line)
        lines.append(line)
    return "\n".join(lines)


def played_session(pages: tuple[str, ...], folder: Path) -> dict[str, list[tuple[Block, list[Played]]]]:
    return {page: list(play(ROOT / page, folder)) for page in pages}


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Future[Any]]]:
    """The sessions, being played side by side: nearly all of the time goes to starting processes."""
    with ThreadPoolExecutor(len(SESSIONS)) as pool:
        yield [pool.submit(played_session, pages, tmp_path_factory.mktemp("docs")) for pages in SESSIONS]


@pytest.mark.parametrize("index", range(len(SESSIONS)), ids=map(" then ".join, SESSIONS))
def test_commands_print_what_the_pages_show(index: int, sessions: list[Future[Any]]) -> None:
    for page, blocks_played in sessions[index].result().items():
        for _, played in blocks_played:
            for command, shown, printed in played:
                assert normal(printed) == normal(shown), f"{page}: $ {command}"


@pytest.mark.long
def test_the_report_on_real_reviews(shared_data: Path, tmp_path: Path) -> None:
    page = (DOCS / "film-rentals.md").read_text(encoding="utf-8")
    program = next(b.body for b in blocks(page) if b.words.get("file") == "report.py")
    (tmp_path / "report.py").write_text(program, encoding="utf-8")
    (tmp_path / "reviews.csv").symlink_to(shared_data / "movie_reviews" / "reviews.csv")
    status, printed = shell("python report.py", tmp_path)
    assert status == 0, printed
    for line in printed.splitlines()[:3]:
        assert f"| {' | '.join(line.split())} |" in page


def update() -> None:
    """Write what the commands print now into the pages."""
    for pages in SESSIONS:
        with tempfile.TemporaryDirectory() as folder:
            for name in pages:
                page = ROOT / name
                text = page.read_text(encoding="utf-8")
                for block, played in reversed(list(play(page, Path(folder)))):
                    parts = []
                    for command, shown, printed in played:
                        same = normal(printed) == normal(shown)
                        lines = (shown if same else printed).rstrip().split("\n")
                        output = "\n".join(line.rstrip() for line in lines)
                        parts.append(f"$ {command}\n" + (f"{output.lstrip(chr(10))}\n" if output else ""))
                    text = text[: block.start] + "\n".join(parts) + text[block.end :]
                page.write_text(text, encoding="utf-8")


# --- nothing is left out ---


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next of its level."""
    level = heading.split()[0]
    found = re.search(rf"^{re.escape(heading)}$\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", text, re.M | re.S)
    assert found, f"there is no heading {heading!r}"
    return found[1]


def test_every_command_is_documented() -> None:
    from typer.main import get_command

    from backbone.commands.cli import app

    group: Any = get_command(app)
    page = (DOCS / "command-line.md").read_text(encoding="utf-8")
    for option in group.params:
        assert all(f"`{name}`" in page for name in option.opts), option.opts
    for name, command in group.commands.items():
        text = section(page, f"## {name}")
        for parameter in command.params:
            names = parameter.opts if parameter.param_type_name == "option" else [parameter.name.upper()]
            for shown in names:
                assert re.search(rf"`{re.escape(shown)}[`\s]", text), f"{name}: {shown} is not documented"
    headings = set(re.findall(r"^## (\S+)$", page, re.M))
    assert headings >= set(group.commands)
    assert not headings - set(group.commands), "a command is documented that is not there"


def toml(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{list(value)}`"
    if isinstance(value, dict):
        return "`{}`"
    if isinstance(value, str):
        return f"`'{value}'`" if '"' in value else f'`"{value}"`'
    return f"`{value}`"


@pytest.mark.parametrize("name", ["project", "engine", "maintain", "connections.NAME", "sources.NAME"])
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    from backbone import settings
    from backbone.source_settings import SourceSettings

    models: dict[str, Any] = {
        "project": settings.ProjectSettings,
        "engine": settings.EngineSettings,
        "maintain": settings.MaintainSettings,
        "connections.NAME": settings.ConnectionSettings,
        "sources.NAME": SourceSettings,
    }
    assert {n.partition(".")[0] for n in models} | {"root", "pipelines"} == set(
        settings.Settings.model_fields
    )
    text = section((DOCS / "settings.md").read_text(encoding="utf-8"), f"## [{name}]")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", text, re.M))
    expected = {
        key: "required" if field.is_required() else toml(field.default)
        for key, field in models[name].model_fields.items()
    }
    assert rows == expected


def test_every_setting_of_a_column_is_documented() -> None:
    from backbone.column_settings import ColumnSettings

    text = section((DOCS / "settings.md").read_text(encoding="utf-8"), "## [sources.NAME.column.FIELD]")
    assert re.findall(r"^\| `(\w+)` \|", text, re.M) == [*ColumnSettings.model_fields]


def test_every_public_name_is_documented() -> None:
    import backbone

    page = (DOCS / "python.md").read_text(encoding="utf-8")
    for name in backbone.__all__:
        assert getattr(backbone, name).__name__ == name
        assert re.search(rf"^\| `{name}` \|", page, re.M), f"{name} is not in docs/python.md"
    assert dir(backbone)
    with pytest.raises(AttributeError):
        _ = backbone.no_such_name


def test_every_check_is_documented() -> None:
    from backbone.exploitation import checks

    page = (DOCS / "models.md").read_text(encoding="utf-8")
    for name, found in vars(checks).items():
        if isinstance(found, type) and hasattr(found, "failures") and name != "Check":
            assert f"`{name}" in page, f"{name} is not in docs/models.md"


def test_every_operations_column_is_documented() -> None:
    from dataclasses import fields

    from backbone.dataset import Batch
    from backbone.ledger.tables import LASTING, TABLES, schema

    page = (DOCS / "zones.md").read_text(encoding="utf-8")
    columns = {f"operations.{table}": schema(table).names for table in (*TABLES, *LASTING)}
    columns["landing.batch"] = [f.name for f in fields(Batch)]
    for table, names in columns.items():
        rows = re.findall(r"^\| `(\w+)` \|", section(page, f"### {table}"), re.M)
        assert rows == names, table


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = (
        "import sys, backbone; "
        "print([m for m in ('pydantic', 'duckdb', 'deltalake', 'pyarrow', 'typer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- the pages hang together ---


def slug(heading: str) -> str:
    """The anchor that a heading gets on GitHub."""
    bare = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return bare.replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{target}: no such file"
        if anchor and there.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", FENCE.sub("", there.read_text(encoding="utf-8")), re.M)
            assert anchor in map(slug, headings), f"{target}: no such heading"


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8"))
        waiting += [(page.parent / link).resolve() for link in links if "://" not in link]
    missing = {page for page in PAGES if page.is_relative_to(DOCS)} - seen
    assert not missing


def test_no_page_names_this_machine() -> None:
    for page in PAGES:
        assert str(ROOT) not in page.read_text(encoding="utf-8"), page.name


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        sys.exit("usage: python tests/test_docs.py --update")
    update()
