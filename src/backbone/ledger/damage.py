"""What a power cut or a damaged disk has done to the logs of tables, against what the ledger remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backbone.errors import BackboneError
from backbone.lake.log import TableLog
from backbone.lake.table import Lake
from backbone.ledger.tables import TABLES


@dataclass(frozen=True)
class Damage:
    """A table whose log does not say what it said.

    Parameters
    ----------
    good : the last version before the damage; -1 where there is none.
    last : the last version that there ever was, as far as is known: no later commit gets its number.
    problem : what was expected and found.
    """

    dataset: str
    good: int
    last: int
    problem: str

    def error(self) -> BackboneError:
        """As a message for who looks at the project."""
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


def find_damages(lake: Lake, remembered: Mapping[str, Mapping[int, str]]) -> list[Damage]:
    """The damaged logs of a project.

    Parameters
    ----------
    remembered : by table, the digests of its last commits.
    """
    found = (_damage(lake.log(dataset), dataset, known) for dataset, known in remembered.items())
    return [damage for damage in found if damage is not None]


def broken_tables(lake: Lake) -> dict[str, int]:
    """The tables `operations.*` that have lost a commit, or whose log has one that is none.

    Their commits carry no facts of their own, so they are made again from the receipts. By table, the last
    version before the damage.
    """
    found = {}
    for table in TABLES:
        damage = _damage(lake.log(f"operations.{table}"), f"operations.{table}", {})
        if damage is not None:
            found[table] = damage.good
    receipts = lake.log("operations.receipt")
    versions = receipts.versions
    newest = None if not versions or "receipt" in found else receipts.commit(versions[-1]).receipt
    for name, version in ({} if newest is None else newest.inputs).items():
        there = max(lake.log(name).versions, default=-1)
        if there < version:
            found.setdefault(name.partition(".")[2], there)
    return found


def _damage(log: TableLog, dataset: str, known: Mapping[int, str]) -> Damage | None:
    """The first damage of one log; looked at are the commits that readers apply, and the last remembered."""
    versions, newest = log.versions, max(known, default=-1)
    last, checkpoints = max([newest, *versions], default=-1), log.checkpoints
    begin = max((version for version in checkpoints if version <= last), default=-1)
    # A run that died while it went on from a whole version leaves a checkpoint without its commit. Readers of
    # the log see that version.
    seen = max([last, *checkpoints], default=-1)
    looked_at = [newest] if 0 <= newest <= begin else []
    for version in [*looked_at, *range(begin + 1, last + 1)]:
        problem = _problem(log, version, known.get(version))
        if problem:
            before = [v for v in versions if v < version] if version <= begin else [version - 1]
            return Damage(dataset, max(before, default=-1), seen, problem)
    if seen > last:
        return Damage(dataset, last, seen, _problem(log, seen, None))
    return None


def _problem(log: TableLog, version: int, remembered: str | None) -> str:
    """What is wrong with a commit; nothing where it is as it was written."""
    digest = log.digest(version)
    if digest is None:
        return f"expected the commit of version {version}, found none"
    if digest == remembered:
        return ""
    problem = log.commit(version).problem
    if not problem and remembered is not None:
        problem = "it is another one than was recorded"
    return f"expected the commit of version {version} as it was written; {problem}" if problem else ""
