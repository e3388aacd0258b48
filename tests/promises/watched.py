"""What a run in this process did to the files of a folder, from looking at the folder at each sync.

Of what happened between two looks only the outcome is seen, which is enough: nothing of it was synced.
"""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import deltalake
import deltalake.transaction
import pytest
from power_cut import NOBODYS, Operation

Seen = dict[str, tuple[int, bool, int, int]]


class Watch:
    """Operations on the files below a folder, as they are found by looking at it.

    Each file that was seen is held open, so that its number does not get another file's.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._held: dict[int, int] = {}
        self._lock = threading.Lock()
        self.operations: list[Operation] = []
        self._seen = self._look()

    def _look(self) -> Seen:
        """By path the number of each file and folder, whether it is a folder, its size and time."""
        found: Seen = {}

        def walk(folder: str, prefix: str) -> None:
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    name = f"{prefix}{entry.name}"
                    if NOBODYS.match(name):
                        continue
                    stat = entry.stat()
                    if stat.st_ino not in self._held:
                        self._held[stat.st_ino] = os.open(entry.path, os.O_RDONLY)
                    found[name] = stat.st_ino, entry.is_dir(), stat.st_size, stat.st_mtime_ns
                    if entry.is_dir():
                        walk(entry.path, f"{name}/")

        walk(str(self._root), "")
        return found

    def _add(self, kind: str, name: str, other: str = "", number: int = 0, text: bytes = b"") -> None:
        self.operations.append((kind, name, other, number, text))

    def look(self) -> None:
        """Add what has changed since the last look."""
        before, now = self._seen, self._look()
        self._seen = now
        known = {ino: name for name, (ino, *_) in before.items()}
        states = {ino: state for ino, *state in before.values()}
        gone = {name for name in before if name not in now}
        for name, (ino, is_folder, size, mtime_ns) in now.items():
            same = before.get(name)
            if same is None or same[0] != ino:
                if is_folder:
                    self._add("folder", name)
                elif ino not in known:
                    self._add("make", name)
                elif known[ino] in gone:
                    self._add("rename", known[ino], name)
                    gone.discard(known[ino])
                else:
                    self._add("link", known[ino], name)
                known[ino] = name
            if not is_folder and states.get(ino) != [is_folder, size, mtime_ns]:
                states[ino] = [is_folder, size, mtime_ns]
                self._add("truncate", name)
                self._add("write", name, text=os.pread(self._held[ino], size, 0))
                self._add("time", name, number=mtime_ns)
        for name in sorted(gone, reverse=True):
            self._add("remove", name)

    def synced(self, descriptor: int) -> None:
        with self._lock:
            self.look()
            ino = os.fstat(descriptor).st_ino
            names = [name for name, seen in self._seen.items() if seen[0] == ino]
            if ino == self._root.stat().st_ino:
                names = [""]
            for name in names[:1]:
                self._add("sync", name)

    def committed(self) -> None:
        """Look right after a commit, before anything of it is synced."""
        with self._lock:
            self.look()

    def close(self) -> None:
        for descriptor in self._held.values():
            os.close(descriptor)


@contextmanager
def watched(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Watch what this process does to the files below a folder."""
    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    watch = Watch(root)

    def then(owner: Any, name: str, look: Any) -> None:
        original = getattr(owner, name)

        def call(*arguments: Any, **options: Any) -> Any:
            result = original(*arguments, **options)
            look(*arguments)
            return result

        patched.setattr(owner, name, call)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", watch.synced)  # to wait for the disk would tell nothing more
        then(deltalake.DeltaTable, "create_write_transaction", lambda *_: watch.committed())
        then(deltalake.transaction, "create_table_with_add_actions", lambda *_, **__: watch.committed())
        try:
            yield watch
        finally:
            watch.look()
            watch.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (few, most))
