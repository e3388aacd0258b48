"""What a file system may hold after a power cut, given what was done to it and what was synced.

A model, more severe than a usual file system. Until it is synced, a file is empty, cut, full of zeros or
whole; an older synced text can be back. Until its folder is synced, a name in it can be one that it was
before; each name by itself. A rename from one folder to another does not lose the file, unless the folder
that it left was synced before the one it went to.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

COMMIT = re.compile(r"[^/]+/[^/]+/_delta_log/\d{20}\.json")
NOBODYS = re.compile(r"\.backbone/scratch(/|$)")
DAMAGES = ("empty", "cut", "zeros")
OLD_S = 3600

Operation = tuple[str, str, str, int, bytes]
Tree = dict[str, "File | bytes"]


@dataclass(eq=False)
class File:
    """A file with its text, as it is now and as it was last synced; None where it never was."""

    text: bytes = b""
    synced: bytes | None = None
    mtime_ns: int | None = None

    @property
    def is_clean(self) -> bool:
        return self.synced is not None and self.synced == self.text

    def after(self, damage: str) -> bytes:
        """Its text after a power cut."""
        if self.is_clean or damage == "whole":
            return self.text
        if self.synced is not None:
            return self.synced
        half = len(self.text) // 2
        return {"empty": b"", "cut": self.text[:half], "zeros": bytes(len(self.text))}[damage]


@dataclass(eq=False)
class Folder:
    """A folder: of each name what it has stood for since the folder was last synced, the present one last."""

    names: dict[str, list[File | Folder | None]] = field(default_factory=dict)

    def now(self, name: str) -> File | Folder | None:
        return self.names.get(name, [None])[-1]

    def put(self, name: str, what: File | Folder | None) -> int:
        self.names.setdefault(name, [None]).append(what)
        return len(self.names[name]) - 1


Place = tuple[Folder, str]


@dataclass(eq=False)
class Rename:
    """A name that was taken from one place and given to another, with its turn in both."""

    left: Place
    left_turn: int
    came: Place
    came_turn: int


class Disk:
    """A folder as a file system has it: what is in memory, and what is on the disk for sure.

    Parameters
    ----------
    root : a folder that is on the disk, but for the texts of files that wait to be landed.
    unsynced : what in it is not: the path of a folder or file, whose name and texts may go.
    """

    def __init__(self, root: Path, unsynced: str | None = None) -> None:
        self.top = Folder()
        self._renames: list[Rename] = []
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_dir():
                self._put(name, Folder())
            else:
                text = path.read_bytes()
                # Who has dropped a file need not have synced it.
                is_sure = not (name.startswith("landing/temporal/") or f"{name}/".startswith(f"{unsynced}/"))
                known = text if is_sure else None
                self._put(name, File(text, known, path.stat().st_mtime_ns))
        for folder in self._folders({}):
            folder.names = {name: turns[-1:] for name, turns in folder.names.items()}
        if unsynced is not None:
            folder, last = self._place(unsynced)
            folder.names[last].insert(0, None)

    def apply(self, operation: Operation) -> None:
        kind, name, other, number, text = operation
        match kind:
            case "make":
                self._put(name, File())
            case "folder":
                self._put(name, Folder())
            case "write":
                file = self.file(name)
                file.text = file.text[:number].ljust(number, b"\0") + text + file.text[number + len(text) :]
            case "truncate":
                file = self.file(name)
                file.text = file.text[:number].ljust(number, b"\0")
            case "link":
                self._put(other, self.at(name))
            case "rename":
                came, left = self._place(other), self._place(name)
                came_turn = came[0].put(came[1], self.at(name))
                left_turn = left[0].put(left[1], None)
                self._renames.append(Rename(left, left_turn, came, came_turn))
            case "remove":
                self._put(name, None)
            case "time":
                self.file(name).mtime_ns = number
            case "sync":
                self._sync(name)
            case _:
                raise ValueError(kind)

    def at(self, name: str) -> File | Folder | None:
        found: File | Folder | None = self.top
        for part in name.split("/") if name else ():
            found = found.now(part) if isinstance(found, Folder) else None
        return found

    def file(self, name: str) -> File:
        found = self.at(name)
        assert isinstance(found, File), name
        return found

    def _place(self, name: str) -> Place:
        folder, _, last = name.rpartition("/")
        found = self.at(folder)
        assert isinstance(found, Folder), name
        return found, last

    def _put(self, name: str, what: File | Folder | None) -> None:
        folder, last = self._place(name)
        folder.put(last, what)

    def _sync(self, name: str) -> None:
        found = self.at(name)
        if isinstance(found, File):
            found.synced = found.text
        elif isinstance(found, Folder):
            found.names = {n: turns[-1:] for n, turns in found.names.items() if turns[-1] is not None}
            # What left a synced folder is gone from it for sure. What came is there, if the folder is.
            self._renames = [
                r for r in self._renames if r.left[0] is not found and r.came[1] in r.came[0].names
            ]
            for rename in self._renames:
                if rename.came[0] is found:
                    rename.came_turn = 0

    def _folders(self, chosen: dict[int, int]) -> set[Folder]:
        """The folders that are there when each name has one of its turns, by default the present one."""
        found = [self.top]
        for folder in found:
            for turns in folder.names.values():
                what = turns[chosen.get(id(turns), len(turns) - 1)]
                if isinstance(what, Folder):
                    found.append(what)
        return {*found}

    # --- what may be there after a cut ---

    def synced_commits(self) -> dict[str, bytes]:
        """The commits that are on the disk for sure, with their texts."""
        found: dict[str, bytes] = {}

        def walk(folder: Folder, prefix: str) -> None:
            for name, turns in folder.names.items():
                what = turns[-1]
                if len(turns) > 1 or what is None:
                    continue
                if isinstance(what, Folder):
                    walk(what, f"{prefix}{name}/")
                elif what.is_clean and COMMIT.fullmatch(prefix + name):
                    found[prefix + name] = what.text

        walk(self.top, "")
        return found

    def unsynced(self) -> tuple[list[Place], list[File], dict[int, str]]:
        """The names and the files that may be otherwise after a cut, and what to call them."""
        places: list[Place] = []
        files: dict[File, None] = {}
        called: dict[int, str] = {}
        above: dict[int, Place | None] = {id(self.top): None}

        def walk(folder: Folder, prefix: str) -> None:
            for name, turns in folder.names.items():
                path = prefix + name
                if NOBODYS.match(path):
                    continue
                if len(turns) > 1:
                    places.append((folder, name))
                    called[id(turns)] = path
                for what in turns:
                    if isinstance(what, File) and not what.is_clean:
                        if path.startswith("landing/temporal/") and what is turns[-1]:
                            continue  # theirs who dropped it
                        files[what] = None
                        called[id(what)] = path
                    elif isinstance(what, Folder) and id(what) not in above:
                        above[id(what)] = (folder, name)
                        walk(what, f"{path}/")

        walk(self.top, "")
        return places, [*files], called

    def states(self, chance: random.Random, some: int) -> Iterator[tuple[str, str, dict[str, bytes | None]]]:
        """Trees that a cut now may leave, of which kind, and how; without scratch, None for a folder."""
        places, files, called = self.unsynced()
        names = [id(folder.names[name]) for folder, name in places]
        every = {key: len(f.names[n]) - 1 for key, (f, n) in zip(names, places, strict=True)}
        undone = dict.fromkeys(names, 0)
        for damage in ("whole", *DAMAGES):
            yield "all", f"all names new, files {damage}", self._tree(every, dict.fromkeys(files, damage))
            yield "all", f"all names old, files {damage}", self._tree(undone, dict.fromkeys(files, damage))
        for key in names:
            yield "one old", f"only {called[key]} old", self._tree(every | {key: 0}, {})
            for damage in ("whole", "empty"):
                above = self._above(called[key], every)
                new = {**undone, **above, key: every[key]}
                yield (
                    "one new",
                    f"only {called[key]} new, files {damage}",
                    self._tree(new, dict.fromkeys(files, damage)),
                )
        for file in files:
            for damage in DAMAGES:
                yield "one file", f"{called[id(file)]} {damage}", self._tree(every, {file: damage})
        for number in range(some):
            share = chance.choice((0.1, 0.5, 0.9))
            turns = {key: chance.randint(0, last) if chance.random() < share else last
                     for key, last in every.items()}  # fmt: skip
            damages = {file: chance.choice(DAMAGES) for file in files if chance.random() < share}
            yield "random", f"random {number}", self._tree(turns, damages)

    def _above(self, path: str, every: dict[int, int]) -> dict[int, int]:
        """The turns under which the folders above a path are there."""
        found: dict[int, int] = {}
        folder: File | Folder | None = self.top
        for part in path.split("/")[:-1]:
            if not isinstance(folder, Folder):
                break
            turns = folder.names[part]
            if id(turns) in every:
                found[id(turns)] = every[id(turns)]
            folder = turns[-1]
        return found

    def _tree(self, turns: dict[int, int], damages: dict[File, str]) -> dict[str, bytes | None]:
        """The tree in which each name has one of its turns (by default the present one)."""
        chosen = dict(turns)
        there = self._folders(chosen)
        for rename in reversed(self._renames):
            left, came = (place[0].names[place[1]] for place in (rename.left, rename.came))
            is_undone = chosen.get(id(came), len(came) - 1) < rename.came_turn
            if is_undone or rename.came[0] not in there:
                turn = min(chosen.get(id(left), len(left) - 1), rename.left_turn - 1)
                chosen[id(left)] = turn
        tree: dict[str, bytes | None] = {}

        def walk(folder: Folder, prefix: str) -> None:
            for name, known in folder.names.items():
                path = prefix + name
                what = known[chosen.get(id(known), len(known) - 1)]
                if NOBODYS.match(path) or what is None:
                    continue
                if isinstance(what, Folder):
                    tree[path] = None
                    walk(what, f"{path}/")
                else:
                    theirs = path.startswith("landing/temporal/")
                    tree[path] = what.text if theirs else what.after(damages.get(what, "whole"))

        walk(self.top, "")
        return tree

    def tree(self) -> dict[str, bytes | None]:
        """What is there as long as the power is on, scratch left out."""
        return self._tree({}, {})

    def times(self) -> dict[str, int]:
        """When the files were last written, as far as that was set; by path."""
        found: dict[str, int] = {}

        def walk(folder: Folder, prefix: str) -> None:
            for name, turns in folder.names.items():
                for what in turns:
                    if isinstance(what, Folder):
                        walk(what, f"{prefix}{name}/")
                    elif isinstance(what, File) and what.mtime_ns is not None:
                        found[prefix + name] = what.mtime_ns

        walk(self.top, "")
        return found


@dataclass(frozen=True)
class Cut:
    """A power cut at one point of a run: which kind, how, what it left, and the commits that were synced."""

    kind: str
    how: str
    tree: dict[str, bytes | None]
    times: dict[str, int]
    synced: dict[str, bytes]

    def lay_out(self, root: Path) -> None:
        """Make the folder as the cut left it; its files are no longer being written."""
        root.mkdir(parents=True)
        settled = (int(root.stat().st_mtime) - OLD_S) * 10**9
        for name, text in self.tree.items():  # folders come before what is in them
            path = root / name
            if text is None:
                path.mkdir()
            else:
                path.write_bytes(text)
                time_ns = self.times.get(name, settled)
                os.utime(path, ns=(time_ns, time_ns))


def cuts(
    disk: Disk, operations: Sequence[Operation], *, every: int, some: int, seed: int
) -> tuple[list[Cut], int]:
    """The different states that a power cut may leave at some points of a run; and how many points.

    Parameters
    ----------
    every : of the points before and after a sync and after a commit, each n-th is looked at; 1 for all.
    some : random states at each.
    """
    chance = random.Random(seed)
    found: dict[int, Cut] = {}
    points = 0
    for number, operation in enumerate([*operations, ("end", "", "", 0, b"")]):
        kind, name, other = operation[:3]
        before = operations[number - 1] if number else None
        is_point = kind in ("sync", "end") or (
            before is not None and (before[0] == "sync" or COMMIT.fullmatch(before[2] or before[1]))
        )
        if is_point:
            points += 1
            if points % every == 0:
                synced, times = disk.synced_commits(), disk.times()
                for which, how, tree in disk.states(chance, some):
                    key = hash(frozenset(tree.items()))
                    if key not in found:
                        text = f"operation {number} of {len(operations)} ({kind} {name} {other}): {how}"
                        found[key] = Cut(which, text, tree, times, synced)
        if kind != "end":
            disk.apply(operation)
    return _mixed([*found.values()], chance), points


def _mixed(found: list[Cut], chance: random.Random) -> list[Cut]:
    """The same with the kinds in turn, each in an order by chance."""
    chance.shuffle(found)
    turns: dict[str, int] = {}
    order = []
    for cut in found:
        turns[cut.kind] = turns.get(cut.kind, 0) + 1
        order.append((turns[cut.kind], cut.kind))
    return [cut for _, cut in sorted(zip(order, found, strict=True), key=lambda pair: pair[0])]
