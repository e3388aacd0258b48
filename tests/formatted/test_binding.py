"""Which column each field reads: by position, exactly, and never by a name that only looks alike."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import Trial

ITEM = """
class Item(Contract):
    'Something with a price, and a note where there is one.'
    item: str
    qty: int
    note: str | None = None
"""


@pytest.fixture
def shop(trial: Trial) -> Trial:
    trial.event_time = None
    return trial.contract(ITEM)


def parquet(names: Sequence[str], *columns: Sequence[Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array(c) for c in columns], names=list(names)), out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (",item,qty\n0,tea,2\n", [("tea", 2, None)]),
        ("item,,qty,\ntea,x,2,\n", [("tea", 2, None)]),
        ("item,qty,,\ntea,2,,y\n", [("tea", 2, None)]),
        ("item,Qty,qty,note\ntea,1,2,n\n", [("tea", 2, "n")]),
        ("ITEM,item,qty,QTY\nx,tea,2,9\n", [("tea", 2, None)]),
        ("a,a,item,qty\n1,2,tea,2\n", [("tea", 2, None)]),
        ("item,qty,_row,_batch,c0\ntea,2,7,8,9\n", [("tea", 2, None)]),
        (parquet(["Item", "item", "qty"], ["x"], ["tea"], [2]), [("tea", 2, None)]),
        (parquet(["p", "item", "qty", "p"], ["x"], ["tea"], [2], [1]), [("tea", 2, None)]),
        (parquet(["raw", "v", "item", "qty"], ["x"], ["y"], ["tea"], [2]), [("tea", 2, None)]),
    ],
)
def test_columns_are_found_by_position(shop: Trial, data: str | bytes, rows: list[tuple[Any, ...]]) -> None:
    shop.drop(data, "a.csv" if isinstance(data, str) else "a.parquet")
    shop.run_well()
    assert shop.rows("select item, qty, note from formatted.sale") == rows


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("item,Qty\ntea,2\n", "expected the column 'qty', found 'Qty', which differs only in case"),
        ("item,qty,Note\ntea,2,n\n", "expected the column 'note', found 'Note'"),
        ("item,qty, note \ntea,2,n\n", "found ' note '"),
        ("item,qty,\uff4eote\ntea,2,n\n", "found '\uff4eote'"),
        ("# item,qty\ntea,2\n", "expected the column 'item', found '# item', which differs only in case"),
        ("item,qty,no\u200bte\ntea,2,n\n", "expected the column 'note', found 'no\\u200bte'"),
        ("item,qty,note\u202f\u2003\ntea,2,n\n", "expected the column 'note', found 'note"),
        ("\ufeff\ufeffitem,qty\ntea,2\n", "expected the column 'item', found '\\ufeffitem'"),
        ("item,qty,note\u2028tea,2,n\n", "expected the column 'note', found a name that goes over several"),
        ("item | qty\ntea | 2\n", "expected the column 'item', found 'item '"),
        ("Item;Qty;x,y\ntea;2;0\n", "expected the column 'item', found 'Item'"),
        ("item,qty,qty\ntea,2,2\n", "expected one column called 'qty', found several"),
        ("item,qty,note,note\ntea,2,a,b\n", "expected one column called 'note', found several"),
        ("# exported\nitem,qty\ntea,2\n", "expected the columns 'item', 'qty'; the file has '# exported'"),
        (parquet(["item", "qty", "qty"], ["tea"], [2], [3]), "expected one column called 'qty'"),
        (parquet(["item", "qty", "NOTE"], ["tea"], [2], ["n"]), "expected the column 'note', found 'NOTE'"),
    ],
)
def test_a_column_that_only_looks_alike_is_refused(shop: Trial, data: str | bytes, said: str) -> None:
    shop.drop(data, "a.csv" if isinstance(data, str) else "a.parquet")
    ended = shop.command("run")
    assert ended.status == 1
    assert said in ended.errors
    assert shop.rows("select count(*) from formatted.sale") == [(0,)]


def test_a_turkish_capital_and_a_small_letter_are_one(shop: Trial) -> None:
    shop.contract("class I(Contract):\n    'Some.'\n    id: int | None = None\n    b: int | None = None\n")
    shop.drop("\u0130D,b\n1,2\n")
    ended = shop.command("run")
    assert ended.status == 1
    assert "expected the column 'id', found '\u0130D'" in ended.errors


@pytest.mark.parametrize(
    ("header", "section", "columns"),
    [
        ("Item,QTY,note", "", '{ item = "Item", qty = "QTY" }'),
        ("item ,\uff51ty,Note", "", r'{ item = "item ", qty = "\uFF51ty", note = "Note" }'),
        ('"Item ""x""",qty', "columns = { item = 'item \"x\"' }", r'{ item = "Item \"x\"" }'),
        ("thing,Qty", 'columns = { item = "thing" }', '{ item = "thing", qty = "Qty" }'),
        ("ite\u0301m,qty", 'columns = { item = "it\u00e9m" }', r'{ item = "ite\u0301m" }'),
    ],
)
def test_the_advice_maps_all_names_that_look_alike(
    shop: Trial, header: str, section: str, columns: str
) -> None:
    shop.settings(section)
    shop.drop(f"{header}\ntea,2\n" if header.count(",") == 1 else f"{header}\ntea,2,n\n")
    ended = shop.command("run")
    assert ended.status == 1
    assert f"meant, write in backbone.toml, [sources.sale] columns = {columns}, or have" in ended.errors
    shop.settings(f"columns = {columns}").run_well()
    assert shop.rows("select item, qty from formatted.sale") == [("tea", 2)]


