"""Refuse a JSON file whose records are none of the contract's: an object around them, or other keys.

Under a contract whose fields are all optional each such record would be a row of nulls.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from backbone.errors import BatchRefused
from backbone.formatted.binding import UNTOUCHED, shown_names, source_of
from backbone.formatted.json.reader import JsonRecords
from backbone.formatted.json.tokens import (
    ARRAY,
    COLON,
    END_ARRAY,
    END_OBJECT,
    OBJECT,
    TEXT,
    padded,
    split_tokens,
)

HEAD = 1 << 16  # bytes of the first record that are looked at


@dataclass(frozen=True)
class InnerRecords:
    """An array of objects within an object: the keys that lead to it, and those of its first object."""

    path: tuple[str, ...]
    keys: frozenset[str]

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def matches(self, wanted: Collection[str]) -> int:
        """How many of the wanted keys its first object has."""
        return len(self.keys.intersection(wanted))


def inner_records(text: bytes) -> list[InnerRecords]:
    """The arrays of objects that the object with which a text begins holds, directly or in other objects.

    Parameters
    ----------
    text : may be cut off anywhere.

    Examples
    --------
    >>> [(found.name, *found.keys) for found in inner_records(b'{"n": 1, "a": {"b": [{"id": 1}, {"id"')]
    [('a.b', 'id')]
    """
    tokens = split_tokens(padded(text))
    kinds: list[int] = tokens.kind.tolist()
    keys = {
        at: _name(text[tokens.at[at] : tokens.end[at]])
        for at, kind in enumerate(kinds[:-1])
        if kind == TEXT and kinds[at + 1] == COLON
    }
    found, opened, key = [], list[tuple[int, str]](), ""
    for at, kind in enumerate(kinds):
        if kind in (OBJECT, ARRAY):
            in_objects = all(bracket == OBJECT for bracket, _ in opened)
            if kind == ARRAY and opened and in_objects and kinds[at + 1 : at + 2] == [OBJECT]:
                path = (*(name for _, name in opened[1:]), key)
                found.append(InnerRecords(path, _keys_of_object(kinds, keys, at + 1)))
            opened.append((kind, key))
        elif kind in (END_OBJECT, END_ARRAY):
            if len(opened) < 2:
                break
            opened.pop()
        else:
            key = keys.get(at, key)
    return found


def refuse_unknown_records(
    reader: JsonRecords, wanted: Sequence[str], required: Collection[Collection[str]], where: str
) -> None:
    """Refuse a file of which no record has any of the wanted keys, or whose one object is around the records.

    It is around them where the first object of an array within has more of the wanted keys than it has; but
    not where it has the required ones itself.

    Parameters
    ----------
    reader : has read all of the file.
    wanted : the keys that the reader looked for.
    required : what every record must have: of each such field, the keys that it may be under.
    """
    is_unknown = reader.good > 0 and not reader.present
    inner = inner_records(reader.head(HEAD)) if is_unknown or reader.records == 1 else []
    best = max(inner, key=lambda found: found.matches(wanted), default=None)
    present = [wanted[field] for field in sorted(reader.present)]
    is_record = bool(required) and all({*present}.intersection(some) for some in required)
    is_around = reader.records == 1 and best is not None and best.matches(wanted) > len(present)
    if not is_unknown and not (is_around and not is_record):
        return
    names = [*present, *reader.others]
    keys = f"the key{'s' if len(names) > 1 else ''} {shown_names(names)}" if names else "no key"
    some = "one object" if reader.records == 1 else f"{reader.records:,} records"
    expected = shown_names([*dict.fromkeys(wanted)])
    problem = f"expected records with keys of the contract ({expected}), found {some} with {keys}"
    next_step = (
        f"map the names in backbone.toml, [sources.{source_of(where)}] columns = "
        '{ field = "key in the file" }, or have the file delivered again'
    )
    if best is not None:
        holder = "its" if reader.records == 1 else "the first one's"
        problem += f"; {holder} array {best.name!r} holds objects, which may be the records"
        next_step = f"have the objects in {best.name!r} delivered by themselves, under the same name"
        if all(part.isascii() and part.isidentifier() for part in best.path):
            next_step += f"; `jq .{best.name}` gives them"
    raise BatchRefused(where, problem, UNTOUCHED, next_step)


def _keys_of_object(kinds: Sequence[int], keys: Mapping[int, str], start: int) -> frozenset[str]:
    """The keys of the object that a token opens, as far as the text goes."""
    depth, found = 0, set()
    for at in range(start, len(kinds)):
        if kinds[at] in (OBJECT, ARRAY):
            depth += 1
        elif kinds[at] in (END_OBJECT, END_ARRAY):
            depth -= 1
        if depth == 0:
            break
        if depth == 1 and at in keys:
            found.add(keys[at])
    return frozenset(found)


def _name(written: bytes) -> str:
    """A key without its quotes and escapes."""
    try:
        name: str = json.loads(written)
    except ValueError:
        return written.decode("utf-8", "replace")
    return name
