"""JSON files of every kind, and a slow reader of one record that is right about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from backbone.formatted.json.reader import JsonRecords

CHUNKS = (1, 2, 3, 7, 64, 1 << 20)
WANTED = ("id", "name", "x y", "a/b.c~d", "ID", "a key that is longer than sixteen bytes")
BLANKS = " \t\r\n"
many = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def read(
    path: Path, data: bytes, wanted: tuple[str, ...] = WANTED, *, chunk: int = 1 << 20, longest: int = 1 << 24
) -> list[dict[str, Any]]:
    """The records of a file with these bytes; `values` holds the wanted fields."""
    path.write_bytes(data)
    reader = JsonRecords(path, wanted, chunk=chunk, longest=longest)
    batches = list(reader.batches())
    for batch in batches:
        batch.validate(full=True)
    rows: list[dict[str, Any]] = pa.Table.from_batches(batches).to_pylist()
    assert reader.records == len(rows)
    for row in rows:
        row["values"] = [row.pop(f"c{field}") for field in range(len(wanted))]
        row["numbers"] = [row.pop(f"n{field}") for field in range(len(wanted))]
    return rows


def slow_values(text: str, wanted: tuple[str, ...] = WANTED) -> list[str | None] | None:
    """The values of the wanted fields in one record, or None if it is not one valid JSON object."""

    def refuse(name: str) -> NoReturn:
        raise ValueError(name)

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(found)) < len(found):
            raise ValueError("a key comes twice")
        for key, value in found:
            refuse_surrogates(key)
            refuse_surrogates(value)
        return dict(found)

    def refuse_surrogates(value: Any) -> None:
        if isinstance(value, str):
            value.encode()
        if isinstance(value, list):
            for element in value:
                refuse_surrogates(element)

    decoder = json.JSONDecoder(
        object_pairs_hook=pairs, parse_constant=refuse, parse_int=str, parse_float=str, strict=True
    )

    def skip(at: int) -> int:
        while at < len(text) and text[at] in BLANKS:
            at += 1
        return at

    try:
        decoder.decode(text)
        at = skip(0)
        if text[at] != "{":
            return None
        tokens: dict[str, str] = {}
        at = skip(at + 1)
        while text[at] != "}":
            key, at = decoder.raw_decode(text, at)
            start = skip(skip(at) + 1)
            _, at = decoder.raw_decode(text, start)
            tokens[key] = text[start:at]
            at = skip(at)
            at = skip(at + 1) if text[at] == "," else at
    except ValueError:
        return None

    def value(token: str | None) -> str | None:
        if token is None or token == "null":
            return None
        return json.loads(token) if token.startswith('"') else token

    return [value(tokens.get(name)) for name in wanted]


blanks = st.sampled_from(["", "", "", " ", "\t", "  "])
escapes = st.sampled_from(
    [r"\n", r"\"", r"\\", r"\/", r"\u00e9", r"\u0000", r"\ud83d\ude00", r"\u0041", r"\b\f\r\t", r"\u005C"]
)
bad_escapes = st.sampled_from(
    [r"\x", r"\u12", r"\ud800", r"\ude00\ud83d", r"\u00G0", "\\", "\t", "\x01", "\x7f"]
)
letters = st.text(st.sampled_from("ab{}[]:, é漢😀-1"), max_size=6)
numbers = st.sampled_from(
    ["0", "-0", "1.10", "1e3", "1E400", "-12.50e-07", "9007199254740993", "1" * 45, "12345678", "0.1", "10"]
)
bad_words = st.sampled_from(
    ["NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "1e", "tru", "nul", "nulll", "True", "0x1", "-",
     "1 2", "'a'", "é", "\x00", "1_0", "1" * 45 + "x", ""]
)  # fmt: skip
keys = st.sampled_from([*(json.dumps(name) for name in WANTED), '"i\\u0064"', '""', '"a"', '"b\\n"', '"é"'])


def texts(bad: bool) -> st.SearchStrategy[str]:
    parts = st.one_of(letters, letters, escapes, *([bad_escapes] if bad else []))
    return st.lists(parts, max_size=3).map(lambda found: '"' + "".join(found) + '"')


def containers(values: st.SearchStrategy[str], bad: bool) -> st.SearchStrategy[str]:
    comma = st.sampled_from([",", ", ", " ,", *((",,", "", ";") if bad else ())])
    colon = st.sampled_from([":", ": ", " :", *(("::", "", ",") if bad else ())])
    pair = st.tuples(keys | texts(bad), colon, values).map("".join)
    sides = [("{", "}", pair), ("[", "]", values)]
    if bad:
        sides += [("{", "]", pair), ("{", ",}", pair), ("", "}", pair), ("{", "", pair), ("[", "", values)]

    def several(side: tuple[str, str, st.SearchStrategy[str]]) -> st.SearchStrategy[str]:
        begin, end, inner = side
        return st.tuples(comma, blanks, st.lists(inner, max_size=4)).map(
            lambda found: begin + found[1] + found[0].join(found[2]) + found[1] + end
        )

    return st.sampled_from(sides).flatmap(several)


def values(bad: bool) -> st.SearchStrategy[str]:
    words = st.one_of(numbers, st.sampled_from(["true", "false", "null"]), *([bad_words] if bad else []))
    return st.recursive(words | texts(bad), lambda inner: containers(inner, bad), max_leaves=6)


def objects(bad: bool) -> st.SearchStrategy[str]:
    """Objects, some of which are wrong if they may be."""
    pair = st.tuples(keys, st.sampled_from([":", ": "]), values(bad)).map("".join)
    return st.tuples(blanks, st.lists(pair, max_size=5)).map(
        lambda found: "{" + found[0] + ("," + found[0]).join(found[1]) + found[0] + "}"
    )