def test_a_file_with_none_of_the_columns_is_refused(shop: Trial) -> None:
    shop.contract(
        "class Note(Contract):\n    'All optional.'\n    a: str | None = None\n    b: int | None = None\n"
    )
    shop.drop("x,y\n1,2\n")
    ended = shop.command("run")
    assert ended.status == 1
    assert "expected at least one of the columns 'a', 'b'; the file has 'x', 'y'" in ended.errors


def test_names_of_folders_mean_nothing(shop: Trial) -> None:
    shop.drop("item,qty\ntea,2\n", "c0=ABC/qty=5/a.csv")
    shop.drop(parquet(["item", "qty"], ["cake"], [3]), "c0=ABC/qty=5/b.parquet")
    shop.run_well()
    assert shop.rows("select item, qty from formatted.sale order by qty") == [("tea", 2), ("cake", 3)]


def test_the_quarantine_shows_a_parquet_row_under_its_own_names(shop: Trial) -> None:
    shop.drop(parquet(["p", "item", "qty", "p"], ["x"], ["tea"], ["two"], [1]), "a.parquet")
    shop.run_well()
    assert shop.rows("select raw, reasons, line from quarantine.sale") == [
        ('{"p":"x","item":"tea","qty":"two","p":1}', ["qty: 'two' is not a whole number"], None)
    ]


def test_a_header_that_comes_again_is_no_row(shop: Trial) -> None:
    shop.contract("class Word(Contract):\n    'Texts.'\n    a: str\n    b: str\n")
    shop.drop("a,b\n1,2\na,b\na,x\n")
    shop.run_well()
    assert shop.rows("select a, b from formatted.sale") == [("1", "2"), ("a", "x")]
    assert shop.rows("select line, reasons from quarantine.sale") == [(3, ["the line repeats the header"])]


@pytest.mark.parametrize("line", ["a,b", '"a","b"', '"a",b'])
def test_a_header_behind_a_byte_order_mark_is_no_row(shop: Trial, line: str) -> None:
    shop.contract("class Word(Contract):\n    'Texts.'\n    b: str\n    a: str\n")
    shop.drop(f"\ufeff{line}\n1,2\n\ufeff{line}\n\ufeffa,x\n")
    shop.run_well()
    assert shop.rows("select a, b from formatted.sale") == [("1", "2"), ("\ufeffa", "x")]
    assert shop.rows("select line, reasons from quarantine.sale") == [(3, ["the line repeats the header"])]


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"item,qty,caf\xe9\ntea,2,x\n", "0xE9 in line 1 (offset 12)"),
        (b"Umsatz f\xfcr M\xe4rz\nitem,qty\ntea,2\n", "0xFC in line 1 (offset 8)"),
        (b'\nitem,qty,note,"two\nli\xf1es"\ntea,2,n,x\n', "0xF1 in line 3 (offset 22)"),
    ],
)
def test_a_byte_above_the_records_that_is_not_utf8_refuses_the_file(
    shop: Trial, data: bytes, place: str
) -> None:
    shop.settings("skip = 1" if data.startswith(b"Umsatz") else "")
    for name in ("a.csv", "b.csv"):  # also where small files share a statement
        shop.drop(data, name)
    errors = shop.run().failures.values()
    assert len(errors) == 2
    for error in errors:
        assert f"expected text in UTF-8, found the byte {place}" in error.problem
        assert 'encoding = "windows-1252"' in error.next_step
    shop.settings(shop.section + '\nencoding = "windows-1252"').run_well()
    assert shop.rows("select item, qty from formatted.sale") == [("tea", 2), ("tea", 2)]


def test_an_empty_field_too_many(shop: Trial) -> None:
    shop.drop("item,qty,note\ntea,2,n,\ncake,3,m,\ntart,4,,\npie,5,o\nroll,,6,r,\n", "with.csv")
    shop.drop("item,qty\ntea,7,\ncake,8,\n", "lacks a column.csv")
    shop.drop("item,qty,\ntea,9,\ncake,10\n", "header too.csv")
    shop.run_well()
    assert shop.rows("select item, qty, note from formatted.sale order by qty") == [
        ("tea", 2, "n"),
        ("cake", 3, "m"),
        ("tart", 4, None),
        ("tea", 9, None),
    ]
    reasons = shop.rows("select line, reasons[1] from quarantine.sale order by _batch, line")
    assert sorted(reasons) == [
        (2, "the line has 3 fields, expected 2"),
        (3, "the line has 2 fields, expected 3"),
        (3, "the line has 3 fields, expected 2"),
        (5, "the line has 3 fields, expected 4"),
        (6, "the line has 5 fields, expected 4"),
    ]


def test_a_nul_is_no_quote(shop: Trial) -> None:
    shop.drop(b"item,qty\n\x00tea, green\x00,2\n\x00cake\x00,3\n")
    (error,) = shop.run().failures.values()
    assert "all would, if a NUL were the quote" in error.problem
    assert "have it delivered with another quote" in error.next_step
    ended = shop.settings('quote = "\\u0000"').command("run")
    assert ended.status == 2
    assert "no letter or digit, no NUL, no line end" in ended.errors


def test_no_quote_takes_quotes_as_text(shop: Trial) -> None:
    shop.settings("quote = ''").drop('item,qty\n"tea,2\n5" pipe,3\n')
    shop.run_well()
    assert shop.rows("select item, qty from formatted.sale order by qty") == [('"tea', 2), ('5" pipe', 3)]
