"""The records of a file, against a slow state machine, the csv module and DuckDB."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backbone.errors import BatchRefused, SettingsError
from backbone.formatted.records import Grammar, Split, count_records, header_end, locate, split

COLUMNS = 3
THREE = Grammar(columns=COLUMNS)
CHUNKS = (1, 2, 3, 7, 64, 1 << 19)
many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def slow_records(data: bytes, columns: int, quote: int = 34, escape: int = 34) -> list[tuple[int, bytes]]:
    """Line and raw text of each record of a well-formed file, one byte at a time."""
    records: list[tuple[int, bytes]] = []
    line, start_line, raw, inside, index = 1, 1, bytearray(), False, 0
    while index < len(data):
        byte = data[index]
        if inside and byte == escape and escape != quote:
            raw += data[index : index + 2]
            line += data[index + 1 : index + 2] == b"\n"
            index += 2
            continue
        field_starts = not raw or raw[-1:] == b","
        if inside and byte == quote:
            if escape == quote and data[index + 1 : index + 2] == bytes([quote]):
                raw += bytes([quote, quote])
                index += 2
                continue
            inside = False
        elif byte == quote and (field_starts or raw == b" " or raw[-2:] == b", "):
            inside = True
        if byte == 10 and not inside:
            text = bytes(raw).removesuffix(b"\r")
            if text or columns == 1:
                records.append((start_line, text))
            raw, line = bytearray(), line + 1
            start_line = line
        else:
            raw.append(byte)
            line += byte == 10
        index += 1
    assert not inside
    text = bytes(raw).removesuffix(b"\r")
    if text or (raw and columns == 1):
        records.append((start_line, text))
    return records


def duckdb_reads(
    path: Path, columns: int = COLUMNS, escape: str = '"', new_line: str = ""
) -> tuple[list[tuple[Any, ...]], int]:
    """The rows DuckDB reads, and how many errors it notes."""
    with duckdb.connect() as connection:
        names = {f"c{number}": "VARCHAR" for number in range(columns)}
        option = f", new_line='{new_line}'" if new_line else ""
        rows = connection.execute(
            "select * from read_csv($path, header=false, auto_detect=false, columns=" + str(names) + ", "
            "delim=',', quote='\"', escape=$escape, store_rejects=true, null_padding=false" + option + ")",
            {"path": str(path), "escape": escape},
        ).fetchall()
        errors = connection.execute("select count(*) from reject_errors").fetchall()
    return rows, errors[0][0]


fields = st.text(st.sampled_from("ab é漢\x00\t"), max_size=4) | st.text(
    st.sampled_from('ab,"\n é\x00'), max_size=6
)


@st.composite
def tables(draw: st.DrawFn, columns: int = COLUMNS) -> bytes:
    """A well-formed file as another program writes it."""
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    text = ""
    for row in draw(st.lists(st.lists(fields, min_size=columns, max_size=columns), max_size=8)):
        out = io.StringIO()
        if draw(st.booleans()):
            csv.writer(out, lineterminator=ending).writerow(row)
        else:
            csv.writer(out, lineterminator=ending, quoting=csv.QUOTE_ALL).writerow(row)
        text += out.getvalue()
        if columns > 1:
            text += ending * draw(st.sampled_from([0, 0, 0, 1, 2]))
    if draw(st.booleans()):
        text = text.removesuffix(ending)
    return text.encode()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A file with signs inserted and deleted at will."""
    text = list(draw(tables()).decode())
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(text)))
        if draw(st.booleans()):
            text[place:place] = draw(st.sampled_from(['"', ",", "\n", "\r", " ", "a", "\r\n", '""']))
        else:
            del text[place : place + 1]
    return "".join(text).encode()


