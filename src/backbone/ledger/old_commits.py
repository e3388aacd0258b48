"""Commits before the last checkpoint: readers of the table need none, its history and its ledger do."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from backbone.lake.expiry import NEWEST
from backbone.lake.log import TableLog


def commit_problem(log: TableLog, version: int, remembered: str | None) -> str:
    """What is wrong with a commit; nothing where it is as it was written.

    Parameters
    ----------
    remembered : its digest, where the ledger has it.
    """
    digest = log.digest(version)
    if digest is None:
        found = "a folder" if log.path(version).is_dir() else "none"
        return f"expected the commit of version {version}, found {found}"
    if digest == remembered:
        return ""
    problem = log.commit(version).problem
    if not problem and remembered is not None:
        problem = "it is another one than was recorded"
    return f"expected the commit of version {version} as it was written; {problem}" if problem else ""


def first_old_problem(log: TableLog, known: Mapping[int, str]) -> tuple[int, str] | None:
    """The first commit before the last checkpoint that is seen to be damaged, with what is wrong with it.

    What every run can afford: which commits there are, whether one is empty, and the texts of the newest.

    Parameters
    ----------
    known : the digests of the last commits.
    """
    versions, checkpoints = log.versions, log.checkpoints
    if not versions or not checkpoints:
        return None
    for version, recorded in sorted(known.items()):
        # Without a digest it is known to be lost.
        is_old = recorded != "" and versions[-1] - NEWEST < version <= checkpoints[-1]
        if is_old and (problem := commit_problem(log, version, recorded)):
            return version, problem
    for version in _absent(versions, checkpoints):
        return version, commit_problem(log, version, None)
    for version in log.empty(checkpoints[-1]):
        return version, commit_problem(log, version, None)
    return None


def old_problems(log: TableLog, known: Mapping[int, str], folded: Collection[int] | None) -> dict[int, str]:
    """All commits up to the last checkpoint that are damaged, by version, each with what is wrong with it.

    Parameters
    ----------
    known : the digests of all commits.
    folded : the versions whose receipts are folded, and which may have left the log; None where that can't be
        read: none is missed then.
    """
    versions, checkpoints = log.versions, log.checkpoints
    if not versions or not checkpoints:
        return {}
    wanted = {v for v in versions if v <= checkpoints[-1]}
    if folded is not None:
        wanted |= {v for v in known if versions[0] < v <= checkpoints[-1]} - {*folded}
    wanted |= {*_absent(versions, checkpoints)} - {*(folded or ())}
    found = {version: commit_problem(log, version, known.get(version)) for version in sorted(wanted)}
    return {version: problem for version, problem in found.items() if problem}


def _absent(versions: list[int], checkpoints: list[int]) -> list[int]:
    """Commits that should be there by the names of others: where a log begins, there is a checkpoint."""
    begins, before, found = {0, *checkpoints}, -1, []
    for version in versions:
        if version > checkpoints[-1]:
            break
        if version != before + 1 and version not in begins:
            found.append(version - 1)
        before = version
    return found
