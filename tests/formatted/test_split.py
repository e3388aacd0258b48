"""Malformed files: what is good comes through, what is not is told, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from csv_files import (
    COLUMNS,
    THREE,
    damaged,
    duckdb_reads,
    fields_of,
    many,
    physical_lines,
    slow_records,
    tables,
)
from hypothesis import example, given, settings

from backbone.formatted.csv.grammar import CR, Grammar
from backbone.formatted.csv.line_fault import QUOTE_INSIDE
from backbone.formatted.csv.locate import texts
from backbone.formatted.csv.records import survey
from backbone.formatted.csv.split import (
    BESIDE,
    PAIRED,
    STRAY_BESIDE,
    TWO_WAYS,
    Split,
    _Splitting,
    _Stretch,
    split,
)


def rebuilt(result: Split, cleaned: bytes, columns: int = COLUMNS) -> list[bytes]:
    """The original lines that are not blank, out of what the split says."""
    records = slow_records(cleaned, columns)
    begun = result.lines.of(np.arange(result.records)).tolist()
    parts = [(line, raw) for line, (_, raw) in zip(begun, records, strict=True)]
    parts += [(one.line, one.raw) for one in result.broken]
    lines: dict[int, bytes] = {}
    for line, raw in parts:
        for number, text in enumerate(raw.replace(b"\r\n", b"\n").split(b"\n")):
            assert line + number not in lines
            lines[line + number] = text
    return [lines[number] for number in sorted(lines)]


def in_order(data: bytes) -> list[bytes]:
    return [line for line in physical_lines(data) if line]


@settings(many, max_examples=200)
@given(data=damaged())
@example(data=b'a,b,"c\n1,2,"3"\nx,"y\rz",w\r\n')
@example(data=b'a," b"  ,c,\n\r\n  "1",2",3')
def test_nothing_is_lost(tmp_path: Path, data: bytes) -> None:
    path, cleaned = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_bytes(data)
    result = split(path, THREE, cleaned)
    text = cleaned.read_bytes()
    assert [line for line in rebuilt(result, text) if line] == in_order(data)
    assert len(text) == result.good_bytes
    rows, errors = duckdb_reads(cleaned, new_line="\\n") if text else ([], 0)
    records = slow_records(text, COLUMNS)
    assert (len(rows), errors, result.records) == (len(records), 0, len(records))
    assert all(len(fields_of(raw)) == COLUMNS for _, raw in records)
    found = survey(cleaned, THREE)
    assert found is None or found.records == len(rows)
    assert texts(cleaned, THREE, np.arange(len(rows))) == [
        raw.decode("utf-8", "replace") for _, raw in records
    ]
    for one in result.broken:
        if one.reason in (BESIDE, PAIRED, STRAY_BESIDE, TWO_WAYS) or one.reason.startswith("may continue"):
            continue
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
    assert survey(path, THREE) is None
    grammar = Grammar(columns=COLUMNS, body=1 + len(ending), body_line=2, max_record=longest)
    result = split(path, grammar, cleaned)
    assert [(one.line, one.raw, one.reason) for one in result.broken] == [
        (52, b'50,"x,y', "has a quoted field that is not closed")
    ]
    assert result.records == 99
    assert result.lines.of(np.array([0, 50, 69, 70])).tolist() == [2, 53, 72, 74]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"a,b", "has 2 fields, expected 3"),
        (b'"a",b,c,d', "has 4 fields, expected 3"),
        (b"a,b,c,", "has 4 fields, expected 3"),
        (b'a,b,c,""', "has 4 fields, expected 3"),
        (b'a,5" b,c', QUOTE_INSIDE),
        (b'a,5" b,6" c', QUOTE_INSIDE),
        (b'a,2"b, c"', QUOTE_INSIDE),
        (b'a,"b"x,c', "has text after a closing quote"),
        (b'a,"b"\t,c', "has text after a closing quote"),
        (b'a,"b" "x",c', "has text after a closing quote"),
        (b"a,b\rx,c", "has a carriage return outside quotes"),
        (b"a,b,c\r", "has a carriage return outside quotes"),
        (b'a,b,"', "has a quoted field that is not closed"),
        (b" ", "has 1 field, expected 3"),
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
    [b'a,b,c"d', b'a, "b" ,d', b'a,  "b",d', b'a,"b"   ,d', b"a,b,", b'a,b"c"d,e', b'a,b""c,d', b',"",'],
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
    assert result.records == 99_900
    rows, errors = duckdb_reads(cleaned, new_line="\\n")
    assert (len(rows), errors) == (99_900, 0)
    assert result.lines.of(np.array([0, 999, 99_899])).tolist() == [1, 1001, 99_999]


def test_quotes_that_never_close_do_not_take_forever(tmp_path: Path) -> None:
    path, cleaned = tmp_path / "a.csv", tmp_path / "b.csv"
    for line in (b'a,"b,c\n', b'x","y\n', b'"\n', b'"""\n', b',"\n', b'"a""\n'):
        path.write_bytes(line * 20_000)
        result = split(path, THREE, cleaned)
        assert rebuilt(result, cleaned.read_bytes()) == in_order(path.read_bytes())