@many
@given(data=tables())
def test_counts_like_csv_and_duckdb(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    expected = len(slow_records(data, COLUMNS))
    assert {count_records(path, THREE, chunk) for chunk in CHUNKS} == {expected}
    assert sum(1 for row in csv.reader(io.StringIO(data.decode(), newline="")) if row) == expected
    new_line = "\\r\\n" if b"\r" in data else "\\n"
    rows, errors = duckdb_reads(path, new_line=new_line)
    assert (len(rows), errors) == (expected, 0)


@many
@given(data=tables(columns=1))
def test_one_column(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    new_line = "\\r\\n" if b"\r" in data else "\\n"
    rows, errors = duckdb_reads(path, 1, new_line=new_line)
    assert errors == 0
    assert {count_records(path, Grammar(), chunk) for chunk in CHUNKS} == {len(rows)}
    assert not split(path, Grammar(), tmp_path / "b.csv").broken


def test_a_blank_line_is_a_record_of_one_column(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a\n\n\nb\n")
    assert count_records(path, Grammar()) == len(duckdb_reads(path, 1)[0]) == 4
    assert locate(path, Grammar(), np.array([1, 3]))["line"].to_pylist() == [2, 4]


@many
@given(data=tables(), chosen=st.sets(st.integers(0, 7)))
def test_locates_like_the_state_machine(tmp_path: Path, data: bytes, chosen: set[int]) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    records = slow_records(data, COLUMNS)
    rows = np.array(sorted(row for row in chosen if row < len(records)), dtype=np.int64)
    expected = [
        {"row": row, "line": records[row][0], "raw": records[row][1].decode()} for row in rows.tolist()
    ]
    for chunk in CHUNKS:
        assert locate(path, THREE, rows, chunk=chunk).to_pylist() == expected


@many
@given(data=tables(), chosen=st.sets(st.integers(0, 7)))
def test_locates_with_another_escape(tmp_path: Path, data: bytes, chosen: set[int]) -> None:
    data = data.replace(b'""', b'\\"')
    data = data.replace(b',\\",', b',"",').replace(b'\\"', b"\\\\") if data.count(b'"') % 2 else data
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    grammar = Grammar(escape="\\", columns=COLUMNS)
    cleaned = tmp_path / "b.csv"
    assert count_records(path, grammar) is None
    result = split(path, grammar, cleaned)
    records = slow_records(cleaned.read_bytes(), COLUMNS, escape=92)
    rows = np.array(sorted(row for row in chosen if row < len(records)), dtype=np.int64)
    found = locate(cleaned, grammar, rows)
    assert found["line"].to_pylist() == [records[row][0] for row in rows.tolist()]
    assert found["raw"].to_pylist() == [records[row][1].decode() for row in rows.tolist()]
    if cleaned.stat().st_size:
        rows_read, errors = duckdb_reads(cleaned, escape="\\", new_line="\\n")
        assert (len(rows_read), errors) == (len(records), 0)
    assert result.good_bytes == cleaned.stat().st_size


def physical_lines(data: bytes) -> list[bytes]:
    lines = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return lines[:-1] if not data or data.endswith(b"\n") else lines


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


def test_what_parity_cannot_tell(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for data in (b'5" disk,6" disk,x\n', b"a,b,c\rd,e,f\r", b'a,"b,c\n'):
        path.write_bytes(data)
        assert {count_records(path, THREE, chunk) for chunk in CHUNKS} == {None}
    assert count_records(path, Grammar(quote=None, columns=COLUMNS)) == 1


def test_files_without_records(tmp_path: Path) -> None:
    path, cleaned = tmp_path / "a.csv", tmp_path / "b.csv"
    for data in (b"", b"\n", b"\n\n\r\n"):
        path.write_bytes(data)
        assert count_records(path, THREE) == 0
        assert split(path, THREE, cleaned).broken == []
        assert locate(path, THREE, np.array([], dtype=np.int64)).num_rows == 0
        with pytest.raises(BatchRefused, match="record 0 was asked for"):
            locate(path, THREE, np.array([0]))


def test_headers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for data, skip, expected in (
        (b"", 0, ([], 0, 1)),
        (b"a,b\n1,2\n", 0, (["a", "b"], 4, 2)),
        (b"\xef\xbb\xbfa,b\r\n1,2\n", 0, (["a", "b"], 8, 2)),
        (b'# by "hand\n\n"a\nx",b', 1, (["a\nx", "b"], 19, 4)),
        (b"a,b", 3, ([], 3, 1)),
    ):
        path.write_bytes(data)
        assert header_end(path, skip=skip) == expected
    path.write_bytes(b'"a,b\n1,2\n')
    with pytest.raises(BatchRefused, match="header can't be read"):
        header_end(path)
    path.write_bytes(b"a;'b;c'\n")
    assert header_end(path, ";", "'")[0] == ["a", "b;c"]
    assert header_end(path, ";", None)[0] == ["a", "'b", "c'"]


def test_a_grammar_that_cannot_be_meant() -> None:
    for wrong in ({"delimiter": ""}, {"delimiter": "\n"}, {"delimiter": '"'}, {"quote": "“"}, {"columns": 0}):
        with pytest.raises(SettingsError):
            Grammar(**wrong)


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
