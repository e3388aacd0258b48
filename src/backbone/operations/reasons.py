"""Why a window is to be computed, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from backbone.exploitation.model import CODE, PARAMETER, LoadedModel
from backbone.ledger.known import Change, Commit, WindowState

NEW, LATE_DATA, CONTRACT, UPSTREAM = "new", "late data", "contract", "upstream"
FORCED, REFETCH, PINNED = "forced", "refetch", "pinned"
RETENTION, UNFINISHED, DAMAGE = "retention", "unfinished", "damage"
UNKNOWN, SETTINGS = "code or parameters", "contract or settings"
WORDS = (
    NEW, CODE, PARAMETER, UNKNOWN, CONTRACT, SETTINGS, LATE_DATA, UPSTREAM, PINNED, FORCED, REFETCH,
    RETENTION, UNFINISHED, DAMAGE,
)  # fmt: skip


class History(Protocol):
    """What is known of tables: what they were computed from, and what changed in them."""

    @property
    def pins(self) -> Mapping[str, int]:
        """The versions at which some tables are read, whatever came after."""

    def windows(self, dataset: str) -> Mapping[datetime | None, WindowState]:
        """The state of each window of a table; that of a table without windows under None."""

    def changes(self, dataset: str) -> Sequence[Change]:
        """The hours each version of a table changed, oldest first."""

    def commit(self, dataset: str, version: int) -> Commit | None:
        """The stage and fingerprint of a commit; None of one that is not known."""

    def parts(self, dataset: str, version: int) -> Mapping[str, tuple[str, ...]]:
        """The parts of the fingerprint of a commit; empty where its receipt has none."""


@dataclass(frozen=True)
class Reason:
    """One reason, and for how many windows (or files) it holds; 0 for a table without windows.

    `word` is one of `WORDS`, or two of them as in `code and parameter`. `of` names what has changed: tables,
    or parameters.

    Examples
    --------
    >>> print(Reason("late data", ("formatted.sale",), 3))
    late data of formatted.sale (3)
    """

    word: str
    of: tuple[str, ...] = ()
    count: int = 0

    def __str__(self) -> str:
        joined = " " if PARAMETER in self.word else " of "
        names = joined + ", ".join(self.of) if self.of else ""
        return f"{self.word}{names}" + (f" ({self.count:,})" if self.count else "")


def reason_of_code(loaded: LoadedModel, state: WindowState, history: History) -> Reason:
    """What differs between a table's code and parameters, and those that a window was computed with."""
    before, now = history.parts(loaded.dataset, state.version), loaded.parts
    if CODE not in before:
        return Reason(UNKNOWN)
    words = [CODE] if before[CODE] != now[CODE] else []
    old, new = (_by_name(parts.get(PARAMETER, ())) for parts in (before, now))
    names = tuple(sorted(n for n in {*old, *new} if old.get(n) != new.get(n)))
    if names or not words:
        words.append(PARAMETER)
    return Reason(" and ".join(words), names)


def reason_of_inputs(changed: Mapping[str, int], state: WindowState, history: History) -> Reason:
    """What happened to the inputs that have changed since a window was computed.

    Parameters
    ----------
    changed : of each of them the last version that changed what the window sees.
    """
    found: dict[str, list[str]] = {}
    for name, version in changed.items():
        known = state.inputs.get(name, -1)
        if name in history.pins and history.pins[name] < known:
            found.setdefault(PINNED, []).append(name)
            continue
        now, then = history.commit(name, version), history.commit(name, known)
        if now is None or now.stage != "format":
            word = UPSTREAM
        else:
            word = LATE_DATA if then is None or then.fingerprint == now.fingerprint else CONTRACT
        found.setdefault(word, []).append(name)
    word = min(found, key=WORDS.index)
    return Reason(word, tuple(found[word]))


def _by_name(marks: Iterable[str]) -> dict[str, str]:
    """Marks such as `factor:0a1b` by the name before the colon; the cadence is one of them."""
    return {name: mark for name, _, mark in (mark.partition(":") for mark in marks)}
