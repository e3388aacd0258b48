"""Malformed files: what is good comes through, what is not is told, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from csv_files import COLUMNS, THREE, damaged, duckdb_reads, many, physical_lines, slow_records, tables
from hypothesis import example, given, settings

from backbone.formatted.grammar import Grammar
from backbone.formatted.locate import locate
from backbone.formatted.records import count_records
from backbone.formatted.split import Split, split


def rebuilt(result: Split, cleaned: bytes) -> list[bytes]:
    """The original lines, out of what the split says."""
    lines: dict[int, bytes] = {}
    good = physical_lines(cleaned)
    for line, text in zip(result.original_lines(np.arange(1, len(good) + 1)).tolist(), good, strict=True):
        assert line not in lines
        lines[line] = text
    for one in result.broken:
        for number, text in enumerate(one.raw.replace(b"\r\n", b"\n").split(b"\n")):
            assert one.line + number not in lines
            lines[one.line + number] = text
    assert sorted(lines) == list(range(1, len(lines) + 1))
    return [lines[number] for number in sorted(lines)]


@settings(many, max_examples=200)
@given(data=damaged())
@example(data=b'a,b,"c\n1,2,"3"\nx,"y\rz",w\r\n')
@example(data=b'a," b"  ,c,\n\r\n  "1",2",3')
def test_nothing_is_lost(tmp_path: Path, data: bytes) -> None:
    path, cleaned = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_bytes(data)
    result = split(path, THREE, cleaned)
    text = cleaned.read_bytes()
    assert rebuilt(result, text) == physical_lines(data)
    assert len(text) == result.good_bytes
    rows, errors = duckdb_reads(cleaned, new_line="\\n") if text else ([], 0)
    records = slow_records(text, COLUMNS)
    assert (len(rows), errors) == (len(records), 0)
    assert count_records(cleaned, THREE) in (len(rows), None)
    located = locate(cleaned, THREE, np.arange(len(rows)), split=result)
    assert located["raw"].to_pylist() == [raw.decode("utf-8", "replace") for _, raw in records]
    lines = np.array([line for line, _ in records], dtype=np.int64)
    assert located["line"].to_pylist() == result.original_lines(lines).tolist()
    for one in result.broken:
        alone = tmp_path / "c.csv"
        alone.write_bytes(one.raw)
        assert not split(alone, THREE, cleaned).good_bytes or b"\n" in one.raw or one.raw.endswith(b"\r")


@many
@given(data=tables())
def test_a_well_formed_file_comes_through_whole(tmp_path: Path, data: bytes) -> None:
    path, cleaned = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_bytes(data)
    result = split(path, THREE, cleaned)
    assert result.broken == []
    assert [raw for _, raw in slow_records(cleaned.read_bytes(), COLUMNS)] == [
        raw for _, raw in slow_records(data, COLUMNS)
    ]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@pytest.mark.parametrize("longest", [20, 64, 2_000_000])
def test_an_unterminated_quote_costs_one_line(tmp_path: Path, ending: bytes, longest: int) -> None:
    lines = [b"%d,x,y" % number for number in range(100)]
    lines[50] = b'50,"x,y'
    lines[70] = b'70,"x' + ending + b'z",y'
    path, cleaned = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_bytes(b"h" + ending + ending.join(lines))
    assert count_records(path, THREE) is None
    grammar = Grammar(columns=COLUMNS, body=1 + len(ending), body_line=2, max_record=longest)
    result = split(path, grammar, cleaned)
    assert [(one.line, one.raw, one.reason) for one in result.broken] == [
        (52, b'50,"x,y', "a quoted field is not closed")
    ]
    assert count_records(cleaned, THREE) == 99
    found = locate(cleaned, THREE, np.array([0, 50, 69, 70]), split=result)
    assert found["line"].to_pylist() == [2, 53, 72, 74]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"a,b", "has 2 fields, expected 3"),
        (b'"a",b,c,d', "has 4 fields, expected 3"),
        (b'a,"b"x,c', "text after a closing quote"),
        (b'a,"b"\t,c', "text after a closing quote"),
        (b'a,"b" "x",c', "text after a closing quote"),
        (b"a,b\rx,c", "a carriage return outside quotes"),
        (b"a,b,c\r", "a carriage return outside quotes"),
        (b'a,b,"', "a quoted field is not closed"),
        (b" ", "has 1 fields, expected 3"),
        (b"a,b," + b"x" * 100, "is longer than 100 bytes"),
    ],
)
def test_reasons(tmp_path: Path, raw: bytes, reason: str) -> None:
    path, cleaned = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_bytes(b"1,2,3\n" + raw + b"\r\n4,5,6\n")
    result = split(path, Grammar(columns=COLUMNS, max_record=100), cleaned)
    assert [(one.line, one.raw, one.reason) for one in result.broken] == [(2, raw, reason)]
    assert cleaned.read_bytes() == b"1,2,3\n4,5,6\n"


@pytest.mark.parametrize(
    "raw",
    [b'a,b"c,d', b'a, "b" ,d', b'a,  "b",d', b'a,"b"   ,d', b"a,b,c,", b'a,b,c,"",', b'a,b""c,d', b',"",'],
)
def test_good_wherever_duckdb_reads_it(tmp_path: Path, raw: bytes) -> None:
    path, cleaned = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_bytes(raw + b"\n")
    assert split(path, THREE, cleaned).broken == []
    assert duckdb_reads(path) == duckdb_reads(cleaned)
    assert len(duckdb_reads(path)[0]) == 1


def test_a_record_of_several_lines_with_a_field_too_many_is_broken_whole(tmp_path: Path) -> None:
    path, cleaned = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_bytes(b'1,2,3\na,"b\nc",d,e\n4,5,6\n')
    result = split(path, THREE, cleaned)
    assert [(one.line, one.raw) for one in result.broken] == [(2, b'a,"b\nc",d,e')]
    assert result.broken[0].reason == "has 4 fields, expected 3"
    assert cleaned.read_bytes() == b"1,2,3\n4,5,6\n"


def test_a_large_file(tmp_path: Path) -> None:
    """Every thousandth line never closes its quote, and nothing else is lost."""
    path, cleaned = tmp_path / "a.csv", tmp_path / "b.csv"
    good = b'1,"two, too",3\n' * 999
    path.write_bytes((good + b'x,"y,z\n') * 100)
    result = split(path, THREE, cleaned)
    assert [one.line for one in result.broken] == list(range(1000, 100_001, 1000))
    assert count_records(cleaned, THREE) == 99_900
    rows, errors = duckdb_reads(cleaned, new_line="\\n")
    assert (len(rows), errors) == (99_900, 0)
    found = locate(cleaned, THREE, np.array([0, 999, 99_899]), split=result)
    assert found["line"].to_pylist() == [1, 1001, 99_999]


def test_quotes_that_never_close_do_not_take_forever(tmp_path: Path) -> None:
    path, cleaned = tmp_path / "a.csv", tmp_path / "b.csv"
    for line in (b'a,"b,c\n', b'x","y\n', b'"\n', b'"""\n', b',"\n', b'"a""\n'):
        path.write_bytes(line * 20_000)
        result = split(path, THREE, cleaned)
        assert rebuilt(result, cleaned.read_bytes()) == physical_lines(path.read_bytes())