@pytest.mark.parametrize(
    ("data", "broken", "good"),
    [
        (b'1,x,tea\nlarge"\n2,y,milk\n', [1, 2], b"2,y,milk\n"),
        (b'0,w,z\n1,x,tea\n\nlarge\n"huge" cup"\n2,y,milk\n', [2, 4, 5], b"0,w,z\n2,y,milk\n"),
        (b'1,x,"tea"\nlarge"\n', [1, 2], b""),
        (b'0,"w",z\n1,x,tea\n7,a,b\nlarge"\n2,y,"z"\n', [1, 2, 3, 4], b'2,y,"z"\n'),
        (b"1,x,tea\nlarge\n2,y,milk\n", [2], b"1,x,tea\n2,y,milk\n"),
        (b'1,x,tea\n2,y,"\n', [2], b"1,x,tea\n"),
        (b'1,x,tea\n"\n2,y,"z"\n', [1, 2], b'2,y,"z"\n'),
        (b'1,x,"\n2,y,"\n3,z,"\n4,w,v\n', [1, 3], b"4,w,v\n"),
        (b'1,"x\ny",z\n2,"a\n3,"b\nc",d\n4,w,v\n', [1, 3, 4], b"4,w,v\n"),
        (b'1,"a",b\n2,3"8,milk\n4,w,v\n9,x,salt"\n5,x,6"\n', [2, 4], b'1,"a",b\n4,w,v\n5,x,6"\n'),
        (b'3,n3,9,"\n1,2,3\n"\n4,w,v\n', [1], b"4,w,v\n"),
        (b'0,x,""\nfirst""\n1,y,z\n', [1, 2], b"1,y,z\n"),
        (b'"3,x,"8,milk\n9,y,salt""\n4,w,v\n', [1, 2], b"4,w,v\n"),
        (b'3,x,8,milk\n9,y,salt"\n4,w,6"\n', [1, 2], b'4,w,6"\n'),
        (b'3,"x",""\n1,2,3\n""\n4,w,v\n', [1, 2, 3], b"4,w,v\n"),
        (b'4,x,last\n"\n5,y,a\nb"\n6,w,v\n', [1, 2], b"6,w,v\n"),
    ],
)
def test_a_record_that_may_go_on_in_a_broken_line(
    tmp_path: Path, data: bytes, broken: list[int], good: bytes
) -> None:
    path, cleaned = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_bytes(data)
    result = split(path, THREE, cleaned)
    assert [one.line for one in result.broken] == broken
    assert cleaned.read_bytes() == good


def in_two_ways(record: bytes) -> bool:
    """Whether no quote of a record of several lines is the beginning or the end of a text for certain."""
    framed = b"\n" + record + b"\n"
    quotes = [place for place in range(len(framed)) if framed[place : place + 1] == b'"']
    sides = {framed[place + step : place + step + 1] for place in quotes for step in (-1, 1)}
    later = record.replace(b"\r", b"\n").split(b"\n")[1:]
    return sides <= {b",", b"\r", b"\n", b'"'} and any(line.count(b",") >= COLUMNS - 1 for line in later)


