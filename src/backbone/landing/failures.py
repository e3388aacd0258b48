"""A file that can't be taken over: what is reported of it."""

from __future__ import annotations

import errno
from pathlib import Path

from backbone.error_log import unexpected
from backbone.errors import BackboneError, FileNotTaken
from backbone.landing.names import is_text
from backbone.printable import shown
from backbone.storage_refused import whose

STATE = "It stays where it is, and each run tries it again; every other file is processed."
GONE = "It is not where it was; every other file is processed."
DENIED = "give the user of the run the right to read and to move it, or take it out of the folder"
NEXT = {
    errno.EACCES: DENIED,
    errno.EPERM: DENIED,
    errno.ENOENT: "see why it is gone, and deliver it again",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.EIO: "see whether its disk is damaged, and deliver the file again",
}


def file_failure(
    source: str, name: str, error: Exception, project: Path, state: str = STATE
) -> BackboneError:
    """The failure of one file of a source, whatever went wrong with it.

    Parameters
    ----------
    name : the file's name below the drop folder, or below the fixed part of the pattern.
    project : the project's folder, whose log gets the traceback of an unexpected error.
    state : where the file is now.
    """
    where = f"source {source}, {shown(name)}"
    if isinstance(error, BackboneError):
        return error
    if not isinstance(error, OSError) or error.errno is None:
        return unexpected(where, error, project, state)
    return FileNotTaken(
        where,
        f"expected a file that can be taken over, found: {error.strerror or error}{whose(error)}",
        GONE if error.errno == errno.ENOENT and state == STATE else state,
        NEXT.get(error.errno, "mend the access to it, and run again"),
    )


def misnamed(source: str, name: str) -> BackboneError:
    """The failure of a file whose name can't be recorded."""
    assert not is_text(name)
    return FileNotTaken(
        f"source {source}", f"expected a file name in UTF-8, found {shown(name)}", STATE, "rename the file"
    )
