"""What a process did to the files of a folder, from a trace of its system calls (strace)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from power_cut import Operation

CALLS = (
    "open,openat,creat,write,pwrite64,writev,pwritev,lseek,read,rename,renameat,renameat2,link,linkat,unlink,"
    "unlinkat,mkdir,mkdirat,rmdir,ftruncate,truncate,fallocate,fsync,fdatasync,sync_file_range,close,"
    "copy_file_range,sendfile,utimensat,symlink,symlinkat"
)
COMMAND = ("strace", "-f", "-y", "-s", "100000000", "-e", f"trace={CALLS}", "-e", "signal=none")

LINE = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)", re.DOTALL)
ENDED = re.compile(r"(.*)\) += (-?\d+)(?:<(.*?)>)?(?: [A-Z(].*)?", re.DOTALL)
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
DESCRIPTOR = re.compile(r"(-?\d+|AT_FDCWD)<(.*?)>")


def calls(trace: Path) -> Iterator[tuple[str, str, int, str]]:
    """The calls that succeeded, in the order in which they ended: name, arguments, result, its path."""
    begun: dict[str, str] = {}
    for line in trace.read_text(encoding="latin-1").splitlines():
        match = LINE.fullmatch(line)
        if match is None:
            continue
        process, resumed, name, rest = match.groups()
        if rest.endswith("<unfinished ...>"):
            begun[process] = rest.removesuffix("<unfinished ...>").rstrip()
            continue
        if resumed:
            name, rest = resumed, begun.pop(process, "") + rest
        ended = ENDED.fullmatch(rest)
        if ended is not None and int(ended[2]) >= 0:
            yield name, ended[1], int(ended[2]), ended[3] or ""


def unescaped(text: str) -> bytes:
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


class Trace:
    """Turns calls into operations on the files below a folder, of which there is a copy from before."""

    def __init__(self, root: Path, before: Path) -> None:
        self._root = os.path.realpath(root)
        self._at: dict[int, int] = {}  # by descriptor, where the next bytes go
        self._appends: set[int] = set()
        self._known = {p.relative_to(before).as_posix() for p in before.rglob("*")}
        self._sizes = {n: (before / n).stat().st_size for n in self._known if (before / n).is_file()}
        self.operations: list[Operation] = []

    def below(self, path: str) -> str | None:
        """A path as it is called below the folder; None elsewhere."""
        path = os.path.normpath(path)
        if path == self._root:
            return ""
        return path[len(self._root) + 1 :] if path.startswith(f"{self._root}/") else None

    def add(self, kind: str, name: str, other: str = "", number: int = 0, text: bytes = b"") -> None:
        self.operations.append((kind, name, other, number, text))

    def take(self, name: str, arguments: str, result: int, path: str) -> None:
        getattr(self, f"_{_KINDS[name]}", self._ignore)(arguments, result, path)

    def _ignore(self, arguments: str, result: int, path: str) -> None:
        pass

    def _paths(self, arguments: str) -> list[str]:
        """The paths that a call names, absolute; each after the folder that it is relative to, if any."""
        found, folder = [], ""
        for match in re.finditer(rf"{DESCRIPTOR.pattern}|{TEXT.pattern}", arguments):
            if match[3] is None:
                folder = match[2]
            else:
                found.append(os.path.join(folder or self._root, os.fsdecode(unescaped(match[3]))))  # noqa: PTH118
        return found

    def _open(self, arguments: str, result: int, path: str) -> None:
        self._at[result] = 0
        self._appends.discard(result)
        if "O_APPEND" in arguments:
            self._appends.add(result)
        name = self.below(path)
        if name is None:
            return
        if name not in self._known and "O_CREAT" in arguments:
            self._known.add(name)
            self._sizes[name] = 0
            self.add("make", name)
        elif "O_TRUNC" in arguments:
            self._resize(name, 0)

    def _resize(self, name: str, size: int) -> None:
        self._sizes[name] = size
        self.add("truncate", name, number=size)

    def _descriptor(self, arguments: str) -> tuple[int, str | None]:
        match = DESCRIPTOR.match(arguments)
        if match is None:
            return -1, None
        if match[2].endswith("(deleted)"):
            return int(match[1]), None
        return int(match[1]), self.below(match[2])

    def _write(self, arguments: str, result: int, path: str) -> None:
        number, name = self._descriptor(arguments)
        if name is not None:
            text = b"".join(unescaped(found) for found in TEXT.findall(arguments))[:result]
            assert len(text) == result, arguments[:200]
            self._written(number, name, text)

    def _written(self, number: int, name: str, text: bytes) -> None:
        at = self._sizes[name] if number in self._appends else self._at.get(number, 0)
        self._at[number] = at + len(text)
        self._sizes[name] = max(self._sizes[name], at + len(text))
        self.add("write", name, number=at, text=text)

    def _writeat(self, arguments: str, result: int, path: str) -> None:
        _, name = self._descriptor(arguments)
        if name is not None:
            text = b"".join(unescaped(found) for found in TEXT.findall(arguments))[:result]
            at = int(arguments.rpartition(",")[2])
            self._sizes[name] = max(self._sizes[name], at + len(text))
            self.add("write", name, number=at, text=text)

    def _seek(self, arguments: str, result: int, path: str) -> None:
        self._at[self._descriptor(arguments)[0]] = result

    def _read(self, arguments: str, result: int, path: str) -> None:
        number, name = self._descriptor(arguments)
        if name is not None:
            self._at[number] = self._at.get(number, 0) + result

    def _copy(self, arguments: str, result: int, path: str) -> None:
        """`sendfile(out, in, [from], …)`, of a file that does not change."""
        target, source = (match for match in DESCRIPTOR.finditer(arguments))
        name, number = self.below(target[2]), int(target[1])
        if name is not None:
            begin = re.search(r"\[(\d+)\]", arguments)
            assert begin is not None, arguments
            text = Path(source[2]).read_bytes()[int(begin[1]) :][:result]
            self._written(number, name, text)

    def _rename(self, arguments: str, result: int, path: str) -> None:
        old, new = (self.below(p) for p in self._paths(arguments))
        if old is None and new is None:
            return
        assert old is not None and new is not None, arguments
        for name in [n for n in self._known if n == old or n.startswith(f"{old}/")]:
            self._known.discard(name)
            self._known.add(new + name[len(old) :])
            if name in self._sizes:
                self._sizes[new + name[len(old) :]] = self._sizes.pop(name)
        self.add("rename", old, new)

    def _link(self, arguments: str, result: int, path: str) -> None:
        old, new = (self.below(p) for p in self._paths(arguments))
        if new is not None:
            assert old is not None, arguments
            self._known.add(new)
            self._sizes[new] = self._sizes[old]
            self.add("link", old, new)

    def _remove(self, arguments: str, result: int, path: str) -> None:
        name = self.below(self._paths(arguments)[0])
        if name is not None:
            self._known.discard(name)
            self.add("remove", name)

    def _folder(self, arguments: str, result: int, path: str) -> None:
        name = self.below(self._paths(arguments)[0])
        if name is not None:
            self._known.add(name)
            self.add("folder", name)

    def _size(self, arguments: str, result: int, path: str) -> None:
        name = self._descriptor(arguments)[1]
        if name is not None:
            self._resize(name, int(arguments.rpartition(",")[2]))

    def _sync(self, arguments: str, result: int, path: str) -> None:
        name = self._descriptor(arguments)[1]
        if name is not None:
            self.add("sync", name)

    def _time(self, arguments: str, result: int, path: str) -> None:
        times = re.findall(r"tv_sec=(\d+)[^,]*, tv_nsec=(\d+)", arguments)
        paths = self._paths(arguments)
        name = self.below(paths[0]) if paths else self._descriptor(arguments)[1]
        if name and name in self._sizes and len(times) == 2:
            self.add("time", name, number=int(times[1][0]) * 10**9 + int(times[1][1]))

    def _unknown(self, arguments: str, result: int, path: str) -> None:
        paths = [*self._paths(arguments), *(match[2] for match in DESCRIPTOR.finditer(arguments))]
        assert not [found for found in paths if self.below(found) is not None], arguments[:200]


_KINDS = {
    **dict.fromkeys(("open", "openat", "creat"), "open"),
    **dict.fromkeys(("write", "writev"), "write"),
    "pwrite64": "writeat",
    "pwritev": "unknown",
    "lseek": "seek",
    "read": "read",
    "sendfile": "copy",
    **dict.fromkeys(("rename", "renameat", "renameat2"), "rename"),
    **dict.fromkeys(("link", "linkat"), "link"),
    **dict.fromkeys(("unlink", "unlinkat", "rmdir"), "remove"),
    **dict.fromkeys(("mkdir", "mkdirat"), "folder"),
    "ftruncate": "size",
    **dict.fromkeys(("truncate", "fallocate", "copy_file_range", "symlink", "symlinkat"), "unknown"),
    **dict.fromkeys(("fsync", "fdatasync"), "sync"),
    "utimensat": "time",
    "sync_file_range": "ignore",
    "close": "ignore",
}


def operations(trace: Path, root: Path, before: Path) -> list[Operation]:
    """What was done to the files below a folder, of which there is a copy from before."""
    found = Trace(root, before)
    for call in calls(trace):
        found.take(*call)
    return found.operations
