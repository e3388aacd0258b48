"""CSV files of every kind, and two slow readers that are right about them."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from backbone.formatted.csv.grammar import Grammar

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


def fields_of(record: bytes) -> list[bytes]:
    """The fields of one record, as they are written, one byte at a time."""
    fields, inside = [b""], False
    for byte in record:
        if byte == 34:
            inside = not inside if inside or fields[-1] in (b"", b" ") or _is_quoted(fields[-1]) else inside
        if byte == 44 and not inside:
            fields.append(b"")
        else:
            fields[-1] += bytes([byte])
    return fields


def _is_quoted(field: bytes) -> bool:
    return field.removeprefix(b" ").startswith(b'"')


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


def physical_lines(data: bytes) -> list[bytes]:
    lines = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return lines[:-1] if not data or data.endswith(b"\n") else lines
