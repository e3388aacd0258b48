"""Parquet columns whose values no field can take as they are stored: the file is refused, not rewritten."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import Trial

SALE = {"sale_id": [1], "item": ["tea"], "price": ["1"], "sold_at": ["2026-01-01"]}
NUMBER = Decimal("1234567890123456.78")
REFUSED: dict[str, tuple[str, pa.Array, str]] = {
    "a struct for a text": ("item", pa.array([{"a": 1}]), "a struct in the column 'item'"),
    "a list for a text": ("item", pa.array([["x", "y"]]), "a list in the column 'item'"),
    "an empty list": ("item", pa.array([[]], pa.list_(pa.string())), "a list in the column 'item'"),
    "a list of one size": ("item", pa.array([[1, 2]], pa.list_(pa.int8(), 2)), "a list in the column 'item'"),
    "a large list": ("item", pa.array([["x"]], pa.large_list(pa.string())), "a list in the column 'item'"),
    "a struct that is null": (
        "item", pa.array([None], pa.struct([("a", pa.int32())])), "a struct in the column 'item'"
    ),
    "a map for a text": (
        "item", pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8())), "a map in the column 'item'"
    ),
    "a list for a number": ("sale_id", pa.array([[1]]), "a list in the column 'sale_id'"),
    "a decimal that the engine would round": (
        "price", pa.array([NUMBER], pa.decimal256(50, 2)), "a decimal of 50 digits in the column 'price'"
    ),
}  # fmt: skip


def parquet(**columns: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(SALE | columns), out)
    return out.getvalue()


@pytest.mark.parametrize(("column", "values", "found"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("files", [1, 3], ids=["alone", "of several"])
def test_other_than_single_values_are_refused(
    trial: Trial, column: str, values: pa.Array, found: str, files: int
) -> None:
    trial.drop(parquet(), "good.parquet")
    for number in range(files):
        trial.drop(parquet(**{column: values}), f"{number}.parquet")
    ended = trial.command("run")
    assert ended.status == 1
    assert (
        ended.errors.count(f"expected one value of each field in a row, found {found}. Nothing of") == files
    )
    assert ended.errors.count("Next: have it delivered with a column for each value") == files
    assert trial.formatted("item") == ["tea"]


def test_a_nested_column_that_no_field_reads_is_ignored(trial: Trial) -> None:
    trial.drop(
        parquet(more=pa.array([{"a": [1]}]), long=pa.array([NUMBER], pa.decimal256(50, 2))), "a.parquet"
    )
    trial.run_well()
    assert trial.formatted("item") == ["tea"]


def test_a_decimal_of_38_digits_is_exact(trial: Trial) -> None:
    trial.drop(parquet(price=pa.array([Decimal("1234567890.12")], pa.decimal128(38, 2))), "a.parquet")
    trial.run_well()
    assert trial.formatted("price") == [Decimal("1234567890.12")]
