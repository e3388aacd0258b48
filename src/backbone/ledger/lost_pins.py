"""Pins whose versions can't be opened any more: their checkpoints or commits are damaged or gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from backbone.errors import BackboneError
from backbone.lake.data_files import Problem
from backbone.lake.table import Lake
from backbone.lake.version_problem import version_problem
from backbone.ledger.pins import Pin


@dataclass(frozen=True)
class LostPin:
    """A pin with what was expected of its version, and what was found."""

    pin: Pin
    problem: Problem

    def error(self) -> BackboneError:
        """As a message that says how to let go of it."""
        expected, found = self.problem
        return BackboneError(
            self.pin.dataset,
            f"expected {expected}, pinned as {self.pin.name}, found {found}",
            "This version can't be read any more; the others can. Data files of the table stay as long as it "
            "is pinned.",
            f"put the file back from a backup, or {self.pin.removal}",
        )


def lost_pins(lake: Lake, found: Iterable[Pin]) -> list[LostPin]:
    """Those of some pins whose versions can't be opened."""
    problems = ((pin, version_problem(lake, pin.dataset, pin.version)) for pin in found)
    return [LostPin(pin, problem) for pin, problem in problems if problem is not None]
