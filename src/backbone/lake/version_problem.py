"""Why a version of a table can't be opened any more."""

from __future__ import annotations

from backbone.errors import BackboneError
from backbone.lake.data_files import LoggedFile, Problem, footer_problem
from backbone.lake.log import checkpoint_name
from backbone.lake.table import Lake


def version_problem(lake: Lake, dataset: str, version: int) -> Problem | None:
    """What was expected of the log for a version, and what was found; None where the version can be opened.

    Its data files are not looked at.
    """
    log = lake.log(dataset)
    there = {*log.versions}
    begin = max((found for found in log.checkpoints if found <= version), default=-1)
    if begin >= 0:
        checkpoint = log.folder / checkpoint_name(begin)
        problem = footer_problem(LoggedFile(str(checkpoint), checkpoint.stat().st_size, None))
        if problem is not None:
            return f"the checkpoint of version {begin}", problem[1]
    if any(needed not in there for needed in range(begin + 1, version + 1)):
        what = "checkpoint" if version in there else "commit"
        return f"the {what} of version {version}", "none"
    try:
        lake.open(dataset, version)
    except BackboneError as error:
        expected, _, found = error.problem.removeprefix("expected ").partition(", found: ")
        return expected, found
    return None
