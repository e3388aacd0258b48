"""Files as they come: read whole, quarantined line by line, or refused with a reason; nothing is lost."""

from __future__ import annotations

import csv
import glob
import gzip
import io
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.errors import BatchRefused
from conftest import GOOD, HEADER, ONE, THREE, TWO, Trial, utc

ROWS = [
    (1, "tea", Decimal("2.50"), utc("2026-01-01T08:00:00")),
    (2, "cake", Decimal("3.25"), utc("2026-01-01T09:30:00")),
    (3, "tea", Decimal("2.50"), utc("2026-01-02T08:00:00")),
]
FIELDS = "sale_id, item, price, sold_at"
LINES = "".join(
    json.dumps({"sale_id": n, "item": item, "price": str(price), "sold_at": at.isoformat()}) + "\n"
    for n, item, price, at in ROWS
)


def zstd(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, "zstd", asbytes=True)
    return packed


def parquet(columns: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def with_delimiter(sign: str) -> str:
    return GOOD.replace(",", sign)


AS_TEXT = {
    "sale_id": ["1", "2", "3"],
    "item": ["tea", "cake", "tea"],
    "price": ["2.50", "3.25", "2.50"],
    "sold_at": ["2026-01-01 08:00:00", "2026-01-01 09:30:00", "2026-01-02T08:00:00Z"],
}
NAIVE = [at.replace(tzinfo=None) for *_, at in ROWS]
READABLE: dict[str, tuple[str, str | bytes, str]] = {
    "as it should be": ("a.csv", GOOD, ""),
    "no last newline": ("a.csv", GOOD[:-1], ""),
    "a byte order mark": ("a.csv", b"\xef\xbb\xbf" + GOOD.encode(), ""),
    "carriage returns": ("a.csv", GOOD.replace("\n", "\r\n"), ""),
    "carriage returns, no last newline": ("a.csv", GOOD.replace("\n", "\r\n")[:-2], ""),
    "blank lines": ("a.csv", GOOD.replace("\n", "\n\n"), ""),
    "all quoted": (
        "a.csv",
        "\n".join(",".join(f'"{x}"' for x in line.split(",")) for line in GOOD.splitlines()),
        "",
    ),
    "columns in another order": ("a.csv", "sold_at,price,item,sale_id\n" + "".join(
        ",".join(reversed(line.split(","))) + "\n" for line in GOOD.splitlines()[1:]
    ), ""),
    "a column nobody asked for": ("a.csv", GOOD.replace("\n", ",x\n"), ""),
    "semicolons": ("a.csv", with_delimiter(";"), ""),
    "tabs": ("a.tsv", with_delimiter("\t"), ""),
    "pipes": ("a.txt", with_delimiter("|"), ""),
    "a declared delimiter": ("a.csv", with_delimiter("^"), 'delimiter = "^"'),
    "a decimal comma": (
        "a.csv",
        with_delimiter(";").replace("2.5", "2,5").replace("3.25", "3,25"),
        'decimal_separator = ","',
    ),
    "lines before the header": ("a.csv", "exported\nby the till\n" + GOOD, "skip = 2"),
    "no header": ("a.csv", ONE + TWO + THREE, "header = false"),
    "no header, carriage returns": ("a.csv", (ONE + TWO + THREE).replace("\n", "\r\n"), "header = false"),
    "no header, a byte order mark": (
        "a.csv",
        b"\xef\xbb\xbf" + (ONE + TWO + THREE).encode(),
        "header = false",
    ),
    "a header over two lines": (
        "a.csv",
        GOOD.replace("item", '"item\nsold"'),
        'columns = { item = "item\\nsold" }',
    ),
    "a header over two lines, carriage returns": (
        "a.csv",
        GOOD.replace("item", '"item\nsold"').replace("\n", "\r\n"),
        'columns = { item = "item\\r\\nsold" }',
    ),
    "single quotes, declared": ("a.csv", GOOD.replace("tea", "'tea'"), "quote = \"'\""),
    "blank lines before the header": ("a.csv", "\n\n" + GOOD, ""),
    "spaces after the delimiter": ("a.csv", GOOD.replace(",2.50", ", 2.50"), ""),
    "gzip": ("a.csv.gz", gzip.compress(GOOD.encode()), ""),
    "gzip in two members": (
        "a.csv.gz",
        gzip.compress(GOOD[:50].encode()) + gzip.compress(GOOD[50:].encode()),
        "",
    ),
    "gzip under a plain name": ("a.csv", gzip.compress(GOOD.encode()), ""),
    "zstd": ("a.csv.zst", zstd(GOOD.encode()), ""),
    "zstd in two frames": ("a.csv.zst", zstd(GOOD[:50].encode()) + zstd(GOOD[50:].encode()), ""),
    "utf-16, declared": ("a.csv", GOOD.encode("utf-16"), 'encoding = "utf-16"'),
    "utf-16-le without a mark, declared": ("a.csv", GOOD.encode("utf-16-le"), 'encoding = "utf-16-le"'),
    "utf-16 in gzip, declared": ("a.csv.gz", gzip.compress(GOOD.encode("utf-16")), 'encoding = "utf-16"'),
    "JSON lines": ("a.jsonl", LINES, ""),
    "JSON lines, no last newline": ("a.ndjson", LINES[:-1], ""),
    "JSON lines, carriage returns": ("a.jsonl", LINES.replace("\n", "\r\n"), ""),
    "JSON lines, blank lines": ("a.jsonl", LINES.replace("\n", "\n\n"), ""),
    "JSON lines with a byte order mark": ("a.jsonl", b"\xef\xbb\xbf" + LINES.encode(), ""),
    "JSON lines in gzip": ("a.jsonl.gz", gzip.compress(LINES.encode()), ""),
    "JSON lines in zstd": ("a.jsonl.zst", zstd(LINES.encode()), ""),
    "JSON lines with numbers": ("a.jsonl", LINES.replace('"2.50"', "2.5").replace('"3.25"', "3.25"), ""),
    "JSON lines under another name": ("a.log", LINES, 'format = "jsonl"'),
    "Parquet": (
        "a.parquet",
        parquet(
            {
                "sale_id": pa.array([1, 2, 3], pa.int32()),
                "item": ["tea", "cake", "tea"],
                "price": pa.array([p for _, _, p, _ in ROWS], pa.decimal128(5, 2)),
                "sold_at": pa.array([at for *_, at in ROWS], pa.timestamp("us", "UTC")),
            }
        ),
        "",
    ),
    "Parquet of texts": ("a.parquet", parquet(AS_TEXT), ""),
    "Parquet with floats, naive times and categories": (
        "a.pq",
        parquet(
            {
                "sale_id": pa.array([1.0, 2.0, 3.0]),
                "item": pa.array(["tea", "cake", "tea"]).dictionary_encode(),
                "price": pa.array([2.5, 3.25, 2.5]),
                "sold_at": pa.array(NAIVE, pa.timestamp("ms")),
            }
        ),
        "",
    ),
    "Parquet with nanoseconds": (
        "a.parquet",
        parquet({**AS_TEXT, "sold_at": pa.array(NAIVE, pa.timestamp("ns"))}),
        "",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "data", "section"), READABLE.values(), ids=READABLE)
def test_reads_every_row(trial: Trial, name: str, data: str | bytes, section: str) -> None:
    trial.settings(section).drop(data, name)
    trial.run_well()
    assert trial.formatted(FIELDS) == ROWS
    assert trial.accounted() == (3, 3, 0, 0)


REFUSED: dict[str, tuple[str, str | bytes, list[str]]] = {
    "an empty file": ("a.csv", b"", ["found an empty file", "stays in force", "delivered again"]),
    "a wrong header": (
        "a.csv",
        GOOD.replace("price", "cost"),
        ["expected the column 'price'", "'cost'", "stays in force", "[sources.sale] columns"],
    ),
    "no header at all": ("a.csv", ONE + TWO, ["expected the columns 'sale_id'", "the file has '1', 'tea'"]),
    "a column twice": ("a.csv", "sale_id,item,price,sold_at,item\n", ["one column called 'item'", "several"]),
    "a truncated gzip": (
        "a.csv.gz",
        gzip.compress(GOOD.encode() * 100)[:-30],
        ["expected a whole archive", "truncated", "persistent landing", "delivered again"],
    ),
    "a damaged gzip": (
        "a.csv.gz",
        gzip.compress(GOOD.encode())[:40] + b"\0\0\0\0" + gzip.compress(GOOD.encode())[44:],
        ["expected a whole archive", "damaged", "delivered again"],
    ),
    "a truncated zstd": (
        "a.csv.zst",
        zstd(GOOD.encode() * 100)[:-10],
        ["expected a whole archive", "truncated", "persistent landing", "delivered again"],
    ),
    "utf-16, undeclared": ("a.csv", GOOD.encode("utf-16"), ["utf-16", 'encoding = "utf-16"']),
    "utf-16 without a mark, undeclared": ("a.csv", GOOD.encode("utf-16-le"), ["looks like UTF-16"]),
    "utf-16 in gzip, undeclared": (
        "a.csv.gz",
        gzip.compress(GOOD.encode("utf-16")),
        ['encoding = "utf-16"'],
    ),
    "garbage for Parquet": (
        "a.parquet",
        b"\x00\x01garbage" * 40,
        ["expected a Parquet file", "delivered again"],
    ),
    "truncated Parquet": (
        "a.parquet",
        parquet(AS_TEXT)[:-20],
        ["expected a Parquet file", "delivered again"],
    ),
    "an empty Parquet file": ("a.parquet", b"", ["expected a Parquet file", "delivered again"]),
    "Parquet that lacks a column": (
        "a.parquet",
        parquet({k: v for k, v in AS_TEXT.items() if k != "price"}),
        ["expected the column 'price'", "'sale_id'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "data", "told"), REFUSED.values(), ids=REFUSED)
def test_refuses_what_is_no_table_and_says_why(
    trial: Trial, name: str, data: str | bytes, told: list[str]
) -> None:
    trial.drop(GOOD, "before.csv")
    trial.run_well()
    versions = trial.versions()
    trial.drop(data, name)
    ended = trial.command("run")
    assert ended.status == 1
    (batch,) = [b for b in trial.batches() if b.name == name]
    assert f"BatchRefused: formatted.sale, batch {batch.batch} ({name})" in ended.errors
    assert "\nNext: " in ended.errors
    for part in told:
        assert part in ended.errors
    assert (trial.root / batch.path).read_bytes() == (data if isinstance(data, bytes) else data.encode())
    assert trial.formatted(FIELDS) == ROWS
    assert trial.account().unformatted == 1
    assert {**trial.versions(), "landing.batch": 0} == {**versions, "landing.batch": 0}
    assert trial.command("run").status == 1, "it stays refused, and told"

    if name == "a.csv":  # delivered again, in good order
        trial.drop(GOOD.replace("1,tea", "4,tea"), name)
        assert trial.command("run").status == 0
        assert trial.accounted() == (6, 6, 0, 0)
        assert trial.account().unformatted == 0


@pytest.mark.parametrize("name", ["a.csv.gz", "a.CSV.ZST", "a.jsonl.gz"])
def test_reads_plain_text_under_the_name_of_an_archive(trial: Trial, name: str) -> None:
    trial.drop(LINES if "jsonl" in name else GOOD, name)
    trial.run_well()
    assert trial.formatted(FIELDS) == ROWS


@pytest.mark.parametrize("codec", ["windows-1252", "iso-8859-1"])
def test_names_the_byte_and_line_of_another_encoding(trial: Trial, codec: str) -> None:
    text = HEADER + ONE + TWO.replace("cake", "gâteau") + THREE
    trial.drop(text.encode(codec))
    ended = trial.command("run")
    assert ended.status == 1
    assert "the byte 0xE2 in line 3 (offset 61)" in ended.errors
    assert 'encoding = "windows-1252"' in ended.errors
    assert trial.formatted() == []
    trial.settings(f'encoding = "{codec}"')
    trial.run_well()
    assert trial.formatted("item") == ["gâteau", "tea", "tea"]
    assert trial.accounted() == (3, 3, 0, 0)


def test_names_what_the_declared_encoding_cannot_read(trial: Trial) -> None:
    trial.settings('encoding = "utf-16"').drop(GOOD + "x" * (1 - len(GOOD) % 2))
    ended = trial.command("run")
    assert ended.status == 1
    assert "expected text in utf-16" in ended.errors or "expected the column" in ended.errors


def test_a_header_alone_is_a_table_without_rows(trial: Trial) -> None:
    trial.drop(HEADER)
    trial.run_well()
    assert trial.formatted() == []
    assert trial.accounted() == (0, 0, 0, 0)
    assert trial.account().unformatted == 0
    assert trial.run_well().receipts == []


UNCLOSED = "has a quoted field that is not closed"
BROKEN: dict[str, tuple[str, list[int], int, str]] = {
    "a column too many": (
        HEADER + ONE + TWO.replace("\n", ",x\n") + THREE, [1, 3], 3, "has 5 fields, expected 4"
    ),
    "a column too few": (HEADER + ONE + "2,cake,3.25\n" + THREE, [1, 3], 3, "has 3 fields, expected 4"),
    "an unterminated quote": (
        HEADER + ONE + TWO.replace("cake", '"cake') + THREE, [1, 3], 3, UNCLOSED
    ),
    "an unterminated quote at the end": (
        HEADER + ONE + TWO + '3,"tea', [1, 2], 4, UNCLOSED
    ),
    "cut off at the end": (HEADER + ONE + TWO + "3,te", [1, 2], 4, "has 2 fields, expected 4"),
    "text after a quote": (
        HEADER + ONE + TWO.replace("cake", '"ca"ke') + THREE, [1, 3], 3, "has text after a closing quote"
    ),
    "a price below zero": (
        HEADER + ONE + TWO.replace("3.25", "-3.25") + THREE, [1, 3], 3, "price: -3.25 breaks price >= 0"
    ),
    "no number": (
        HEADER + ONE + TWO.replace("3.25", "n/a") + THREE, [1, 3], 3, "price: 'n/a' is not a number"
    ),
    "a price that would be rounded": (
        HEADER + ONE + TWO.replace("3.25", "3.255") + THREE, [1, 3], 3, "price: '3.255' does not fit"
    ),
    "no such day": (
        HEADER + ONE + TWO.replace("01-01", "02-30") + THREE, [1, 3], 3, "is not a date and time"
    ),
    "nothing where something must be": (
        HEADER + ONE + TWO.replace("cake", "") + THREE, [1, 3], 3, "item: null is not allowed"
    ),
    "the header again": (
        HEADER + ONE + HEADER + THREE, [1, 3], 3, "sale_id: 'sale_id' is not a whole number"
    ),
    "a NUL byte in a number": (
        HEADER + ONE + TWO.replace("2,", "2\0,", 1) + THREE, [1, 3], 3, "is not a whole number"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "good", "line", "reason"), BROKEN.values(), ids=BROKEN)
def test_turns_away_the_broken_line_only(
    trial: Trial, data: str, good: list[int], line: int, reason: str
) -> None:
    trial.drop(data, "sales.csv")
    trial.drop(data.replace("\n", "\r\n"), "sales-crlf.csv")
    trial.run_well()
    assert trial.formatted() == sorted(good * 2)
    assert len(trial.quarantined()) == 2
    for found, raw, reasons in trial.quarantined():
        assert found == line
        assert raw == data.splitlines()[line - 1]
        assert any(reason in text for text in reasons)
    assert trial.accounted() == (6, 4, 2, 0)
    ended = trial.command("quarantine", "sale", "--format", "csv")
    assert ended.status == 0
    assert "sales.csv" in ended.output


def test_a_row_tells_every_reason(trial: Trial) -> None:
    trial.drop(HEADER + "x,,-1,yesterday\n")
    trial.run_well()
    ((_, _, reasons),) = trial.quarantined()
    assert reasons == [
        "sale_id: 'x' is not a whole number",
        "item: null is not allowed",
        "price: -1 breaks price >= 0",
        "sold_at: 'yesterday' is not a date and time",
    ]


def test_a_nul_byte_in_a_text_is_kept_or_turned_away(trial: Trial) -> None:
    trial.drop(HEADER + ONE + TWO.replace("cake", "ca\0ke") + THREE)
    trial.run_well()
    rows, formatted, quarantined, _ = trial.accounted()
    assert rows == formatted + quarantined == 3
    assert {1, 3} <= set(trial.formatted())
    if formatted == 3:
        assert "ca\0ke" in trial.formatted("item")


TEXTS = ['one\ntwo "quoted", and more', "a\r\nb", "ends with a return\r", " spaces ", "; | \t", "é漢🎬", "'"]


@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["newlines", "carriage returns"])
def test_texts_survive_byte_for_byte(trial: Trial, ending: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=ending, quoting=csv.QUOTE_ALL)
    writer.writerow(["sale_id", "item", "price", "sold_at"])
    for number, text in enumerate(TEXTS):
        writer.writerow([number, text, "1.00", "2026-01-01 08:00:00"])
    trial.drop(out.getvalue().encode())
    trial.run_well()
    assert trial.formatted("item", "sale_id") == TEXTS
    assert trial.accounted() == (len(TEXTS), len(TEXTS), 0, 0)


def test_a_bad_record_of_several_lines_is_told_by_its_first_line_and_whole(trial: Trial) -> None:
    trial.drop(HEADER + ONE + 'two,"a\n\nb",1,2026-01-01\n' + THREE + '4,"c\nd",-1,2026-01-01\n')
    trial.run_well()
    assert trial.formatted() == [1, 3]
    assert [(line, raw) for line, raw, _ in trial.quarantined()] == [
        (3, 'two,"a\n\nb",1,2026-01-01'),
        (7, '4,"c\nd",-1,2026-01-01'),
    ]


def test_lines_are_counted_over_what_precedes_the_header(trial: Trial) -> None:
    trial.settings("skip = 2").drop("exported\nby the till\n" + HEADER + ONE + "2,cake,x,2026-01-01\n5,,\n")
    trial.run_well()
    assert [line for line, *_ in trial.quarantined()] == [5, 6]


def test_only_broken_lines_of_json_are_turned_away(trial: Trial) -> None:
    first, second, third = LINES.splitlines()
    lines = [
        first,
        '{"sale_id": 2, "item": ',
        "[1, 2]",
        '"text"',
        "null",
        '{"sale_id": 5, "price": 1, "sold_at": "2026-01-01"}',
        '{"sale_id": 6, "item": {"name": "tea", "sizes": [1, 2]}, "price": "1", "sold_at": "2026-01-01"}',
        '{"sale_id": 7, "item": null, "price": 1, "sold_at": "2026-01-01"}',
        '{"sale_id": [8], "item": "x", "price": true, "sold_at": "2026-01-01"}',
        second,
        '{"sale_id": 9, "item": "a\\nb\\"\\u00e9", "price": 1, "sold_at": "2026-01-01", "more": [1]}',
        "not json",
        third,
    ]
    trial.drop("\n".join(lines) + "\n", "a.jsonl")
    trial.run_well()
    assert trial.formatted() == [1, 2, 3, 6, 9]
    items = dict(trial.formatted("sale_id, item"))
    assert json.loads(items[6]) == {"name": "tea", "sizes": [1, 2]}
    assert items[9] == 'a\nb"é'
    found = {line: (raw, reasons) for line, raw, reasons in trial.quarantined()}
    assert sorted(line for line in found if line is not None) == [2, 3, 4, 5, 6, 8, 9, 12]
    for line, (raw, _) in found.items():
        assert line is not None
        assert raw == lines[line - 1]
    for line in (2, 3, 4, 5, 12):
        assert found[line][1] == ["the line is not a JSON object"]
    assert found[6][1] == ["item: null is not allowed"]
    assert len(found[9][1]) == 2
    assert trial.accounted() == (13, 5, 8, 0)


def test_numbers_of_json_keep_every_digit(trial: Trial) -> None:
    number = 9007199254740993
    trial.drop(
        f'{{"sale_id": {number}, "item": "x", "price": 1234567890.12, "sold_at": "2026-01-01"}}\n'
        '{"sale_id": 1.5, "item": "x", "price": 0.105, "sold_at": "2026-01-01"}\n',
        "a.jsonl",
    )
    trial.run_well()
    assert trial.formatted("sale_id, price") == [(number, Decimal("1234567890.12"))]
    ((_, _, reasons),) = trial.quarantined()
    assert reasons == [
        "sale_id: '1.5' is not a whole number",
        "price: '0.105' does not fit 10 digits before and 2 after the decimal point",
    ]


def test_quotes_are_letters_where_none_are_declared(trial: Trial) -> None:
    trial.settings('quote = ""').drop(HEADER + ONE.replace("tea", 'a "b" c') + TWO.replace("cake", '"x'))
    trial.run_well()
    assert trial.formatted("item") == ['"x', 'a "b" c']


def test_quotes_may_be_escaped_by_a_declared_sign(trial: Trial) -> None:
    trial.settings("escape = '\\\\'".replace("\\\\", "\\")).drop(
        HEADER + ONE.replace("tea", '"a \\"b\\", c"') + TWO
    )
    trial.run_well()
    assert trial.formatted("item") == ['a "b", c', "cake"]


def test_lines_that_end_in_carriage_returns_alone_are_read(trial: Trial) -> None:
    trial.drop((HEADER + ONE.replace("tea", '"green\rtea"') + TWO + "3,tea\n").replace("\n", "\r"))
    trial.run_well()
    assert trial.formatted("item") == ["cake", "green\rtea"]
    assert trial.rows("select line, reasons from quarantine.sale") == [
        (5, ["the line has 2 fields, expected 4"])
    ]


def test_files_of_one_run_keep_their_own_rows_and_failures(trial: Trial) -> None:
    def table(number: int, **changed: Any) -> bytes:
        columns = {"sale_id": [number], "item": ["tea"], "price": ["1"], "sold_at": ["2026-01-01"]}
        return parquet({**columns, **changed})

    for number in range(12):
        trial.drop(table(number), f"{number:02}.parquet")
    trial.drop(table(3, price=["-1"]), "03.parquet")
    trial.drop(table(5, price=[1.0]), "05.parquet")
    trial.drop(table(6, item=pa.array([None], pa.null())), "06.parquet")
    trial.drop(b"garbage" * 100, "07.parquet")
    trial.drop(table(8, more=[1]), "08.parquet")
    trial.drop(table(9)[:-9], "09.parquet")
    trial.drop(parquet({"sale_id": [10]}), "10.parquet")
    result = trial.run()
    names = {b.batch: b.name for b in trial.batches()}
    refused = {names[failure.split()[1]] for failure in result.failures}
    assert refused == {"07.parquet", "09.parquet", "10.parquet"}
    assert trial.formatted() == [0, 1, 2, 4, 5, 8, 11]
    joined = "join landing.batch b on b.batch = q._batch"
    assert trial.rows(f"select name, _row, reasons from quarantine.sale q {joined} order by 1") == [
        ("03.parquet", 0, ["price: -1 breaks price >= 0"]),
        ("06.parquet", 0, ["item: null is not allowed"]),
    ]
    assert trial.accounted() == (9, 7, 2, 0)
    assert trial.rows(f"select count(*) from formatted.sale q {joined} where name[:2]::int <> sale_id") == [
        (0,)
    ]
    for number in (7, 9, 10):
        trial.drop(table(number), f"{number:02}.parquet")
    trial.run_well()
    assert trial.accounted() == (12, 10, 2, 0)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_an_empty_file_is_told_apart_from_a_table_without_rows(trial: Trial, name: str) -> None:
    trial.drop(b"\n\n", name)
    result = trial.run()
    assert all(isinstance(error, BatchRefused) for error in result.failures.values())
    assert trial.formatted() == []


def test_bad_values_of_parquet_are_turned_away_with_their_row(trial: Trial) -> None:
    table = {
        "sale_id": pa.array([1.0, 2.5, None, float("nan"), 5.0]),
        "item": ["tea", "cake", "tea", "x", "y"],
        "price": pa.array([2.5, 1.0, 1.0, 1.0, 0.125]),
        "sold_at": pa.array([NAIVE[0]] * 5, pa.timestamp("us")),
    }
    trial.drop(parquet(table), "a.parquet")
    trial.run_well()
    assert trial.formatted() == [1]
    found = trial.quarantined()
    assert [line for line, *_ in found] == [None] * 4
    reasons = sorted(text for _, _, texts in found for text in texts)
    assert reasons == [
        "price: '0.125' does not fit 10 digits before and 2 after the decimal point",
        "sale_id: '2.5' is not a whole number",
        "sale_id: 'nan' is not a whole number",
        "sale_id: null is not allowed",
    ]
    assert trial.rows("select _row from quarantine.sale order by 1") == [(1,), (2,), (3,), (4,)]
    assert trial.accounted() == (5, 1, 4, 0)


@pytest.mark.parametrize(
    ("zone", "written", "instant"),
    [
        ("Europe/London", "2026-07-01 08:00:00", "2026-07-01T07:00:00"),
        ("Europe/London", "2026-01-01 08:00:00", "2026-01-01T08:00:00"),
        ("Asia/Kolkata", "2026-01-01T00:15:00", "2025-12-31T18:45:00"),
        ("Asia/Kolkata", "2026-01-01T00:15:00+02:00", "2025-12-31T22:15:00"),
    ],
)
def test_times_without_a_zone_are_read_in_the_declared_one(
    trial: Trial, zone: str, written: str, instant: str
) -> None:
    trial.settings(f'timezone = "{zone}"').drop(f"{HEADER}1,tea,1,{written}\n")
    trial.drop(json.dumps({"sale_id": 1, "item": "tea", "price": 1, "sold_at": written}), "a.jsonl")
    if "+" not in written:
        naive = pa.array([datetime.fromisoformat(written)], pa.timestamp("us"))
        trial.drop(parquet({"sale_id": [1], "item": ["tea"], "price": ["1"], "sold_at": naive}), "a.parquet")
    trial.run_well()
    assert set(trial.formatted("sold_at")) == {utc(instant)}


NAMES = [
    "two words.csv",
    'it\'s "quoted".csv',
    "añ漢🎬.csv",
    "year=2026/month=01/day 1/a.csv",
    "100%.csv",
    "a+b%20c.csv",
    "a;b,c.csv",
    "[ab]*.csv",
    "no-extension",
    "new\nline.csv",
    "x..csv",
    "a/b../c.csv",
]


@pytest.mark.parametrize("how", ["dropped", "found"])
def test_a_file_may_have_any_name(trial: Trial, tmp_path: Path, how: str) -> None:
    folder = trial.temporal if how == "dropped" else tmp_path / "a vendor's folder"
    if how == "found":
        trial.settings(f"path = {json.dumps(glob.escape(str(folder)) + '/**/*')}")
    for number, name in enumerate(NAMES):
        trial.write(folder / name, f"{HEADER}{number},tea,1,2026-01-01\n")
    trial.run_well()
    found = dict(
        trial.rows("select name, sale_id from formatted.sale s join landing.batch b on b.batch = s._batch")
    )
    assert found == {name: number for number, name in enumerate(NAMES)}
    assert trial.account().files == len(NAMES)
    assert trial.command("status").status == 0


def test_a_project_may_lie_in_a_folder_of_any_name(tmp_path: Path) -> None:
    root = tmp_path / 'it\'s añ "odd" 100% folder+more'
    root.mkdir()
    trial = Trial(root).contract()
    trial.drop(GOOD)
    trial.run_well()
    trial.drop(HEADER + "9,tea,1,2026-01-05\n")
    trial.run_well()
    assert trial.formatted() == [9]
    assert trial.accounted() == (1, 1, 0, 0)


COLUMNS = [
    'a "quoted" name',
    "semi;colon",
    "it's",
    "Größe in €",
    "a.b",
    "a/b~c",
    "select",
    "{braces}",
    "$window_start",
    "with\nnewline",
    " padded ",
    "_row",
    "c0",
    "100%",
]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_source_column_may_have_any_name(trial: Trial, form: str) -> None:
    fields = [f"field_{number}" for number in range(len(COLUMNS))]
    mapped = ", ".join(f"{field} = {json.dumps(name)}" for field, name in zip(fields, COLUMNS, strict=True))
    lines = "".join(f"    {field}: str\n" for field in fields)
    trial.event_time = None
    trial.contract(f"class Odd(Contract):\n    'A table with odd names.'\n{lines}")
    trial.settings(f"columns = {{ {mapped} }}")
    row = {name: f"value {number}" for number, name in enumerate(COLUMNS)}
    if form == "csv":
        out = io.StringIO()
        writer = csv.DictWriter(out, COLUMNS)
        writer.writeheader()
        writer.writerow(row)
        trial.drop(out.getvalue().encode())
    elif form == "jsonl":
        trial.drop(json.dumps(row), "a.jsonl")
    else:
        trial.drop(parquet({name: [value] for name, value in row.items()}), "a.parquet")
    trial.run_well()
    assert trial.formatted(", ".join(fields)) == [tuple(row.values())]
    assert trial.accounted() == (1, 1, 0, 0)


def test_a_source_column_may_have_a_name_that_the_engine_uses(trial: Trial) -> None:
    trial.settings('columns = { item = "_text" }').drop(LINES.replace("item", "_text"), "a.jsonl")
    trial.run_well()
    assert trial.formatted(FIELDS) == ROWS


def test_a_name_that_begins_with_a_dot_is_left_alone_and_told(trial: Trial) -> None:
    left = [trial.drop(GOOD, "..x.csv"), trial.drop(GOOD, ".sales.csv.Ab12Cd")]
    trial.drop(b"\0", ".DS_Store")
    ended = trial.command("run")
    assert ended.status == 0
    assert all(path.read_text() == GOOD and str(path) in ended.errors for path in left)
    assert ".DS_Store" not in ended.errors
    assert trial.batches() == []


def test_a_file_may_lack_an_optional_column(trial: Trial) -> None:
    with_note = """
        class Sale(Contract):
            'Something sold.'
            sale_id: int
            sold_at: datetime
            note: str | None = None
        """
    trial.contract(with_note)
    trial.drop(GOOD)
    trial.drop("sale_id,sold_at,note\n4,2026-01-01,hello\n", "b.csv")
    trial.run_well()
    assert trial.formatted("sale_id, note") == [(1, None), (2, None), (3, None), (4, "hello")]


def test_rows_have_their_place_in_the_file_whatever_the_contract_checks(trial: Trial) -> None:
    """A list of choices is no join, which would give the rows in another order."""
    trial.event_time = None
    trial.contract(
        "from typing import Literal\n\n\n"
        "class Choice(Contract):\n    'Choices.'\n    number: int\n    flag: bool\n"
        "    kind: Literal['a', 'b', 'c', 'd', 'e', 'f', 'g']\n"
    )
    lines = "".join(f"{n},{'yes' if n % 3 else 'no'},{'abcdefg'[n % 7]}\n" for n in range(400_000))
    trial.drop("number,flag,kind\n" + lines)
    trial.run_well()
    wrong = "select count(*) from formatted.sale where _row <> number or _line <> number + 2"
    assert trial.value(wrong) == 0
    assert trial.value("select count(*) from formatted.sale") == 400_000


def test_a_field_that_is_filled_after_the_first_hundred_records_is_a_column(trial: Trial) -> None:
    trial.event_time = None
    trial.contract(
        "class Row(Contract):\n    'A row.'\n    a: int\n    b: int\n    c: int | None\n"
        "    note: str | None\n"
    )
    lines = [f"9,{i},{i + 1},{i + 2},{'x' if i >= 120 else ''}\n" for i in range(400)]
    trial.drop("a,b,c,note\n" + "".join(lines))
    trial.run_well()
    assert trial.accounted() == (400, 0, 400, 0)
    trial.drop("a,b,c,note\n" + "1,2,3,x,\n" * 150 + "1,2,3,4,x\n", "b.csv")
    trial.run_well()
    assert trial.accounted() == (551, 150, 401, 0)


def test_a_json_file_without_a_byte_leaves_the_version_before_in_force(trial: Trial) -> None:
    trial.drop(LINES, "a.jsonl")
    trial.run_well()
    trial.drop("", "a.jsonl", age_s=30)
    (error,) = trial.run().failures.values()
    assert "found an empty file" in error.problem
    assert trial.formatted() == [1, 2, 3]


def test_a_json_key_that_only_looks_alike_is_refused(trial: Trial) -> None:
    trial.drop(LINES.replace('"item"', '"Item"'), "a.jsonl")
    (error,) = trial.run().failures.values()
    assert (
        error.problem
        == "expected the column 'item', found 'Item', which differs only in case, spaces or Unicode form"
    )
    trial.drop(LINES + LINES.replace('"item"', '"Item"'), "b.jsonl")
    trial.run()
    assert trial.formatted() == [1, 2, 3]


def test_more_columns_than_can_be_read_are_refused(trial: Trial) -> None:
    extra = "".join(f",c{number}" for number in range(20_000))
    trial.drop(HEADER.strip() + extra + "\n", "wide.csv")
    trial.drop(GOOD, "good.csv")
    (error,) = trial.run().failures.values()
    assert "expected at most 20,000 columns, found 20,004" in error.problem
    assert trial.formatted() == [1, 2, 3]


def test_bytes_of_parquet_are_text_in_utf_8(trial: Trial) -> None:
    sink = io.BytesIO()
    sale = {"sale_id": [1, 2, 3], "price": ["1"] * 3, "sold_at": ["2026-01-01"] * 3}
    items = pa.array(["thé".encode(), b"a\\xFF", b"\xff"], pa.binary())
    pq.write_table(pa.table(sale | {"item": items}), sink)
    trial.contract().drop(sink.getvalue(), "sales.parquet")
    trial.run_well()
    assert trial.formatted("item") == ["a\\xFF", "thé"]
    ((_, _, reasons),) = trial.quarantined()
    assert reasons == ["item: expected text in UTF-8, found other bytes"]
