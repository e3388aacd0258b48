"""JSON lines, arrays and objects over lines: every record is given once, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from json_files import CHUNKS, read

NO_LINE, NO_OBJECT = "the line is not a JSON object", "the element is not a JSON object"
WORD = "the element is not valid JSON: a value is no JSON number, true, false or null"
ORDER = "the element is not valid JSON: a key, value, comma or colon is missing, or one is too many"
STRAY, NO_COMMA = "a comma has no element beside it", "a comma is missing before the element"
NO_END = "the array is not closed: the file may be cut off here"
CUT = "the element is not closed: the file ends in it"
BEHIND = "the line follows the end of the array"
BROKEN = "the element is not closed, or its quotes or brackets do not match"
AFTER = "the line follows an unclosed element, so what it belongs to is unknown"
LAYOUTS: dict[str, tuple[str, list[tuple[int, str, str | None, str | None]]]] = {
    "nothing": ("", []),
    "blank lines": ("\n \n\t\r\n", []),
    "a line": ('{"id": 1}', [(1, '{"id": 1}', "1", None)]),
    "blank lines between": ('\n{"id": 1}\n \n\n{"id": 2}\n', [
        (2, '{"id": 1}', "1", None), (5, '{"id": 2}', "2", None)]),
    "a byte order mark": ('\ufeff{"id": 1}\n{"id": 2}', [(1, '{"id": 1}', "1", None),
        (2, '{"id": 2}', "2", None)]),
    "carriage returns and newlines": ('{"id": 1}\r\n{"id": 2}\r\n', [
        (1, '{"id": 1}', "1", None), (2, '{"id": 2}', "2", None)]),
    "carriage returns alone": ('{"id": 1}\r{"id": 2}\r', [(1, '{"id": 1}', "1", None),
        (2, '{"id": 2}', "2", None)]),
    "an empty array": ("[]", []),
    "an empty array over lines": ("\n[\n\n]\n", []),
    "an array on one line": ('[{"id": 1},{"id": 2}]\n', [(1, '{"id": 1}', "1", None),
        (1, '{"id": 2}', "2", None)]),
    "an array with a byte order mark": ('\ufeff [{"id": 1}]', [(1, '{"id": 1}', "1", None)]),
    "an array, a record on each line": ('[\n{"id": 1},\n{"id": 2}\n]\n', [
        (2, '{"id": 1}', "1", None), (3, '{"id": 2}', "2", None)]),
    "an array with leading commas": ('[{"id": 1}\n,{"id": 2}\n]', [
        (1, '{"id": 1}', "1", None), (2, '{"id": 2}', "2", None)]),
    "an array over many lines": ('[\n  {\n    "id": 1\n  },\n  {\n    "id": 2\n  }\n]\n', [
        (2, '{\n    "id": 1\n  }', "1", None), (5, '{\n    "id": 2\n  }', "2", None)]),
    "elements that are no objects": ('[1, {"id": 2}, "x", [{"id": 3}], null]', [
        (1, "1", None, NO_OBJECT), (1, '{"id": 2}', "2", None),
        (1, '"x"', None, NO_OBJECT),
        (1, '[{"id": 3}]', None, NO_OBJECT),
        (1, "null", None, NO_OBJECT)]),
    "faults inside elements": ('[{"id": NaN}, {"id": 1,}, {"id": 1, "id": 2}, {"id": 4}]', [
        (1, '{"id": NaN}', None, WORD),
        (1, '{"id": 1,}', None, ORDER),
        (1, '{"id": 1, "id": 2}', None, "the key 'id' comes twice"), (1, '{"id": 4}', "4", None)]),
    "a comma missing": ('[{"id": 1}\n{"id": 2},\n{"id": 3}]', [
        (1, '{"id": 1}', "1", None), (2, '{"id": 2}', None, NO_COMMA),
        (3, '{"id": 3}', "3", None)]),
    "a comma too many": ('[{"id": 1},,{"id": 2}]', [
        (1, '{"id": 1}', "1", None), (1, ",", None, STRAY), (1, '{"id": 2}', "2", None)]),
    "a comma at the beginning": ('[,{"id": 1}]', [
        (1, ",", None, STRAY), (1, '{"id": 1}', "1", None)]),
    "a comma at the end": ('[{"id": 1},\n]', [
        (1, '{"id": 1}', "1", None), (1, ",", None, STRAY)]),
    "an array that is not closed": ('[\n{"id": 1},\n{"id": 2}\n', [
        (2, '{"id": 1}', "1", None), (3, '{"id": 2}', "2", None),
        (4, "", None, NO_END)]),
    "an array cut off behind a comma": ('[{"id": 1},', [
        (1, '{"id": 1}', "1", None), (1, "", None, NO_END)]),
    "an element cut off": ('[{"id": 1},\n{"id": 2, "x": {"id": 3}\n', [
        (1, '{"id": 1}', "1", None),
        (2, '{"id": 2, "x": {"id": 3}', None, CUT)]),
    "a text cut off": ('[{"id": 1},\n{"id": "2', [
        (1, '{"id": 1}', "1", None), (2, '{"id": "2', None, CUT)]),
    "only the bracket": ("[", [(1, "", None, NO_END)]),
    "text behind the array": ('[\n{"id": 1}\n] x\n\n{"id": 2}\n', [
        (2, '{"id": 1}', "1", None), (3, " x", None, BEHIND),
        (5, '{"id": 2}', None, BEHIND)]),
    "text behind an array on its line": ('[{"id": 1}] {"id": 2}\n', [
        (1, '{"id": 1}', "1", None), (1, ' {"id": 2}', None, BEHIND)]),
    "two arrays over lines": ('[\n{"id": 1}\n]\n[\n{"id": 2}\n]', [
        (2, '{"id": 1}', "1", None), (4, "[", None, BEHIND),
        (5, '{"id": 2}', None, BEHIND),
        (6, "]", None, BEHIND)]),
    "a quote missing": ('[\n{"id": 1},\n{"id": "2},\n{"id": "3"},\n{"id": 4}\n]', [
        (2, '{"id": 1}', "1", None),
        (3, '{"id": "2},', None, BROKEN),
        (4, '{"id": "3"},', None, AFTER),
        (5, '{"id": 4}', None, AFTER), (6, "]", None, AFTER)]),
    "a bracket missing": ('[\n{"id": 1, "x": {"id": 9},\n{"id": 2}\n]\n', [
        (2, '{"id": 1, "x": {"id": 9},', None, BROKEN),
        (3, '{"id": 2}', None, AFTER), (4, "]", None, AFTER)]),
    "a bracket too many in an array": ('[{"id": 1}},\n{"id": 2}]', [
        (1, '{"id": 1}', "1", None),
        (1, "},", None, BROKEN),
        (2, '{"id": 2}]', None, AFTER)]),
    "lines of which the first is an array": ('[1,2]\n{"id": 3}\n', [
        (1, "[1,2]", None, NO_LINE), (2, '{"id": 3}', "3", None)]),
    "lines that are arrays": ('[{"id": 1}]\n\n[{"id": 2}]\n', [
        (1, '[{"id": 1}]', None, NO_LINE), (3, '[{"id": 2}]', None, NO_LINE)]),
    "one object over lines": ('{\n "id": 1\n}\n', [(1, '{\n "id": 1\n}', "1", None)]),
    "objects over lines": ('{\n "id": 1\n}\n{"id": 2}\n{\n"id": [\n3]}', [
        (1, '{\n "id": 1\n}', "1", None), (4, '{"id": 2}', "2", None),
        (5, '{\n"id": [\n3]}', "[\n3]", None)]),
    "objects over lines, the last cut off": ('{\n "id": 1\n}\n{\n "id": 2\n', [
        (1, '{\n "id": 1\n}', "1", None), (4, '{\n "id": 2', None, CUT.replace("element", "record"))]),
    "objects over lines with commas": ('{\n"id": 1},\n{"id": 2}', [
        (1, '{', None, NO_LINE), (2, '"id": 1},', None, NO_LINE),
        (3, '{"id": 2}', "2", None)]),
    "lines of which the first is cut off": ('{"id": 1, "x":\n{"id": 2}\n', [
        (1, '{"id": 1, "x":', None, NO_LINE), (2, '{"id": 2}', "2", None)]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_every_record_of_a_file_is_given_once(
    tmp_path: Path, text: str, expected: list[tuple[int, str, str | None, str | None]]
) -> None:
    data = text.encode()
    for chunk in CHUNKS:
        rows = read(tmp_path / "a.json", data, chunk=chunk)
        assert [(r["line"], r["text"], r["values"][0], r["problem"]) for r in rows] == expected
        assert [data[row["start"] : row["stop"]].decode() for row in rows] == [row["text"] for row in rows]
