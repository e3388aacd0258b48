"""The refusal of a header says what is likely wrong, and what it advises works."""

from __future__ import annotations

import re

import pytest

from conftest import Trial

ITEM = """
class Item(Contract):
    'Something with a price.'
    item: str{0}
    qty: int{0}
    note: str | None = None
"""
REQUIRED, OPTIONAL = ITEM.format(""), ITEM.format(" | None = None")
ABOVE: dict[str, tuple[str, str]] = {
    "a comment": ("# exported on Monday\nitem,qty\ntea,2\n", "line 1 seems to be a comment, as line 2 has"),
    "comments with quotes": (
        '# the "best"\n#\n\nitem;qty\ntea;2\n',
        "line 1 seems to be a comment, as line 4",
    ),
    "a title": ("Sales of May\n\nitem,qty\ntea,2\n", "line 1 seems to be no header, as line 3 has the names"),
    "a title with delimiters": ("Sales,,\n,,\nitem,qty,note\ntea,2,x\n", "as line 3 has the names"),
    "a byte order mark and CR LF": ("\ufeff# c\r\nitem,qty\r\ntea,2\r\n", "as line 2 has the names"),
    "CR alone": ("# c\ritem,qty\rtea,2\r", "as line 2 has the names"),
    "quoted names": ('# c\n"item","qty"\ntea,2\n', "as line 2 has the names"),
    "sep= above a title": ("sep=;\nSales\nitem;qty\ntea;2\n", "line 2 seems to be no header, as line 3"),
}
DELIMITERS: dict[str, tuple[str, str, str]] = {
    "sep=": ("sep=;\nitem,qty\ntea,2\n", "", "line 1 says that ';' is the delimiter, and the header has ','"),
    "sep= of a tab": ("sep=\t\nitem|qty\ntea|2\n", "", "line 1 says that '\\t' is the delimiter"),
    "the settings": (
        "item;qty\ntea;2\n",
        'delimiter = ","',
        "the settings say that ',' is the delimiter, and the header has ';'",
    ),
}


@pytest.fixture(params=[REQUIRED, OPTIONAL], ids=["required", "optional"])
def shop(trial: Trial, request: pytest.FixtureRequest) -> Trial:
    trial.event_time = None
    return trial.contract(request.param)


def refusal(shop: Trial) -> str:
    """What the run prints of its one file, on one line; no advice to map names is among it."""
    ended = shop.command("run")
    assert ended.status == 1
    assert shop.formatted("item") == []
    assert "map the names" not in ended.errors
    return " ".join(ended.errors.split())


@pytest.mark.parametrize(("data", "cause"), ABOVE.values(), ids=ABOVE)
def test_lines_above_the_header_are_named(shop: Trial, data: str, cause: str) -> None:
    shop.drop(data)
    errors = refusal(shop)
    assert cause in errors
    advised = re.search(r"Next: set (skip = \d+) in \[sources\.sale\], or have it delivered", errors)
    assert advised
    shop.settings(advised.group(1)).run_well()
    assert shop.formatted("item, qty") == [("tea", 2)]


@pytest.mark.parametrize(("data", "section", "cause"), DELIMITERS.values(), ids=DELIMITERS)
def test_another_delimiter_than_is_said_is_named(shop: Trial, data: str, section: str, cause: str) -> None:
    shop.settings(section).drop(data)
    errors = refusal(shop)
    assert cause in errors
    assert ("have it delivered without that line, or set delimiter" in errors) == (not section)
    advised = re.search(r"set (delimiter = \"[^\"]+\") in \[sources\.sale\]", errors)
    assert advised
    shop.settings(advised.group(1)).run_well()
    assert shop.formatted("item, qty") == [("tea", 2)]


def test_too_many_skipped_lines_are_named(shop: Trial) -> None:
    shop.settings("skip = 1").drop("item,qty\ntea,2\ncake,3\n")
    assert "set skip = 0 in [sources.sale]" in refusal(shop)


@pytest.mark.parametrize(
    "data", ["x,y\n1,2\n", "x,y\nitem,2\n", "sep=;\nx;y\n1;2\n", "x\n\n", "\n\n", '"item\nqty",x\n1,2\n']
)
def test_without_a_sign_of_the_cause_the_names_are_to_be_mapped(shop: Trial, data: str) -> None:
    shop.drop(data)
    ended = shop.command("run")
    assert ended.status == 1
    assert "seems to be" not in ended.errors
    assert "is the delimiter" not in ended.errors
    assert "map the names in backbone.toml" in ended.errors
