"""What the system refuses to do with a file or folder, as an error that its reader can act on."""

from __future__ import annotations

import errno
import os
import pwd
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backbone.errors import StorageRefused
from backbone.printable import shown

STATE = "What was published stays as it was."
ROOM = (errno.ENOSPC, errno.EDQUOT)
RIGHTS = (errno.EACCES, errno.EPERM)
WAY = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR)
OPEN = (errno.EMFILE, errno.ENFILE)
NUMBER = re.compile(r"\(os error (\d+)\)")  # as delta-rs writes it
PATH = re.compile(r"\s(/[^\n]*)")


def storage_refused(error: OSError, state: str = STATE, where: str = "") -> StorageRefused:
    """An error of the operating system as one of the four parts.

    Parameters
    ----------
    error : also one of delta-rs, which has the system's answer in its text alone.
    state : in which state the data was left.
    where : the place, if the error names no path.

    Examples
    --------
    >>> full = OSError(errno.ENOSPC, "No space left on device", "/no/such/disk/a.parquet")
    >>> print(storage_refused(full, "It is as before."))
    /no/such/disk/a.parquet: expected room on the disk, found: No space left on device. It is as before.
    Next: free some space on that disk (or inodes, if `df -i` shows none), and run the command again
    """
    text = str(error)
    found = NUMBER.search(text)
    number = error.errno or (int(found[1]) if found else None)
    path = _path_of(error, text)
    place = shown(path) if path is not None else where or "the storage"
    if number is None:
        return StorageRefused(
            place, " ".join(text.split())[:400], state, "mend the storage, and run it again"
        )
    return StorageRefused(place, _problem(number, path), state, _next(number, path))


@contextmanager
def refusals(state: str = STATE, where: str = "") -> Iterator[None]:
    """Raise an error of the operating system as `storage_refused` has it."""
    try:
        yield
    except BrokenPipeError:  # a reader of the output has seen enough
        raise
    except OSError as error:
        raise storage_refused(error, state, where) from error


def raise_refusal(error: Exception, path: str | Path = "") -> None:
    """Raise `StorageRefused` if a right is missing or too many files are open: what is there may be whole.

    Parameters
    ----------
    path : of the file, for an error that does not name it.
    """
    found = NUMBER.search(str(error))
    number = getattr(error, "errno", None) or (int(found[1]) if found else None)
    if number not in (*RIGHTS, *OPEN):
        return
    named = getattr(error, "filename", None) or path
    refused = OSError(number, os.strerror(number), str(named)) if named else OSError(str(error))
    raise storage_refused(refused) from error


def _path_of(error: OSError, text: str) -> Path | None:
    named = [
        Path(os.fsdecode(one)) for one in (error.filename, error.filename2) if isinstance(one, str | bytes)
    ]
    if named:  # of a rename, the folder without the right to it, or where the file was to go
        closed = (path.parent for path in named if not os.access(path.parent, os.W_OK | os.X_OK))
        return next(closed, named[-1]) if len(named) > 1 else named[0]
    found = PATH.search(text) if error.errno is None else None
    return Path(found[1].strip()) if found else None


def _problem(number: int, path: Path | None) -> str:
    answer = os.strerror(number)
    if number in RIGHTS:
        return f"expected the right to use it, found: {answer}{_whose(path)}"
    if number in OPEN:
        return f"expected to open one more file, found: {answer}"
    if number in ROOM:
        if path is not None and _no_inodes(path):
            return f"expected room for another file, found no inode left on the disk ({answer})"
        return f"expected room on the disk, found: {answer}"
    if number == errno.ENOENT and path is not None:
        return f"expected a file or folder, found {_kind(path) or 'none'}"
    if number in WAY and path is not None:
        wanted = "file" if number == errno.EISDIR else "folder"
        in_way = next((p for p in (path, *path.parents) if _kind(p) not in ("", "a folder")), path)
        named = "" if in_way == path else f" at {shown(in_way)}"
        return f"expected a {wanted}, found {_kind(in_way) or answer}{named}"
    if number == errno.ENAMETOOLONG and path is not None:
        longest = max(len(os.fsencode(part)) for part in path.parts)
        return f"expected names of at most 255 bytes, found one of {longest} ({answer})"
    return f"expected storage that works, found: {answer}"


def _next(number: int, path: Path | None) -> str:
    if number in RIGHTS:
        return f"give {_user(os.geteuid())} the right to it, or run the command as its owner"
    if number in OPEN:
        return "let the command open more files (`ulimit -n`), and run it again"
    if number in ROOM:
        if path is not None and _no_inodes(path):
            return "remove files that nobody needs from that disk, and run the command again"
        return "free some space on that disk (or inodes, if `df -i` shows none), and run the command again"
    if number == errno.ENOENT:
        return "see why it is not there, and run the command again"
    if number in WAY:
        return "move what is in the way elsewhere, and run the command again"
    if number == errno.ENAMETOOLONG:
        return "choose a shorter name"
    if number == errno.EROFS:
        return "make the file system writable, or copy the project to one that is, and run the command again"
    return "mend the storage, and run the command again"


def whose(error: OSError) -> str:
    """Of a missing right, whose the file or folder is that it is missing to, in parentheses; else nothing."""
    return _whose(_path_of(error, str(error))) if error.errno in RIGHTS else ""


def _whose(path: Path | None) -> str:
    """Whose that is to which the right is missing: the file, or the folder that holds it or would."""
    there = [place for place in (path, *path.parents) if _kind(place)][:2] if path is not None else []
    if not there:
        return ""
    closed = (place for place in there if not os.access(place, os.R_OK | os.W_OK | os.X_OK * place.is_dir()))
    place = next(closed, there[0])
    found = place.lstat()
    named = "it" if place == path else shown(place)
    owner, user = _user(found.st_uid), _user(os.geteuid())
    return f" ({named} is {owner}'s, {stat.filemode(found.st_mode)}; the command runs as {user})"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _no_inodes(path: Path) -> bool:
    """Whether a disk has room for bytes, and not for another file."""
    for place in (path, *path.parents):
        try:
            disk = os.statvfs(place)
        except OSError:
            continue
        return disk.f_files > 0 and disk.f_favail == 0 and disk.f_bavail > 0
    return False


def _kind(path: Path) -> str:
    """What lies at a path; nothing where that can't be known."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return ""
    if stat.S_ISLNK(mode):
        try:
            mode = path.stat().st_mode
        except OSError:
            return "a link to nowhere"
    return "a folder" if stat.S_ISDIR(mode) else "a file"
