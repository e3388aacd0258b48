"""What `backbone check` finds: what is damaged, where, what was expected and found, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from backbone.errors import BackboneError
from backbone.printable import shown

RUN, REPAIR, DEEP_REPAIR = "backbone run", "backbone repair", "backbone repair --deep"
MAINTAIN, CHECK = "backbone maintain", "backbone check"


class What(StrEnum):
    """What a finding is about."""

    DATA = "data file"
    OLD_DATA = "data file of an old version"
    PIN = "pinned version"
    CHECKPOINT = "checkpoint"
    LOG = "log"
    OLD_COMMIT = "commit of an old version"
    LEDGER = "ledger"
    ORIGINAL = "original"
    UNRECORDED = "original without a record"
    BATCH = "file that landing has lost"
    ACCOUNT = "account"
    UNEXPECTED = "unexpected"
    LEFT = "left by a dead run"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was written.

    Parameters
    ----------
    dataset : the table that it belongs to; empty where it belongs to none.
    where : a path relative to the project, or a table.
    state : in which state the data is.
    next_step : the command that mends it, or that lets go of what can't be mended.

    Examples
    --------
    >>> print(Finding(What.DATA, "formatted.sale", "formatted/sale/0a.parquet", "953 bytes", "none",
    ...               "The table can't be read.", REPAIR).error())
    formatted/sale/0a.parquet: expected 953 bytes, found none. The table can't be read.
    Next: backbone repair
    """

    what: What
    dataset: str
    where: str
    expected: str
    found: str
    state: str
    next_step: str

    def error(self) -> BackboneError:
        """As a message."""
        problem = f"expected {self.expected}, found {self.found}"
        return BackboneError(shown(self.where), problem, self.state, self.next_step)


def both_parts(problem: str) -> tuple[str, str]:
    """What was expected and what was found, of a problem that is told in one text.

    Examples
    --------
    >>> both_parts("expected the commit of version 7, found none")
    ('the commit of version 7', 'none')
    >>> both_parts("expected the commit of version 7 as it was written; it is empty")
    ('the commit of version 7 as it was written', 'it is empty')
    """
    expected, _, found = problem.removeprefix("expected ").partition(", found ")
    if not found:
        expected, _, found = expected.partition("; ")
    return expected, found
