"""JSON records with exact expected values: what is read, what is quarantined, and with which reason."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from json_files import CHUNKS, read

from backbone.formatted.json.blocks import NotUtf8
from backbone.formatted.json.problems import DEEPEST

GOOD_LINES: dict[str, tuple[str, str | None]] = {
    "a text": ('{"id": "x"}', "x"),
    "an empty text": ('{"id": ""}', ""),
    "a long text": ('{"id": "' + "é" * 500 + '"}', "é" * 500),
    "a text of twelve bytes": ('{"id": "123456789012"}', "123456789012"),
    "a text of thirteen bytes": ('{"id": "1234567890123"}', "1234567890123"),
    "the text null": ('{"id": "null"}', "null"),
    "null": ('{"id": null}', None),
    "absent": ('{"more": 1}', None),
    "no fields at all": ("{}", None),
    "a number with a zero at its end": ('{"id": 1.10}', "1.10"),
    "an exponent": ('{"id": 1E400}', "1E400"),
    "a small exponent": ('{"id": 1.0e-7}', "1.0e-7"),
    "a negative zero": ('{"id": -0}', "-0"),
    "many digits": (
        '{"id": 12345678901234567890.12345678901234567890}', "12345678901234567890.12345678901234567890"
    ),
    "a huge number": ('{"id": ' + "9" * 5000 + "}", "9" * 5000),
    "true": ('{"id": true}', "true"),
    "false": ('{"id": false}', "false"),
    "an object": ('{"id": {"id": 1, "b": [ 2 ,3]} }', '{"id": 1, "b": [ 2 ,3]}'),
    "an array": ('{"id": [1, "]", {"id": 2}]}', '[1, "]", {"id": 2}]'),
    "the same key nested before": ('{"prev": {"id": "a"}, "id": "b"}', "b"),
    "the same key nested after": ('{"id": "b", "next": {"id": "a"}}', "b"),
    "the same key deeper only": ('{"next": [{"id": "a"}]}', None),
    "the key as a value": ('{"a": "id", "id": "b"}', "b"),
    "the key within a text": (r'{"a": "\"id\": \"c\"", "id": "b"}', "b"),
    "an escaped key": (r'{"\u0069d": 7}', "7"),
    "an escaped key nested": (r'{"n": {"\u0069d": 7}, "id": 8}', "8"),
    "a key in capitals": ('{"ID": 1, "id": 2}', "2"),
    "an empty key": ('{"": 1, "id": 2}', "2"),
    "escapes": (r'{"id": "a\n\t\"\\\/\u00e9\ud83d\ude00"}', 'a\n\t"\\/é😀'),
    "a NUL that is escaped": (r'{"id": "a\u0000b"}', "a\0b"),
    "a text that ends in a backslash": (r'{"id": "a\\"}', "a\\"),
    "blanks everywhere": ('  { "id" :\t1 , "b" : [ ] } ', "1"),
    "brackets in texts": ('{"a": "}{][,:", "id": 1}', "1"),
    "equal keys in two objects": ('{"a": {"x": 1}, "b": {"x": 1}, "id": 1}', "1"),
    "as deep as may be": ('{"a": ' + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1) + ', "id": 1}', "1"),
    "a DEL": ('{"id": "\x7f"}', "\x7f"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "value"), GOOD_LINES.values(), ids=GOOD_LINES)
@pytest.mark.parametrize("between", [False, True], ids=["alone", "between others"])
def test_a_value_is_what_was_written(tmp_path: Path, line: str, value: str | None, between: bool) -> None:
    lines = ['{"id": "first"}', line, '{"id": "last", "n": [{}]}'] if between else [line]
    values = ["first", value, "last"] if between else [value]
    rows = read(tmp_path / "a.jsonl", "\n".join(lines).encode())
    assert [row["problem"] for row in rows] == [None] * len(lines)
    assert [row["values"][0] for row in rows] == values
    assert [row["text"] for row in rows] == lines
    (row,) = read(tmp_path / "a.json", f"[{line}]".encode())
    assert (row["problem"], row["values"][0]) == (None, value)


NO_OBJECT = "the line is not a JSON object"
INVALID = "the line is not valid JSON: "
CONTROL = INVALID + "a control character in a text is not escaped"
ESCAPE = INVALID + "a backslash in a text begins no JSON escape"
ORDER = INVALID + "a key, value, comma or colon is missing, or one is too many"
WORD = INVALID + "a value is no JSON number, true, false or null"
DEEP = "the line has more than 1,000 levels of objects and arrays"
HALF = "the line has half of a surrogate pair, which is no character"
BAD_LINES: dict[str, tuple[str, str]] = {
    "a word": ("not json", NO_OBJECT),
    "a number": ("1", NO_OBJECT),
    "a text": ('"{}"', NO_OBJECT),
    "null": ("null", NO_OBJECT),
    "an array": ('[{"id": 1}]', NO_OBJECT),
    "cut off": ('{"id": 1, "x', NO_OBJECT),
    "cut off between fields": ('{"id": 1, ', NO_OBJECT),
    "a bracket too many": ('{"id": 1}}', NO_OBJECT),
    "another bracket": ('{"id": [1}', NO_OBJECT),
    "brackets that cross": ('{"id": [1, {"a": 2]}}', NO_OBJECT),
    "two objects": ('{"id": 1} {"id": 2}', NO_OBJECT),
    "text behind the object": ('{"id": 1} x', NO_OBJECT),
    "text before the object": ('x {"id": 1}', NO_OBJECT),
    "a comma behind the object": ('{"id": 1},', NO_OBJECT),
    "a quote too many": ('{"id": "a"b"}', NO_OBJECT),
    "a trailing comma": ('{"id": 1,}', ORDER),
    "a trailing comma in an array": ('{"id": [1,]}', ORDER),
    "two commas": ('{"id": 1,, "b": 2}', ORDER),
    "no comma": ('{"id": 1 "b": 2}', ORDER),
    "no colon": ('{"id" 1}', ORDER),
    "no value": ('{"id":}', ORDER),
    "no key": ("{1}", ORDER),
    "a key without quotes": ("{id: 1}", ORDER),
    "a colon in an array": ('{"id": ["a": 1]}', ORDER),
    "NaN": ('{"id": NaN}', WORD),
    "NaN nested": ('{"id": 1, "b": [NaN]}', WORD),
    "Infinity": ('{"id": -Infinity}', WORD),
    "a leading zero": ('{"id": 01}', WORD),
    "a plus": ('{"id": +1}', WORD),
    "no digit behind the point": ('{"id": 1.}', WORD),
    "no digit before the point": ('{"id": .5}', WORD),
    "an underscore": ('{"id": 1_000}', WORD),
    "True": ('{"id": True}', WORD),
    "single quotes": ("{\"id\": 'a'}", WORD),
    "a comment": ('{"id": 1/*x*/}', WORD),
    "a NUL": ('{"id": \0}', WORD),
    "a huge number that is none": ('{"id": ' + "9" * 5000 + "x}", WORD),
    "a NUL in a text": ('{"id": "a\0b"}', CONTROL),
    "a tab in a text": ('{"id": "a\tb"}', CONTROL),
    "a tab in a key": ('{"a\tb": 1}', CONTROL),
    "a wrong escape": (r'{"id": "\x41"}', ESCAPE),
    "a short escape": (r'{"id": "\u41"}', ESCAPE),
    "half a pair": (r'{"id": "\ud800"}', HALF),
    "the second half of a pair": (r'{"more": "\udc00"}', HALF),
    "a pair the wrong way round": (r'{"id": "\ude00\ud83d"}', HALF),
    "half a pair in a key": (r'{"\ud800": 1}', HALF),
    "a key twice": ('{"id": 1, "id": 1}', "the key 'id' comes twice"),
    "another key twice": ('{"x": 1, "id": 1, "x": 2}', "the key 'x' comes twice"),
    "a key twice, once escaped": (r'{"id": 1, "i\u0064": 2}', "the key 'id' comes twice"),
    "a key twice in a nested object": ('{"id": 1, "b": [{"c": 1, "c": 2}]}', "the key 'c' comes twice"),
    "an empty key twice": ('{"": 1, "": 1}', "the key '' comes twice"),
    "a long key twice": (
        '{"' + "k" * 70 + '": 1, "' + "k" * 70 + '": 2}',
        "the key '" + "k" * 59 + "…' comes twice",
    ),
    "too deep": ('{"a": ' + "[" * DEEPEST + "]" * DEEPEST + "}", DEEP),
    "much too deep": ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", DEEP),
}  # fmt: skip


@pytest.mark.parametrize(("line", "reason"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_line_that_is_no_valid_object_is_quarantined_alone(tmp_path: Path, line: str, reason: str) -> None:
    lines = ['{"id": 1}', line, '{"id": 3, "n": {"id": [4]}}', line, '{"id": 5}']
    rows = read(tmp_path / "a.jsonl", "\n".join(lines).encode())
    assert [row["problem"] for row in rows] == [None, reason, None, reason, None]
    assert [row["values"][0] for row in rows] == ["1", None, "3", None, "5"]
    assert [row["text"] for row in rows] == lines
    assert [row["line"] for row in rows] == [1, 2, 3, 4, 5]


def test_every_wanted_field_is_found_by_its_whole_name(tmp_path: Path) -> None:
    long = "a name of more than sixteen bytes, é"
    wanted = ("a", "A", "ab", "12345678", "123456789", long, "a/b", "a.b", 'q"q', "back\\slash", "é", "")
    row = {name: number for number, name in enumerate(wanted)}
    more = {**row, long[:-1]: "x", long + "!": "x", "12345679": "x", "1234567": "x"}
    other = dict(reversed(more.items()))
    data = "\n".join(json.dumps(r, ensure_ascii=e) for r in (row, more, other) for e in (False, True))
    expected = [str(number) for number in range(len(wanted))]
    assert [r["values"] for r in read(tmp_path / "a.jsonl", data.encode(), wanted)] == [expected] * 6


def test_numbers_are_known_from_texts(tmp_path: Path) -> None:
    data = b'{"id": 1, "name": "1", "x y": true, "ID": null}'
    (row,) = read(tmp_path / "a.jsonl", data)
    assert row["numbers"][:5] == [True, False, False, False, False]


@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_record_that_is_too_long_is_shown_by_its_beginning(tmp_path: Path, chunk: int) -> None:
    long = '{"id": "' + "é" * 30 + '"}'
    data = f'{{"id": 1}}\n{long}\r\n{{"id": 3}}\n{" " * 99}\n{{"id": "{"x" * 10}"}}'.encode()
    rows = read(tmp_path / "a.jsonl", data, chunk=chunk, longest=21)
    reason = "the line is longer than 21 bytes; only its beginning is shown"
    assert [row["problem"] for row in rows] == [None, reason, None, None]
    assert [row["values"][0] for row in rows] == ["1", None, "3", "x" * 10]
    assert [row["line"] for row in rows] == [1, 2, 3, 5]
    assert rows[1]["text"] == long[:14], "whole characters only"
    assert data[rows[1]["start"] : rows[1]["stop"]].decode() == long

    rows = read(
        tmp_path / "a.json", f'[{{"id": 1}},\n{long},\n{{"id": 3}}]'.encode(), chunk=chunk, longest=21
    )
    assert [row["values"][0] for row in rows] == ["1", None, None]
    assert [row["line"] for row in rows] == [1, 2, 3]
    assert rows[1]["problem"] == reason.replace("line", "element")


@pytest.mark.parametrize("where", [0, 5, 200, -1])
@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize("form", ["{}\n{}", "[{},\n{}]"])
def test_other_encodings_are_noticed_wherever_they_are(
    tmp_path: Path, where: int, chunk: int, form: str
) -> None:
    record = '{"id": "' + "é" * 120 + '"}'
    data = form.format(record, record).encode()
    place = data.index(b"\xc3", where) if where >= 0 else data.rindex(b"\xc3")
    with pytest.raises(NotUtf8):
        read(tmp_path / "a.json", data[:place] + b"\xe9" + data[place + 2 :], chunk=chunk)


def test_many_records_of_many_shapes_in_small_and_large_pieces(tmp_path: Path) -> None:
    source = random.Random(7)
    names = ["id", "name", "x y", "a", "b", "some longer name", "ID"]
    lines, expected = [], []
    for number in range(3_000):
        chosen = source.sample(names, source.randrange(1, len(names)))
        row = {name: source.choice([number, f"text {number}", [number, {"id": 1}], "é\n"]) for name in chosen}
        lines.append(json.dumps(row, ensure_ascii=bool(number % 2)))
        value = row.get("id")
        is_text = value is None or isinstance(value, str)
        expected.append(value if is_text else json.dumps(value))
    data = "\n".join(lines).encode()
    array = ("[" + ",\n".join(lines) + "]").encode()
    for chunk in (1_000, 30_000, 1 << 20):
        for rows in (read(tmp_path / "a", data, chunk=chunk), read(tmp_path / "a", array, chunk=chunk)):
            assert [row["values"][0] for row in rows] == expected
            assert [row["text"] for row in rows] == lines
            assert [row["line"] for row in rows] == list(range(1, 3_001))
