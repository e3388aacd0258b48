"""JSON files that a machine made up, beside the slow reader, at every boundary between two pieces."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st
from json_files import CHUNKS, many, objects, read, slow_values, values

records = objects(bad=False) | objects(bad=True) | values(bad=True)
FIRST = '{"id": 1}'


@many
@given(
    st.lists(records | st.sampled_from(["", " ", "\t"]), max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
@example(['{"id": "a\\u0000"}', '"', '{"id": 2}'], "\n", True)
@example(['{"id": "\\', '{"id": 2}'], "\n", False)
def test_each_line_is_read_for_itself(tmp_path: Path, lines: list[str], ending: str, last: bool) -> None:
    lines = [FIRST, *(line.replace("\n", "").replace("\r", "") for line in lines)]
    data = ending.join(lines) + (ending if last else "")
    expected = [
        (number, line, slow_values(line)) for number, line in enumerate(lines, 1) if line.strip(" \t")
    ]
    for chunk in CHUNKS:
        found = read(tmp_path / "a.jsonl", data.encode(), chunk=chunk)
        assert [(row["line"], row["text"]) for row in found] == [(line, text) for line, text, _ in expected]
        for row, (_, text, right) in zip(found, expected, strict=True):
            assert (row["problem"] is None) == (right is not None), row
            assert row["values"] == (right or [None] * len(row["values"]))
            assert data.encode()[row["start"] : row["stop"]].decode() == text


gaps = st.sampled_from(["", " ", "\n", "\r\n", "\n\n  "])


@many
@given(
    st.lists(
        objects(bad=False)
        | values(bad=False)
        | objects(bad=False).map(lambda text: text[:1] + "\n" + text[1:]),
        max_size=6,
    ),
    gaps,
    gaps,
    st.booleans(),
)
def test_each_element_of_an_array_is_read(
    tmp_path: Path, elements: list[str], before: str, after: str, indented: bool
) -> None:
    if indented:
        elements = [
            json.dumps(json.loads(text), indent=2) for text in elements if slow_values(text) is not None
        ]
    data, places = f"{before}[{before}", []
    for number, text in enumerate(elements):
        data += f"{after},{before}" if number else ""
        places.append(len(data.encode()))
        data += text
    data += after + "]" + after
    for chunk in CHUNKS:
        found = read(tmp_path / "a.json", data.encode(), chunk=chunk)
        assert [row["text"] for row in found] == elements
        assert [row["start"] for row in found] == places
        for row, text in zip(found, elements, strict=True):
            right = slow_values(text)
            assert (row["problem"] is None) == (right is not None), row
            assert row["values"] == (right or [None] * len(row["values"]))
            assert row["line"] == 1 + data.encode().count(b"\n", 0, row["start"])


@many
@given(
    st.lists(records, max_size=5),
    st.sampled_from([",", ",\n", ", ", "\n", ",,"]),
    st.lists(
        st.tuples(
            st.integers(0, 10**6), st.sampled_from(["", '"', "{", "}", "[", "]", ",", "\n", "\\", "a"])
        ),
        max_size=3,
    ),
    st.booleans(),
)
@example([], ",", [(0, '"')], False)
def test_nothing_of_a_damaged_array_is_lost_or_made_up(
    tmp_path: Path, elements: list[str], comma: str, damages: list[tuple[int, str]], cut: bool
) -> None:
    text = "[" + comma.join([FIRST, *elements]) + "]"
    for place, sign in damages:
        place = 1 + place % len(text)
        text = text[:place] + sign + text[place + (not sign) :]
    if cut:
        text = text[: 1 + len(text) * 2 // 3]
    data = (text + "\n ").encode()
    (tmp_path / "b").mkdir(exist_ok=True)
    rows = read(tmp_path / "a.json", data)
    for chunk in CHUNKS[:-1]:
        assert read(tmp_path / "a.json", data, chunk=chunk) == rows
    accounted = bytearray(data)
    before = 0
    for row in rows:
        assert before <= row["start"] <= row["stop"]
        before = row["stop"]
        written = data[row["start"] : row["stop"]]
        assert written.decode() == row["text"]
        accounted[row["start"] : row["stop"]] = b" " * len(written)
        if row["problem"] is None:
            assert slow_values(row["text"]) == row["values"]
            assert row["values"] is not None
    assert accounted.strip(b"[], \t\r\n") == b""
    assert len(rows) >= len(_strictly(text)) or rows[0]["text"].startswith("[")
    for row, right in zip(rows, _strictly(text), strict=False):
        if not rows[0]["text"].startswith("["):
            assert row["text"] == right


def _strictly(text: str) -> list[str]:
    """The elements of an array up to its first fault, as a strict parser reads one after the other."""
    decoder = json.JSONDecoder(strict=True, parse_int=str, parse_float=str)
    found: list[str] = []
    at = 1
    while True:
        while at < len(text) and text[at] in " \t\r\n":
            at += 1
        try:
            _, end = decoder.raw_decode(text, at)
        except ValueError:
            return found
        element = text[at:end]
        at = end
        while at < len(text) and text[at] in " \t\r\n":
            at += 1
        if at >= len(text) or text[at] not in ",]":
            return found
        found.append(element)
        if text[at] == "]":
            return found
        at += 1
