"""What goes wrong, told so that the reader can act.

Every error answers four questions: where, expected against found, in which state the data was left,
and what to do next. The same facts are attributes of the exception.
"""

from __future__ import annotations


class BackboneError(Exception):
    """A failure that the user can do something about.

    Parameters
    ----------
    where : the dataset, file, setting or line it happened in.
    problem : what was expected and what was found.
    state : in which state the data was left; empty when nothing was touched.
    next_step : the command or edit that mends it.

    Examples
    --------
    >>> print(BackboneError("formatted.review", "12 rows break `rating >= 1`", "Nothing is published.",
    ...                     "backbone quarantine review"))
    formatted.review: 12 rows break `rating >= 1`. Nothing is published.
    Next: backbone quarantine review
    """

    def __init__(self, where: str, problem: str, state: str = "", next_step: str = "") -> None:
        self.where = where
        self.problem = problem
        self.state = state
        self.next_step = next_step
        several = "\n" in problem
        text = f"{where}: {problem.rstrip()}" + ("" if several else ".")
        text = text.removesuffix("..") + "." if text.endswith("..") else text
        if state:
            text += f"{chr(10) if several else ' '}{state}"
        if next_step:
            text += f"\nNext: {next_step}"
        super().__init__(text.encode("utf-8", "backslashreplace").decode("utf-8"))  # names may be no text


class SettingsError(BackboneError):
    """`backbone.toml` or an argument says something that can't be meant."""


class ContractError(BackboneError):
    """A contract says something that SQL can't check, or contradicts itself."""


class PipelineError(BackboneError):
    """A pipeline can't be loaded: a cycle, an unknown table, unportable SQL."""


class QueryRefused(BackboneError):
    """A query that the engine can't answer: a syntax error, an unknown table or column."""


class SourceUnavailable(BackboneError):
    """A source can't be reached: a database that is down, a folder that can't be read."""


class FileNotTaken(BackboneError):
    """A delivered file that can't be taken over; it stays where it is."""


class BatchRefused(BackboneError):
    """A file that can't be read as a table at all, so that none of it is formatted."""


class NotRepublished(BackboneError):
    """Files that are formatted and can't be under a changed contract, so that the table stays as it was."""


class CheckFailed(BackboneError):
    """What was staged broke a declared check, so that nothing of it is published."""


class StepFailed(BackboneError):
    """A step's own code failed."""


class WindowRefused(BackboneError):
    """A window that goes on from one that has not run."""


class EngineFailed(BackboneError):
    """The engine or the storage gave up: memory or disk that is full, a file that can't be read."""


ENGINE = "engine"
"""Where an error of the engine happened, as long as nobody has said what it was working on."""


class OutOfMemory(EngineFailed):
    """What the engine may hold in memory, or spill to disk, is used up."""


class TableDamaged(EngineFailed):
    """A data file of a table that is gone, or can't be read any more."""


class StorageRefused(EngineFailed):
    """A file or folder that the system does not let be used: no right, no room, or something in the way."""


class ProjectLocked(BackboneError):
    """Another run holds the project's lock."""


class Unexpected(BackboneError):
    """An unexpected error of one file or source; its traceback is in the project's log."""
