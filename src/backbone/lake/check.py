"""Compare the files of a table with what its log says, at one version; nothing is changed or locked.

A writer may publish meanwhile, and maintenance may remove files of old versions: what seems to be gone is
looked for again in the version that readers see then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from backbone.errors import BackboneError, StorageRefused
from backbone.lake.data_files import (
    LoggedFile,
    Problem,
    content_problem,
    footer_problem,
    logged_files,
    size_problem,
)
from backbone.lake.finding import DEEP_REPAIR, REPAIR, Finding, What
from backbone.lake.log import RESTART, TableLog, checkpoint_name
from backbone.lake.table import Lake

Progress = Callable[[str], None]
MAINTAINED = "maintain"  # the stage of commits after which files of earlier versions may be gone
MANY = 200  # files between two reports of progress


@dataclass
class LookedAt:
    """What was looked at, and what was found."""

    files: int = 0
    tables: int = 0
    findings: list[Finding] = field(default_factory=list)


def check_table(lake: Lake, dataset: str, progress: Progress, *, deep: bool) -> LookedAt:
    """Look at the files of a table: checkpoints, those of the present version and of the earlier ones.

    Parameters
    ----------
    deep : read all rows too.
    """
    found = LookedAt(tables=1)
    found.findings += _checkpoints(lake, dataset, found, deep=deep)
    try:
        version, files = logged_files(lake, dataset)
    except StorageRefused:
        raise
    except BackboneError as error:
        if not found.findings:
            found.findings.append(_unreadable(lake, dataset, error))
        return found
    look = content_problem if deep else footer_problem
    wrong: dict[str, tuple[LoggedFile, Problem]] = {}
    for number, file in enumerate(files):
        if number % MANY == 0:
            progress(f"check {dataset}: file {number + 1:,} of {len(files):,}")
        problem = look(file)
        if problem is not None:
            wrong[file.path] = file, problem
    found.files += len(files)
    if wrong:
        wrong = _still_named(lake, dataset, version, wrong)
    found.findings += [_of_data(lake, dataset, version, file, problem) for file, problem in wrong.values()]
    old = _old_files(lake.log(dataset), lake.path(dataset), {file.path for file in files})
    found.files += len(old)
    found.findings += [
        _of_old_data(lake, dataset, file, problem)
        for file in old
        if (problem := size_problem(file)) is not None
    ]
    return found


def _still_named(
    lake: Lake, dataset: str, version: int, wrong: dict[str, tuple[LoggedFile, Problem]]
) -> dict[str, tuple[LoggedFile, Problem]]:
    """Those that the version names which readers see now; a commit may have replaced some."""
    if lake.is_shown(dataset):
        return wrong
    now, files = logged_files(Lake(lake.project), dataset)
    if now == version:
        return wrong
    named = {file.path for file in files}
    return {path: problem for path, problem in wrong.items() if path in named}


def _of_data(lake: Lake, dataset: str, version: int, file: LoggedFile, problem: Problem) -> Finding:
    is_deep = footer_problem(file) is None
    return Finding(
        What.DATA,
        dataset,
        _relative(lake, file.path),
        *problem,
        f"Version {version} of {dataset} names it, and can't be read in full.",
        DEEP_REPAIR if is_deep else REPAIR,
    )


def _of_old_data(lake: Lake, dataset: str, file: LoggedFile, problem: Problem) -> Finding:
    return Finding(
        What.OLD_DATA,
        dataset,
        _relative(lake, file.path),
        *problem,
        f"Earlier versions of {dataset} that name it can't be read any more; the present one can.",
        f"backbone history {dataset}",
    )


def _unreadable(lake: Lake, dataset: str, error: BackboneError) -> Finding:
    return Finding(
        What.LOG,
        dataset,
        _relative(lake, str(lake.log(dataset).folder)),
        "a log that can be read",
        (error.problem if "os error" in error.problem else "one that the table library can't open"),
        "No version of the table can be read.",
        "backbone run",
    )


def checkpoint_problem(log: TableLog, version: int, *, deep: bool = False) -> Problem | None:
    """What is wrong with a checkpoint."""
    path = log.folder / checkpoint_name(version)
    try:
        size = path.stat().st_size
    except OSError:
        return None  # cleaned up since
    return (content_problem if deep else footer_problem)(LoggedFile(str(path), size, None))


def _checkpoints(lake: Lake, dataset: str, found: LookedAt, *, deep: bool) -> Iterator[Finding]:
    log = lake.log(dataset)
    for version in log.checkpoints:
        found.files += 1
        problem = checkpoint_problem(log, version, deep=deep)
        if problem is not None:
            footer_is_whole = deep and checkpoint_problem(log, version) is None
            yield Finding(
                What.CHECKPOINT,
                dataset,
                _relative(lake, str(log.folder / checkpoint_name(version))),
                *problem,
                "Readers can't open the versions from it on.",
                DEEP_REPAIR if footer_is_whole else REPAIR,
            )


def _old_files(log: TableLog, place: Path, present: set[str]) -> list[LoggedFile]:
    """The files that earlier versions name and the present one does not, but for those that were to go."""
    named: dict[str, LoggedFile] = {}
    removed: set[str] = set()
    for version in log.versions:
        try:
            actions = [
                json.loads(line) for line in log.path(version).read_bytes().splitlines() if line.strip()
            ]
            commit = log.commit(version)
        except (FileNotFoundError, IsADirectoryError, ValueError):
            continue  # what is wrong with a commit is found elsewhere
        now = {unquote(action["remove"]["path"]) for action in actions if "remove" in action}
        removed |= now
        stage = "" if commit.receipt is None else commit.receipt.stage
        is_vacuum = any(
            str(action.get("commitInfo", {}).get("operation", "")).startswith("VACUUM") for action in actions
        )
        if is_vacuum or stage == MAINTAINED:
            now = removed
        if is_vacuum or stage in (MAINTAINED, RESTART):
            for path in now:
                named.pop(f"{place}/{path}", None)
        for action in actions:
            if "add" in action:
                path = f"{place}/{unquote(action['add']['path'])}"
                named[path] = LoggedFile(path, action["add"]["size"], None)
    return [file for path, file in named.items() if path not in present]


def _relative(lake: Lake, path: str) -> str:
    return Path(path).relative_to(lake.project).as_posix()
