"""Import the module that a project names, and say plainly why one can't be."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from pydantic.errors import PydanticUserError

from backbone.errors import ContractError, PipelineError
from backbone.pipeline import Pipeline
from backbone.storage_refused import storage_refused

RENAMED = {
    "together": "all_windows_at_once",
    "whole": "read_whole",
    "uses": "pins",
    "shared": "one_fit",
    "besides": "keep_where",
    "limits": "validators",
    "lists": "exports",
}
"""Arguments of earlier pipelines, and what they are called now."""


def import_pipeline(name: str, places: Sequence[Path]) -> tuple[Pipeline, Path]:
    """A pipeline by the name of its module, or of the package that has a module `pipeline`.

    Parameters
    ----------
    places : folders in which modules are looked for before all others.

    Returns
    -------
    The pipeline, and the folder of its module.

    Raises
    ------
    PipelineError
        When there is no such module, or no `Pipeline` called `pipeline` in it.
    ContractError
        When a contract in it has a name or a default that Pydantic refuses.
    """
    # What it warns of is an error of ours, with what to do about it. The filter stays: to restore those of
    # before would undo what the module itself sets.
    warnings.filterwarnings("ignore", r'Field name ".+" in ".+" shadows an attribute in parent', UserWarning)
    before = list(sys.path)
    sys.path[:0] = [str(place.resolve()) for place in places]
    try:
        module = importlib.import_module(name)
        if not isinstance(getattr(module, "pipeline", None), Pipeline):
            module = importlib.import_module(f"{name}.pipeline")
    except ImportError as error:
        if not isinstance(error, ModuleNotFoundError) or (error.name or "").startswith("backbone."):
            raise PipelineError(
                f"pipeline {name}",
                f"it imports what is not there: {error.msg}",
                "Nothing was changed.",
                "import what a pipeline needs from `backbone` itself; docs/python.md lists the names "
                "(`Lists` is `CsvExport` now)",
            ) from error
        listed = " and ".join(map(str, places))
        raise PipelineError(
            f"pipeline {name}",
            f"there is no module {error.name}",
            "Nothing was changed.",
            f"mend the name; modules are looked for in {listed} first, then where Python finds them",
        ) from error
    except OSError as error:
        refused = storage_refused(error)
        raise PipelineError(
            f"pipeline {name}, {refused.where}", refused.problem, "Nothing was changed.", refused.next_step
        ) from error
    except TypeError as error:
        old = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        if old is None or old[1] not in RENAMED:
            raise
        raise PipelineError(
            f"pipeline {name}",
            f"`{old[1]}` is called `{RENAMED[old[1]]}` since 0.1.0",
            "Nothing was changed.",
            "rename it; the changelog lists all new names",
        ) from error
    except PydanticUserError as error:
        raise ContractError(
            f"pipeline {name}",
            f"Pydantic refuses one of its contracts: {error.message}",
            "Nothing was changed.",
            "call the field otherwise, and map it in backbone.toml: "
            '[sources.NAME] columns = { field = "name in the file" }',
        ) from error
    finally:
        sys.path[:] = before
    pipeline = getattr(module, "pipeline", None)
    if not isinstance(pipeline, Pipeline):
        raise PipelineError(
            f"pipeline {name}",
            "the module has no Pipeline called `pipeline`",
            "Nothing was changed.",
            "add one",
        )
    return pipeline, Path(inspect.getfile(module)).parent