@settings(many, max_examples=200)
@given(data=damaged())
@example(data=b'0,n0,rye\n7,a,b\nz\n2,n2,",\n3,n3,\n1,2,3\n\n4,n4,y\n5,n5,,"\n')
@example(data=b'2,n2,",\n5,n5,,"\r\n1,2,",\n,,"\nz')
@example(data=b'short,"a"\na,aa,aaa\n,"\r,",\n')
def test_a_damaged_file_has_no_record_that_can_be_read_in_two_ways(tmp_path: Path, data: bytes) -> None:
    path, cleaned = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_bytes(data)
    result = split(path, THREE, cleaned)
    records = [raw for _, raw in slow_records(cleaned.read_bytes(), COLUMNS)]
    assert not result.broken or not any(map(in_two_ways, records))
    assert all(in_two_ways(one.raw) for one in result.broken if one.reason == TWO_WAYS)


TWO = b'2,y,",\n3,z,\n4,w,"\n'


@pytest.mark.parametrize(
    ("data", "broken", "good"),
    [
        (TWO, [], TWO),
        (b"short\n" + TWO + b"5,v,u\n", [1, 2], b"5,v,u\n"),
        (b"1,x,w\n" + TWO + TWO + b"5,v,u\nshort\n", [2, 5, 9], b"1,x,w\n5,v,u\n"),
        (b'short\n1,x,w\n2,y,5"\n' + TWO, [1, 4], b'1,x,w\n2,y,5"\n'),
        # a quote that shows where its text begins or ends, and lines that are no records
        (b'short\n2,y," ,\n3,z,\n4,w,"\n', [1], b'2,y," ,\n3,z,\n4,w,"\n'),
        (b'short\n2,"y",",\n3,z,\n4,w,"\n', [1], b'2,"y",",\n3,z,\n4,w,"\n'),
        (b'short\n2,y,"\nfirst, second\n"\n', [1], b'2,y,"\nfirst, second\n"\n'),
    ],
)
def test_a_record_that_can_be_read_in_two_ways(
    tmp_path: Path, data: bytes, broken: list[int], good: bytes
) -> None:
    path, cleaned = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_bytes(data)
    result = split(path, THREE, cleaned)
    assert [one.line for one in result.broken] == broken
    assert cleaned.read_bytes() == good


def test_line_ends_of_a_carriage_return_alone(tmp_path: Path) -> None:
    path, cleaned = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_bytes(b'1,2,3\r4,"x\ry\nz",6\r\r7,8\r9,10,11\n12,13,14\r15,16,17')
    result = split(path, Grammar(columns=COLUMNS, line_end=CR), cleaned)
    assert cleaned.read_bytes() == b'1,2,3\n4,"x\ry\nz",6\n\n15,16,17\n'
    assert [(one.line, one.raw, one.reason) for one in result.broken] == [
        (5, b"7,8", "has 2 fields, expected 3"),
        (6, b"9,10,11\n12,13,14", "has a line feed outside quotes"),
    ]
    assert (result.records, result.lines.of(np.arange(3)).tolist()) == (3, [1, 2, 7])


def test_many_broken_lines_behind_many_good_ones_take_the_good_ones_apart_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand lines with a quote that is never closed took 18 seconds behind 1.5 MB of good records."""
    good, broken = 10_000, 500
    (tmp_path / "a.csv").write_bytes(b"1,tea,2\n" * good + b'1,"tea,2\n' * broken)
    taken: list[int] = []
    original = _Splitting._taken_apart

    def counted(this: _Splitting, stretch: _Stretch) -> object:
        taken.append(stretch.stop - stretch.start)
        return original(this, stretch)

    monkeypatch.setattr(_Splitting, "_taken_apart", counted)
    found = split(tmp_path / "a.csv", Grammar(columns=3), tmp_path / "b.csv")
    assert (found.records, len(found.broken)) == (good, broken)
    assert (tmp_path / "b.csv").read_bytes() == b"1,tea,2\n" * good
    assert sum(taken) <= 2 * 8 * good
