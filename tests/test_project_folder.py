"""A project's folder: all that is written in it is read back, or it is refused before anything is written."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.dataset import Receipt
from backbone.errors import SettingsError
from backbone.lake.publish import Staged, publish
from backbone.lake.table import Lake
from backbone.project_folder import refuse_folder
from conftest import HEADER, Trial
from projects import finished

SIGNS = [chr(number) for number in range(1, 128) if chr(number) != "/"]
REFUSED = {*map(chr, range(1, 32)), *"#?\\\x7f"}
ALLOWED = "".join(sign for sign in SIGNS if sign not in REFUSED)
NAME = "exploitation.trial"
LAST = HEADER + "9,bun,1.00,2026-01-05\n"


def _is_refused(folder: Path) -> bool:
    try:
        refuse_folder(folder)
    except SettingsError:
        return True
    return False


def _is_read_back(folder: Path) -> bool:
    """Whether a table has the history and rows that were published, before and after its files are joined."""
    lake, rows = Lake(folder), pa.table({"number": [1]})
    file = folder.parent / "rows.parquet"
    receipt = Receipt("run", "build", NAME, "")
    folder.mkdir()
    try:
        for number in range(2):
            pq.write_table(rows, file)
            publish(lake, NAME, Staged((file,), 1, rows.schema), receipt, transaction=f"t{number}", remove=())
        read = [_count(lake), len(lake.open(NAME).history())]  # as other readers see it
        lake.open(NAME).optimize.compact()
        lake.open(NAME).vacuum(0, dry_run=False, enforce_retention_duration=False)
        lake.open(NAME).create_checkpoint()
        read.append(_count(Lake(folder)))
        return read == [2, 2, 2] and [v for v, _, _ in Lake(folder).receipts(NAME)] == [0, 1]
    except Exception:
        return False


def _count(lake: Lake) -> int:
    files = list(lake.read(NAME).files)
    sql = "select count(*) from read_parquet($files)"
    return int(duckdb.execute(sql, {"files": files}).fetchall()[0][0])


@pytest.mark.parametrize("sign", SIGNS, ids=lambda sign: f"{ord(sign):02x}")
def test_a_sign_is_refused_that_tables_are_not_read_back_with(tmp_path: Path, sign: str) -> None:
    folder = tmp_path / f"a{sign}z"
    assert _is_refused(folder) == (sign in REFUSED)
    assert _is_read_back(folder) == (sign not in REFUSED)


@pytest.mark.parametrize("name", ["50%41 off", "%41", "%e4", "100%2"])
def test_a_percent_sign_is_refused_where_it_encodes_something(tmp_path: Path, name: str) -> None:
    assert _is_refused(tmp_path / name) == (name != "100%2")
    assert _is_read_back(tmp_path / name) == (name == "100%2")


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"^/data/K\\xe4ufe: .* found '\\xe4' in it"):
        refuse_folder(Path("/data/K\udce4ufe"))


@pytest.mark.parametrize(
    "name",
    [
        f"{ALLOWED}{'x' * (255 - len(ALLOWED))}",
        "window_date=2026-01-01",
        "Käse 日本 e\u0301 \u200b\u2028😀",
        "ü" * 127,
        " -rf",
        "s3:",
        "...",
    ],
    ids=["every sign", "partition", "letters", "255 bytes", "spaces", "scheme", "dots"],
)
def test_everything_works_in_a_folder_of_any_other_name(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    trial = Trial(root).contract()
    trial.drop()
    trial.run_well()
    trial.drop(LAST, "sub/b.csv")
    trial.run_well()
    trial.drop(LAST.replace("9,", "8,"), "sub/b.csv")
    trial.run_well()
    assert trial.formatted() == [1, 2, 3, 8]
    assert trial.accounted() == (4, 4, 0, 0)
    assert trial.run_well().receipts == []
    for command in (["status"], ["plan"], ["history", "formatted.sale"], ["quarantine"]):
        assert trial.command(*command).status == 0
    assert "Wrote" not in trial.command("query", "select 1").output
    assert sorted(path.name for path in tmp_path.iterdir()) == [name], "nothing is written elsewhere"


@pytest.mark.parametrize("name", ["a#b", "a?b", "a\\b", "a\nb", "50%41"])
@pytest.mark.parametrize("command", ["run", "land", "status", "plan", "query", "quarantine", "init", "demo"])
def test_every_command_refuses_such_a_folder_at_once(tmp_path: Path, name: str, command: str) -> None:
    root = tmp_path / name
    root.mkdir()
    trial = Trial(root).contract()
    trial.drop()
    if command in ("init", "demo"):
        (root / "backbone.toml").unlink()
    before = sorted(tmp_path.rglob("*"))
    words = {"query": ["query", "select 1"], "init": ["init", str(root)], "demo": ["demo", str(root)]}
    ended = trial.command(*words.get(command, [command]))
    shown = name.replace("\n", "\\n")
    sign = shown.removeprefix("a").removesuffix("b").removeprefix("50")
    assert ended.status == 2
    assert f"/{shown}: expected a path that the tables can have, found '{sign}' in it." in ended.errors
    assert "Nothing was changed.\nNext: move or rename the folder" in ended.errors
    assert [p for p in sorted(tmp_path.rglob("*")) if "__pycache__" not in p.parts] == before


@pytest.mark.parametrize("command", ["init", "demo", "status"])
def test_a_name_of_256_bytes(tmp_path: Path, command: str) -> None:
    folder = tmp_path / ("x" * 256)
    words = ["status"] if command == "status" else [command, str(folder)]
    status, _, errors = finished(folder, *words)
    assert status == (2 if command == "status" else 1)
    assert "xx/backbone.toml: expected names of at most 255 bytes, found one of 256" in errors
    assert errors.endswith("\nNext: choose a shorter name\n")
