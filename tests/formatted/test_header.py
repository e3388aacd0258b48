"""Headers, and where the records after them begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from backbone.errors import BatchRefused
from backbone.formatted.csv.grammar import CR, LF, Grammar
from backbone.formatted.csv.header import Layout, ends_in_delimiter, read_layout
from backbone.source_settings import SourceSettings


def layout(path: Path, data: bytes, **settings: object) -> Layout:
    path.write_bytes(data)
    return read_layout(path, ["a", "b"], SourceSettings.model_validate(settings), "a.csv")


def test_headers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for data, skip, expected in (
        (b"a,b\n1,2\n", 0, (("a", "b"), 4, 2)),
        (b"\xef\xbb\xbfa,b\r\n1,2\n", 0, (("a", "b"), 8, 2)),
        (b'# by "hand\n\n"a\nx",b', 1, (("a\nx", "b"), 19, 4)),
        (b"a,b", 3, ((), 3, 1)),
    ):
        found = layout(path, data, skip=skip)
        assert (found.names, found.body, found.body_line, found.line_end) == (*expected, LF)
    with pytest.raises(BatchRefused, match="header can't be read"):
        layout(path, b'"a,b\n1,2\n')
    with pytest.raises(BatchRefused, match="a name has a quote inside"):
        layout(path, b'a,b"x,y"c\n1,2,3\n')
    assert layout(path, b"a;'b;c'\n", quote="'").names == ("a", "b;c")
    assert layout(path, b"a;'b;c'\n", quote="", delimiter=";").names == ("a", "'b", "c'")


@pytest.mark.parametrize(
    ("data", "settings", "expected"),
    [
        (b"sep=;\na;b\n1;2\n", {}, (("a", "b"), ";", 10, 3)),
        (b'"sep=;"\r\na;b\r\n1;2\r\n', {}, (("a", "b"), ";", 14, 3)),
        (b"\xef\xbb\xbfsep=\t\na\tb\n", {}, (("a", "b"), "\t", 13, 3)),
        (b"sep=|\na;b\n", {"delimiter": ";"}, (("a", "b"), ";", 10, 3)),
        (b"title\nsep=|\na|b\n", {"skip": 1}, (("a", "b"), "|", 16, 4)),
        (b"sep=;\n1;2\n", {"header": False}, ((), ";", 6, 2)),
        (b"sep=;;\na,b\n", {}, (("sep=;;",), ",", 7, 2)),
    ],
)
def test_a_first_line_that_names_the_delimiter(
    tmp_path: Path, data: bytes, settings: dict[str, object], expected: tuple[object, ...]
) -> None:
    found = layout(tmp_path / "a.csv", data, **settings)
    assert (found.names, found.delimiter, found.body, found.body_line) == expected


@pytest.mark.parametrize(
    ("data", "skip", "expected"),
    [
        (b"a,b\r1,2\r", 0, (("a", "b"), 4, 2, CR)),
        (b'a,"b\nx"\r1,2\r', 0, (("a", "b\nx"), 8, 2, CR)),
        (b"x\rsep=;\ra;b\r1;2", 1, (("a", "b"), 12, 4, CR)),
        (b'"a\rx",b\n1,2\n', 0, (("a\rx", "b"), 8, 2, LF)),
        (b"a,b\r\n1,2\r", 0, (("a", "b"), 5, 2, LF)),
        (b"a,b\r", 0, (("a", "b"), 4, 2, CR)),
    ],
)
def test_line_ends_of_a_carriage_return_alone(
    tmp_path: Path, data: bytes, skip: int, expected: tuple[object, ...]
) -> None:
    found = layout(tmp_path / "a.csv", data, skip=skip)
    assert (found.names, found.body, found.body_line, found.line_end) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"1,2,\n3,4,\n", True),
        (b'1,2,\n3,"x,y",\n\n5,6', True),
        (b'1,2,""\n3,4,""\n5,6', False),
        (b"1,2,\n3,4\n", False),
        (b"1,2,x\n3,4,y\n", False),
        (b"1,2,\n3,4,\n5,6,x\n", False),
        (b"1,2,\n3,4,\n5,,6,\n", True),
        (b"1,2,\n" * 100 + b"7,8,x\n", True),
        (b"1,2,,\n3,4,,\n", False),
        (b"1,\n2,\n", False),
        (b"", False),
        (b"1,2,\n" * 51 + b"1,2\n" * 1000, True),
        (b"1,2,\n" * 80 + b"1,\n" * 20, True),
        (b"1,2,\n" * 79 + b"1,\n" * 21, False),
        (b"1,2,\n" * 50 + b"1,2\n" * 50 + b"1,2,\n" * 1000, False),
    ],
)
def test_a_majority_that_ends_in_a_delimiter(tmp_path: Path, data: bytes, expected: bool) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    assert ends_in_delimiter(path, Grammar(columns=2)) is expected
