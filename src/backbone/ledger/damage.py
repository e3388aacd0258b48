"""What a power cut or a damaged disk has done to the logs of tables, against what the ledger remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backbone.dataset import Receipt
from backbone.errors import BackboneError, StorageRefused
from backbone.lake.data_files import LoggedFile, as_it_is, ends_problem, first_ends_problem, logged_files
from backbone.lake.drop_files import drop_files
from backbone.lake.log import RESTART, TableLog, checkpoint_name
from backbone.lake.restart import put_aside, put_checkpoint_aside
from backbone.lake.table import Lake
from backbone.ledger.old_commits import commit_problem, first_old_problem
from backbone.ledger.tables import TABLES


@dataclass(frozen=True)
class Damage:
    """A table whose log does not say what it said.

    Parameters
    ----------
    good : the last version before the damage; -1 where there is none.
    last : the last version that there ever was, as far as is known: no later commit gets its number.
    problem : what was expected and found.
    checkpoint : the version whose checkpoint is the damage; -1 where it is a commit.
    old : the version of a damaged commit that no reader needs, as a later checkpoint says what it said; else
        -1. The table is whole then.
    """

    dataset: str
    good: int
    last: int
    problem: str
    checkpoint: int = -1
    old: int = -1

    def error(self) -> BackboneError:
        """As a message for who looks at the project."""
        if self.old >= 0:
            return BackboneError(
                self.dataset,
                self.problem,
                "The present version does not need it, and is whole. Some versions before can't be read.",
                "backbone run puts aside what can't be read; backbone check shows all damage",
            )
        state = (
            f"Version {self.good} is whole, and readers are shown that one."
            if self.good >= 0
            else "No version of it is left."
        )
        return BackboneError(
            self.dataset,
            self.problem,
            f"{state} The files of the log are as they were found.",
            "backbone run computes again what is lost; backbone check shows all damage",
        )


def find_damages(
    lake: Lake, remembered: Mapping[str, Mapping[int, str]], *, old: bool = False
) -> list[Damage]:
    """The damaged logs of a project.

    Parameters
    ----------
    remembered : by table, the digests of its last commits.
    old : look at commits before the last checkpoint too, as far as that costs little.
    """
    found: list[Damage] = []
    for dataset, known in remembered.items():
        log = lake.log(dataset)
        damage = _damage(log, dataset, known)
        if damage is None and old:
            problem = first_old_problem(log, known)
            if problem is not None:
                last = log.versions[-1]
                damage = Damage(dataset, last, last, problem[1], old=problem[0])
        found += [damage] if damage is not None else []
    return found


@dataclass(frozen=True)
class Broken:
    """A table `operations.*` that can't be read.

    Parameters
    ----------
    problem : what was expected and found.
    is_log : whether its log is damaged, not only a data file.
    checkpoint : the version of the checkpoint that is the damage; -1 where it is something else.
    """

    problem: str
    is_log: bool = True
    checkpoint: int = -1


def broken_tables(lake: Lake) -> dict[str, Broken]:
    """The tables `operations.*` whose log has lost a commit or has one that is none, or with a damaged file.

    Their commits carry no facts of their own, so they are made again from the receipts.
    """
    found: dict[str, Broken] = {}
    for table in TABLES:
        dataset = f"operations.{table}"
        damage = _damage(lake.log(dataset), dataset, {})
        if damage is not None:
            found[table] = Broken(damage.problem, checkpoint=damage.checkpoint)
    receipts = lake.log("operations.receipt")
    versions = receipts.versions
    newest = None if not versions or "receipt" in found else receipts.commit(versions[-1]).receipt
    for name, version in ({} if newest is None else newest.inputs).items():
        there = max(lake.log(name).versions, default=-1)
        if there < version:
            problem = f"expected the commit of version {version}, found none"
            found.setdefault(name.partition(".")[2], Broken(problem))
    for table in TABLES:
        dataset = f"operations.{table}"
        if table not in found and lake.exists(dataset):
            try:
                files = lake.read(dataset).files  # only Arrow, slow to load, tells their lengths
                problem = first_ends_problem(as_it_is(file) for file in files)
            except StorageRefused:  # it may be whole
                raise
            except BackboneError as error:
                found[table] = Broken(error.problem)
                continue
            if problem:
                found[table] = Broken(problem, is_log=False)
    return found


def make_room(lake: Lake, table: str, broken: Broken) -> None:
    """Let a broken table `operations.*` be written again; of the runs, what can be read stays."""
    dataset = f"operations.{table}"
    lake.forget(dataset)
    if table == "run" and not broken.is_log:
        damaged = [file.path for file in logged_files(lake, dataset)[1] if ends_problem(file)]
        drop_files(lake, damaged, Receipt("", RESTART, dataset, ""))
        return
    log = lake.log(dataset)
    if table == "run" and broken.checkpoint >= 0:
        put_checkpoint_aside(lake, dataset, broken.checkpoint)
        if _damage(log, dataset, {}) is None:  # its commits say the same
            return
    number = max([*log.versions, *log.checkpoints], default=-1) + 1
    put_aside(lake, dataset, -1, number)
    lake.first[dataset] = number


def _damage(log: TableLog, dataset: str, known: Mapping[int, str]) -> Damage | None:
    """The first damage of one log; looked at are the commits that readers apply, and the last remembered."""
    versions, newest = log.versions, max(known, default=-1)
    last, checkpoints = max([newest, *versions], default=-1), log.checkpoints
    begin = max((version for version in checkpoints if version <= last), default=-1)
    # A run that died while it went on from a whole version leaves a checkpoint without its commit. Readers of
    # the log see that version.
    seen = max([last, *checkpoints], default=-1)
    if begin < (named := log.named_checkpoint) <= last:  # readers follow that name, and find nothing
        problem = f"expected the checkpoint of version {named}, found none"
        return Damage(dataset, max((v for v in versions if v < named), default=-1), seen, problem, named)
    if begin >= 0 and (problem := _checkpoint_problem(log, begin)):
        return Damage(dataset, max((v for v in versions if v < begin), default=-1), seen, problem, begin)
    at_newest = [newest] if 0 <= newest <= begin else []
    for version in [*at_newest, *range(begin + 1, last + 1)]:
        problem = commit_problem(log, version, known.get(version))
        if problem:
            before = [v for v in versions if v < version] if version <= begin else [version - 1]
            return Damage(dataset, max(before, default=-1), seen, problem)
    if seen > last:
        return Damage(dataset, last, seen, commit_problem(log, seen, None))
    return None


def _checkpoint_problem(log: TableLog, version: int) -> str:
    path = log.folder / checkpoint_name(version)
    try:
        problem = ends_problem(LoggedFile(str(path), path.stat().st_size, None))
    except FileNotFoundError:  # cleaned up since
        return ""
    return "" if problem is None else f"expected the checkpoint of version {version}, found {problem[1]}"
