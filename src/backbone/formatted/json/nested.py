"""Find the values in objects within a record, by the keys that lead to them: `address.city`.

A path is followed one key after the other, for all records of a block at a time: what one key leads to is the
object in which the next is looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from backbone.formatted.json.grammar import Objects
from backbone.formatted.json.tokens import (
    ARRAY,
    END_ARRAY,
    END_OBJECT,
    OBJECT,
    WORD,
    Bytes,
    Flags,
    Positions,
)

Path = tuple[str, ...]


@dataclass(frozen=True)
class Nested:
    """Where the values are that paths lead to.

    Attributes
    ----------
    first, last : shape (paths, records), as in `Values`.
    blocked : shape (paths, records), whether a value stands in the way that is no object and not null.
    others : paths of the keys in the objects that were looked into.
    """

    first: Positions
    last: Positions
    blocked: Flags
    others: set[Path] = field(default_factory=set)


def no_nested(paths: int, records: int) -> Nested:
    """Records in which no path leads to a value."""
    none = np.full((paths, records), -1, dtype=np.int64)
    return Nested(none, none.copy(), np.zeros((paths, records), dtype=np.bool_))


class Steps:
    """The steps along some paths in the records of a block.

    Attributes
    ----------
    opened : by path, the objects that were looked into: shape (records,), the tokens that open them, or -1.
    """

    def __init__(self, paths: tuple[Path, ...], objects: Objects, view: Bytes) -> None:
        self._paths, self._objects, self._view = paths, objects, view
        count = objects.lo.size
        self._at = np.full((len(paths), count), -1, dtype=np.int64)
        self._blocked = np.zeros((len(paths), count), dtype=np.bool_)
        self.opened: dict[Path, Positions] = {}

    def each(self) -> Iterator[tuple[int, str, Positions]]:
        """Path, key, and the objects to look for it in; what is found is given to `take` before the next."""
        for number, path in enumerate(self._paths):
            parents = self._objects.lo
            for depth, key in enumerate(path):
                self._at[number] = -1
                yield number, key, parents
                if depth + 1 < len(path):
                    parents = self._objects_at(number)
                    self.opened[path[: depth + 1]] = parents

    def take(self, path: int, records: Positions, values: Positions) -> None:
        """Note the tokens with which values begin."""
        self._at[path, records] = values

    def walk(self, record: int, values: Mapping[tuple[int, str], int]) -> None:
        """Find the values of one record whose keys are known, by the token that opens their object."""
        for number, path in enumerate(self._paths):
            at, self._blocked[number, record] = int(self._objects.lo[record]), False
            for depth, key in enumerate(path):
                if depth:
                    is_object, is_blocked = self._what_is_at(at)
                    self._blocked[number, record] |= is_blocked
                    at = at if is_object else -1
                    self.opened[path[:depth]][record] = at
                at = values.get((at, key), -1)
            self._at[number, record] = at

    def _what_is_at(self, at: int) -> tuple[bool, bool]:
        """Whether a token begins an object, and whether another value that is not null."""
        if at < 0:
            return False, False
        tokens = self._objects.tokens
        kind = int(tokens.kind[at])
        is_null = kind == WORD and int(self._view[tokens.at[at]]) == ord("n")
        return kind == OBJECT, kind != OBJECT and not is_null

    def found(self) -> Nested:
        """The values at the ends of the paths."""
        kind = self._objects.tokens.kind
        begin = np.maximum(self._at, 0)
        last = self._at.copy()
        opens = (self._at >= 0) & ((kind[begin] == OBJECT) | (kind[begin] == ARRAY))
        if opens.any() and self._objects.container is not None:
            ends = np.flatnonzero((kind == END_OBJECT) | (kind == END_ARRAY))
            closed_by = np.full(kind.size, -1, dtype=np.int64)
            closed_by[self._objects.container[ends]] = ends
            last[opens] = closed_by[self._at[opens]]
        return Nested(self._at, last, self._blocked)

    def _objects_at(self, path: int) -> Positions:
        """The objects that the step led to; other values are in the way, but for nulls."""
        at, tokens = self._at[path], self._objects.tokens
        begin = np.maximum(at, 0)
        kind = tokens.kind[begin]
        is_object = (at >= 0) & (kind == OBJECT)
        is_null = (kind == WORD) & (self._view[tokens.at[begin]] == ord("n"))
        self._blocked[path] |= (at >= 0) & ~is_object & ~is_null
        return np.where(is_object, at, -1)
