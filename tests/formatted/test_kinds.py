"""Files that are no tables are named as what they are; a misleading name alone refuses nothing."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sqlite3
import tarfile
import zipfile
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq
import pytest

from conftest import GOOD, HEADER, Trial

LINES = '{"sale_id": 1, "item": "tea", "price": 2.5, "sold_at": "2026-01-01 08:00:00"}\n'
UNPACK = "Next: unpack it, and deliver the file in it under the same name"
SHEET = "save the sheet as CSV"
EXPORT = "export the table as CSV or Parquet"
TABLE = pa.table({"sale_id": [1], "item": ["tea"], "price": ["2.50"], "sold_at": ["2026-01-01 08:00:00"]})


def zipped(**members: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("sales.csv")
        member.size = len(GOOD)
        archive.addfile(member, io.BytesIO(GOOD.encode()))
    return out.getvalue()


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


def parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(TABLE, out)
    return out.getvalue()


def orc() -> bytes:
    out = io.BytesIO()
    pyarrow.orc.write_table(TABLE, out)
    return out.getvalue()


def feather(version: int) -> bytes:
    out = io.BytesIO()
    pyarrow.feather.write_feather(TABLE, out, version=version)
    return out.getvalue()


def arrow_stream() -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, TABLE.schema) as writer:
        writer.write_table(TABLE)
    return out.getvalue()


def sqlite(folder: Path) -> bytes:
    with closing(sqlite3.connect(folder / "s.db")) as connection:
        connection.execute("create table sale (sale_id integer)")
    return (folder / "s.db").read_bytes()


XLSX = zipped(**{"[Content_Types].xml": "", "xl/workbook.xml": "", "xl/worksheets/sheet1.xml": ""})
OPEN_SHEET = "application/vnd.oasis.opendocument.spreadsheet"
ODS = zipped(mimetype=OPEN_SHEET, **{"content.xml": ""})
KINDS: dict[str, tuple[str, bytes, str, str]] = {
    "zip": ("a.csv.zip", zipped(**{"sales.csv": GOOD}), "a zip archive that holds 'sales.csv'", UNPACK),
    "zip of two": ("a.zip", zipped(a=GOOD, b=GOOD), "a zip archive that holds 'a' and 1 more", UNPACK),
    "empty zip": ("a.zip", zipped(), "an empty zip archive", "delivered under the same name"),
    "cut-off zip": ("a.zip", zipped(a=GOOD)[:60], "a damaged zip archive", "delivered again"),
    "xlsx": ("a.xlsx", XLSX, "an Excel workbook", SHEET),
    "xlsx as csv": ("a.csv", XLSX, "an Excel workbook", SHEET),
    "ods": ("a.ods", ODS, "an OpenDocument file", SHEET),
    "ods of a mimetype alone": ("a.ods", zipped(mimetype=OPEN_SHEET), "an OpenDocument file", SHEET),
    "zip of a mimetype": ("a.zip", zipped(mimetype="text/csv"), "a zip archive that holds 'mim", UNPACK),
    "xls": ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "of the old kind (.xls)", SHEET),
    "7z": ("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(40), "a 7-Zip archive", UNPACK),
    "rar": ("a.rar", b"Rar!\x1a\x07\x01\x00" + bytes(40), "a RAR archive", UNPACK),
    "tar": ("a.tar", tarred(), "a tar archive", UNPACK),
    "tar.gz": ("a.tar.gz", gzip.compress(tarred()), "a tar archive, which is itself compressed", UNPACK),
    "zip in gzip": ("a.gz", gzip.compress(zipped(a=GOOD)), "a zip archive, which is itself", UNPACK),
    "bzip2": ("a.csv.bz2", bz2.compress(GOOD.encode()), "a file compressed with bzip2", UNPACK),
    "xz": ("a.csv.xz", lzma.compress(GOOD.encode()), "a file compressed with xz", UNPACK),
    "gzip twice": (
        "a.csv.gz",
        gzip.compress(gzip.compress(GOOD.encode())),
        "a file compressed with gzip, which is itself compressed",
        "compress it once only",
    ),
    "zstd in gzip": ("a.gz", gzip.compress(zstd(GOOD.encode())), "with Zstandard, which", "once only"),
    "gzip in zstd": ("a.zst", zstd(gzip.compress(GOOD.encode())), "with gzip, which", "once only"),
    "pdf": ("a.csv", b"%PDF-1.7\n%\xe2\xe3\n1 0 obj\n", "a PDF document", "the table itself"),
    "html": ("a.csv", b"<!DOCTYPE html>\n<html><body>503</body></html>\n", "an HTML page", SHEET),
    "html as xls": ("a.xls", b"\xef\xbb\xbf  <HTML xmlns:o='x'>\n<table>", "an HTML page", SHEET),
    "xml": ("a.csv", b"<?xml version='1.0'?>\n<sales><sale/></sales>\n", "an XML document", EXPORT),
    "html in gzip": ("a.csv.gz", gzip.compress(b"<html>no</html>"), "an HTML page", SHEET),
    "html for JSON": ("a.jsonl", b"<html><head></head></html>\n", "an HTML page", SHEET),
    "html for Parquet": ("a.parquet", b"<!doctype HTML><p>sign in</p>", "an HTML page", SHEET),
    "Parquet as csv": ("a.csv", parquet(), "a Parquet file", 'set format = "parquet" in [sources.sale]'),
    "cut-off Parquet": ("a.csv", parquet()[:-20], "a Parquet file", 'set format = "parquet"'),
    "Parquet for JSON": ("a.jsonl", parquet(), "a Parquet file", 'set format = "parquet"'),
    "zip for Parquet": ("a.parquet", zipped(a=GOOD), "a zip archive that holds 'a'", UNPACK),
    "CSV for Parquet": ("a.parquet", GOOD.encode(), "found text", 'set format = "csv"'),
    "Avro": ("a.avro", b"Obj\x01\x04\x16avro.schema", "an Avro file", EXPORT),
    "ORC": ("a.orc", orc(), "an ORC file", EXPORT),
    "Feather": ("a.feather", feather(2), "an Arrow file (IPC, Feather)", EXPORT),
    "Feather 1": ("a.feather", b"FEA1\x00\x00\x00\x00" + bytes(40) + b"FEA1", "a Feather file", EXPORT),
    "Arrow stream": ("a.arrow", arrow_stream(), "an Arrow stream (IPC)", EXPORT),
    "JSON lines as csv": ("a.csv", LINES.encode(), "found JSON", 'set format = "jsonl" in [sources.sale]'),
    "JSON array as csv": ("a.csv", f"[{LINES}]".encode(), "found JSON", 'set format = "jsonl"'),
    "indented JSON as csv": ("a.csv", b'[\n  {\n    "sale_id": 1\n', "found JSON", 'format = "jsonl"'),
    "a long line of JSON": ("a.csv", b'[{"x": "' + b"y" * 9000 + b'"}]', "found JSON", "jsonl"),
    "CSV as JSON": ("a.json", GOOD.encode(), "a table with a header and delimiters", 'set format = "csv"'),
}  # fmt: skip


@pytest.mark.parametrize(("name", "data", "kind", "next_step"), KINDS.values(), ids=KINDS)
def test_what_is_no_table_is_named(trial: Trial, name: str, data: bytes, kind: str, next_step: str) -> None:
    trial.drop(data, name)
    trial.drop(GOOD, "good.csv")
    result = trial.run()
    (error,) = result.failures.values()
    assert type(error).__name__ == "BatchRefused"
    assert f"({name}): expected " in str(error)
    assert kind in error.problem
    assert "a version before it stays in force" in error.state
    assert next_step in f"Next: {error.next_step}"
    assert trial.formatted() == [1, 2, 3]


def test_a_database_is_named(trial: Trial, tmp_path: Path) -> None:
    trial.drop(sqlite(tmp_path), "sales.csv")
    (error,) = trial.run().failures.values()
    assert "found a SQLite database" in error.problem
    assert "query it as a source" in error.next_step


@pytest.mark.parametrize(
    "name", ["a.zip", "a.xlsx", "a.xls", "a.pdf", "a.html", "a.tar.gz", "a.csv.bz2", "a.db", "a.orc", "a"]
)
def test_a_misleading_name_refuses_nothing(trial: Trial, name: str) -> None:
    trial.drop(GOOD, name)
    trial.run_well()
    assert trial.formatted() == [1, 2, 3]


@pytest.mark.parametrize(
    "name", ["PAR1", "FEA1", "ORCID", "BZh9", "PK", "OBJ", "ARROW1", "[id]", "{id}", "7z"]
)
def test_a_column_may_be_called_like_a_signature(trial: Trial, name: str) -> None:
    trial.drop(f"{name},{HEADER}x,1,tea,2.50,2026-01-01 08:00:00\n")
    trial.run_well()
    assert trial.formatted() == [1]


def test_the_file_delivered_under_the_same_name_takes_its_place(trial: Trial) -> None:
    trial.drop(zipped(**{"sales.csv": GOOD}), "a.csv.zip")
    assert not trial.run().ok
    trial.drop(GOOD, "a.csv.zip", age_s=30)
    trial.run_well()
    assert trial.formatted() == [1, 2, 3]


def test_json_in_a_file_without_a_header_is_a_value(tmp_path: Path) -> None:
    trial = Trial(tmp_path, event_time=None).contract('class Sale(Contract):\n    "A text."\n    text: str\n')
    trial.settings("header = false\ndelimiter = ';'\nquote = ''").drop('{"a": 1}\n{"a": 2}\n')
    trial.run_well()
    assert trial.formatted("text") == ['{"a": 1}', '{"a": 2}']


def test_lines_that_are_no_objects_are_quarantined_where_others_are(trial: Trial) -> None:
    trial.drop("sale_id,item\n" + LINES, "a.jsonl")
    trial.run_well()
    assert trial.formatted() == [1]
    assert [line for line, _, _ in trial.quarantined()] == [1]
