"""Find the values of the wanted fields by the keys of the top object, and keys that come twice.

Keys are compared byte by byte. Where every record of a block has the same keys in the same places, one look
tells them all; elsewhere equal keys of one object are found by sorting hashes, and looked at singly.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from backbone.formatted.json.grammar import KEY, Objects
from backbone.formatted.json.nested import Nested, Path, Steps, no_nested
from backbone.formatted.json.problems import GOOD, KEY_TWICE
from backbone.formatted.json.tokens import (
    Bytes,
    Flags,
    Positions,
    Tokens,
    Words,
    eight_bytes,
    low_bytes,
)

_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Values:
    """Where the values of the wanted fields are.

    Parameters
    ----------
    first, last : shape (fields, records that are left); the tokens with which the value begins and ends, -1
        where the field is absent.
    others : names of other fields of the top objects.
    twice : key that comes twice, by number of the record in the block.
    nested : where the values are that paths lead to; None where none is wanted.
    """

    first: Positions
    last: Positions
    others: set[str]
    twice: dict[int, str]
    nested: Nested | None = None


def find_values(
    view: Bytes, objects: Objects, wanted: tuple[str, ...], paths: tuple[Path, ...] = ()
) -> Values:
    """The values of the wanted fields in each record; sets the problem of a record with a key twice.

    Parameters
    ----------
    paths : of values in objects within the record, by the keys that lead to them.
    """
    if not objects.record.size:
        none = np.empty((len(wanted), 0), dtype=np.int64)
        return Values(none, none, set(), {}, no_nested(len(paths), 0) if paths else None)
    keys = np.flatnonzero(objects.role == KEY)
    at, size = objects.tokens.at[keys] + 1, objects.tokens.end[keys] - objects.tokens.at[keys] - 2
    escaped = _escaped(objects.tokens, objects.role)
    if objects.container is None and not escaped.size and not paths:
        columns = _same_keys(view, objects, keys, at, size)
        if columns is not None:
            return _by_column(view, objects, columns, at, size, wanted)
    return _by_record(view, objects, _Keys(keys, at, size), escaped, wanted, paths)


@dataclass(frozen=True)
class _Keys:
    """Tokens of the keys, and where their names begin (behind the quote) and how long they are."""

    token: Positions
    at: Positions
    size: Positions


def _escaped(tokens: Tokens, role: Bytes) -> Positions:
    """Tokens of the keys that have a backslash."""
    if not tokens.escapes.size:
        return tokens.escapes
    token = np.searchsorted(tokens.at, tokens.escapes, side="right") - 1
    token = token[(token >= 0) & (tokens.escapes < tokens.end[token])]
    return np.unique(token[role[token] == KEY])


def _same_keys(
    view: Bytes, objects: Objects, keys: Positions, at: Positions, size: Positions
) -> Positions | None:
    """Keys by record and place, where all records have the same ones in the same places."""
    records = objects.lo.size
    if not records or not keys.size or keys.size % records:
        return None
    rows = keys.reshape(records, -1)
    if not ((rows[:, 0] >= objects.lo).all() and (rows[:, -1] < objects.hi).all()):
        return None
    sizes = size.reshape(rows.shape)
    if not (sizes == sizes[0]).all():
        return None
    places = at.reshape(rows.shape)
    eight = eight_bytes(view)
    for column, length in enumerate(sizes[0].tolist()):
        for shift in range(0, length, 8):
            words = eight[places[:, column] + shift] & low_bytes(np.array(length - shift))
            if not (words == words[0]).all():
                return None
    return rows


def _by_column(
    view: Bytes, objects: Objects, rows: Positions, at: Positions, size: Positions, wanted: tuple[str, ...]
) -> Values:
    count = rows.shape[1]
    names = [_name(view, at[column], size[column]) for column in range(count)]
    first = np.full((len(wanted), objects.lo.size), -1, dtype=np.int64)
    for field, name in enumerate(wanted):
        if name in names:
            first[field] = rows[:, names.index(name)] + 2
    twice: dict[int, str] = {}
    if len(set(names)) < count:
        name = next(name for place, name in enumerate(names) if name in names[:place])
        twice = dict.fromkeys(objects.record.tolist(), name)
        _set_twice(objects, objects.record)
    return Values(first, first, set(names).difference(wanted), twice)


def _by_record(
    view: Bytes,
    objects: Objects,
    keys: _Keys,
    escaped: Positions,
    wanted: tuple[str, ...],
    paths: tuple[Path, ...],
) -> Values:
    top = np.ones(keys.token.size, dtype=np.bool_)
    record = np.searchsorted(objects.lo, keys.token, side="right") - 1
    container = objects.lo[record] if objects.container is None else objects.container[keys.token]
    if objects.container is not None:
        top = container == objects.lo[record]
    words = _words(view, keys)
    first = np.full((len(wanted), objects.lo.size), -1, dtype=np.int64)
    known = np.zeros(keys.token.size, dtype=np.bool_)
    for field, name in enumerate(wanted):
        found = _equal_to(view, keys, words, top, name.encode("utf-8", "surrogatepass"))
        first[field, record[found]] = keys.token[found] + 2
        known[found] = True
    hashes = _hashes(view, keys, words)
    single = np.union1d(record[np.isin(keys.token, escaped)], record[_perhaps_twice(hashes, container)])
    twice: dict[int, str] = {}
    steps = Steps(paths, objects, view)
    for path, step, parents in steps.each():
        inside = container == parents[record]
        found = _equal_to(view, keys, words, inside, step.encode("utf-8", "surrogatepass"))
        steps.take(path, record[found], keys.token[found] + 2)
    for number in single.tolist():
        lo, hi = np.searchsorted(keys.token, [objects.lo[number], objects.hi[number]])
        names = [_name(view, keys.at[key], keys.size[key]) for key in range(lo, hi)]
        seen: set[tuple[int, str]] = set()
        for key, name in enumerate(names, int(lo)):
            if (int(container[key]), name) in seen:
                twice.setdefault(int(objects.record[number]), name)
            seen.add((int(container[key]), name))
            if top[key] and name in wanted:
                first[wanted.index(name), number] = keys.token[key] + 2
                known[key] = True
        if paths:
            tokens = zip(container[lo:hi].tolist(), names, keys.token[lo:hi].tolist(), strict=True)
            steps.walk(number, {(of, name): token + 2 for of, name, token in tokens})
    _set_twice(objects, np.array(sorted(twice), dtype=np.int64))
    others = np.flatnonzero(top & ~known)
    _, distinct = np.unique(hashes[others], return_index=True)
    names_of_others = {_name(view, keys.at[key], keys.size[key]) for key in others[distinct].tolist()}
    last = _last_tokens(objects, first, keys.token[top])
    if not paths:
        return Values(first, last, names_of_others, twice)
    nested = steps.found()
    for head, parents in steps.opened.items():
        of_head = np.flatnonzero((container == parents[record]) & (parents[record] >= 0))
        _, distinct = np.unique(hashes[of_head], return_index=True)
        for key in of_head[distinct].tolist():
            nested.others.add((*head, _name(view, keys.at[key], keys.size[key])))
    return Values(first, last, names_of_others, twice, nested)


def _last_tokens(objects: Objects, first: Positions, tops: Positions) -> Positions:
    """The tokens with which values end: before the comma before the next key, or the closing bracket."""
    record = np.searchsorted(objects.lo, tops, side="right") - 1
    ends = objects.hi[record] - 2
    same = np.flatnonzero(record[1:] == record[:-1])
    ends[same] = tops[same + 1] - 2
    of_token = np.full(objects.role.size + 3, -1, dtype=np.int64)
    of_token[tops + 2] = ends
    return np.where(first < 0, -1, of_token[first])


def _words(view: Bytes, keys: _Keys) -> Words:
    return eight_bytes(view)[keys.at] & low_bytes(keys.size)


def _equal_to(view: Bytes, keys: _Keys, words: Words, top: Flags, name: bytes) -> Positions:
    """Those keys of top objects that are a name, byte by byte."""
    found = np.flatnonzero(
        (keys.size == len(name)) & (words == np.uint64(int.from_bytes(name[:8], "little"))) & top
    )
    eight = eight_bytes(view)
    for shift in range(8, len(name), 8):
        part = np.uint64(int.from_bytes(name[shift : shift + 8], "little"))
        mask = low_bytes(np.array(len(name) - shift))
        found = found[(eight[keys.at[found] + shift] & mask) == part]
    return found


def _hashes(view: Bytes, keys: _Keys, words: Words) -> Words:
    hashes = (words ^ keys.size.astype(np.uint64)) * _MIX
    eight = eight_bytes(view)
    longer, shift = np.flatnonzero(keys.size > 8), 8
    while longer.size:
        part = eight[keys.at[longer] + shift] & low_bytes(keys.size[longer] - shift)
        mixed = hashes[longer]
        hashes[longer] = ((mixed ^ (mixed >> np.uint64(29))) + part) * _MIX
        shift += 8
        longer = longer[keys.size[longer] > shift]
    hashes ^= hashes >> np.uint64(32)
    return hashes


def _perhaps_twice(hashes: Words, container: Positions) -> Positions:
    """Keys with the hash of another key of their object."""
    mixed = (hashes + container.astype(np.uint64)) * _MIX
    mixed ^= mixed >> np.uint64(31)
    ordered = np.sort(mixed)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.flatnonzero(np.isin(mixed, repeated)) if repeated.size else np.empty(0, dtype=np.int64)


def _name(view: Bytes, at: int, size: int) -> str:
    """A key without its escapes; one that is no valid text as it stands in the file."""
    written = view[at : at + size].tobytes()
    try:
        name: str = json.loads(b'"' + written + b'"')
    except ValueError:
        return written.decode("utf-8", "replace")
    return name


def _set_twice(objects: Objects, records: Positions) -> None:
    good = records[objects.problem[records] == GOOD]
    objects.problem[good] = KEY_TWICE
