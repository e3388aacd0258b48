"""Whether the versions that are pinned can be read, with all of their files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from backbone.errors import BackboneError
from backbone.lake.data_files import Problem, content_problem, footer_problem, logged_files
from backbone.lake.finding import Finding, What
from backbone.lake.table import Lake
from backbone.lake.version_problem import version_problem
from backbone.ledger.pins import Pin


def check_pins(lake: Lake, found: Iterable[Pin], *, deep: bool) -> Iterator[Finding]:
    """What is damaged of pinned versions; files of the present version are looked at with their table.

    Parameters
    ----------
    deep : read all rows too.
    """
    look = content_problem if deep else footer_problem
    for pin in {(p.dataset, p.version): p for p in found}.values():
        problem = version_problem(lake, pin.dataset, pin.version)
        if problem is not None:
            yield _of_version(pin, f"{pin.dataset}@{pin.version}", problem)
            continue
        present = _present_files(lake, pin.dataset)
        for file in logged_files(lake, pin.dataset, pin.version)[1]:
            problem = None if file.path in present else look(file)
            if problem is not None:
                yield _of_version(pin, Path(file.path).relative_to(lake.project).as_posix(), problem)


def _present_files(lake: Lake, dataset: str) -> set[str]:
    try:
        return {file.path for file in logged_files(lake, dataset)[1]}
    except BackboneError:  # a finding of its own
        return set()


def _of_version(pin: Pin, where: str, problem: Problem) -> Finding:
    return Finding(
        What.PIN,
        pin.dataset,
        where,
        *problem,
        f"Version {pin.version} of {pin.dataset}, pinned as {pin.name}, can't be read in full; the present "
        "one can.",
        pin.removal,
    )
