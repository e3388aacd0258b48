"""Settings that can't be meant are errors when the project opens, and the message names the setting."""

from __future__ import annotations

import pytest

from conftest import Trial

QUERY = 'connection = "shop"\nquery = "select * from sale{}"\n'
IN_WINDOWS = QUERY.format(" where sold_at >= $window_start and sold_at < $window_end")
NO_SIGN = "expected one ASCII character"
MISTAKES: dict[str, tuple[str, str, str]] = {
    "the quote as delimiter": (r'delimiter = "\""', "delimiter", "'\"' is also the quote"),
    "a comma as quote": ('quote = ","', "quote", "',' is a usual delimiter: name the delimiter too"),
    "a bar as quote": ('quote = "|"', "quote", "'|' is a usual delimiter"),
    "a tab as escape": (r'escape = "\t"', "escape", r"'\t' is a usual delimiter"),
    "the escape as delimiter": ('delimiter = ";"\nescape = ";"', "delimiter", "';' is also the escape"),
    "a line end as delimiter": (r'delimiter = "\n"', "delimiter", NO_SIGN),
    "a NUL as delimiter": (r'delimiter = "\u0000"', "delimiter", NO_SIGN),
    "a letter as delimiter": ('delimiter = "x"', "delimiter", NO_SIGN),
    "another alphabet's delimiter": ('delimiter = "§"', "delimiter", NO_SIGN),
    "two characters": ('delimiter = "||"', "delimiter", "at most 1 character"),
    "a line end as quote": (r'quote = "\n"', "quote", NO_SIGN),
    "typographic quotes": ('quote = "“"', "quote", NO_SIGN),
    "a digit as quote": ('quote = "7"', "quote", NO_SIGN),
    "a line end as escape": (r'escape = "\r"', "escape", NO_SIGN),
    "a column without a name": ('columns = { item = "" }', "columns", "item: expected the name of a column"),
    "a column with a blank name": ('columns = { item = " " }', "columns", "item: expected the name"),
    "a mapping without a header": (
        'columns = { item = "thing" }\nheader = false', "columns", "without a header the columns are"
    ),
    "no path": ('path = ""', "path", "expected a text that is not blank"),
    "a blank path": ('path = "  "', "path", "expected a text that is not blank"),
    "a NUL in the path": (r'path = "a\u0000b"', "path", "has no NUL"),
    "no connection": ('connection = ""\nquery = "select 1"', "connection", "expected a text"),
    "no query": ('connection = "shop"\nquery = ""', "query", "expected a text"),
    "a connection alone": ('connection = "shop"', "query", "go together"),
    "a query alone": ('query = "select 1"', "connection", "go together"),
    "a path and a query": ('path = "a.csv"\n' + IN_WINDOWS, "path", "a path or a query, not both"),
    "a start of files": ("start = 2026-01-01", "start", "the source has no query"),
    "an end of files": ('path = "*.csv"\nend = 2026-01-01', "end", "the source has no query"),
    "a refetch of files": ("refetch = 1", "refetch", "the source has no query"),
    "windows of files": ('every = "day"', "every", "the source has no query"),
    "a start of a whole query": (
        QUERY.format("") + "start = 2026-01-01", "start", "a query without $window_start and $window_end"
    ),
    "an end before the start": (
        IN_WINDOWS + "start = 2026-02-01\nend = 2026-01-31T23:00:00Z", "end", "after the start, 2026-02-01"
    ),
    "an end at the start": (IN_WINDOWS + "start = 2026-02-01\nend = 2026-02-01", "end", "after the start"),
    "one separator for two things": ('thousands_separator = "."', "thousands_separator", "decimal_separator"),
}  # fmt: skip


@pytest.mark.parametrize(("section", "setting", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_a_setting_that_can_not_be_meant_is_named_when_the_project_opens(
    trial: Trial, section: str, setting: str, problem: str
) -> None:
    trial.connections = '[connections.shop]\nurl = "sqlite:///shop.db"\n'
    trial.drop()
    ended = trial.settings(section).command("run")
    assert ended.status == 2
    assert f"backbone.toml: sources.sale.{setting}: " in ended.errors
    assert problem in ended.errors
    assert (trial.temporal / "sales.csv").exists(), "nothing was landed"


@pytest.mark.parametrize(
    "section",
    [
        'quote = ","\ndelimiter = ";"',
        'quote = "\'"',
        'quote = ""\nescape = ""',
        'delimiter = " "',
        r'delimiter = "\u001f"',
        "refetch = 0",
        IN_WINDOWS + "start = 2026-02-01\nend = 2026-02-01T01:00:00Z\nrefetch = 2\nevery = 'hour'",
        'columns = { item = "thing" }\nheader = false\nformat = "jsonl"',
    ],
)
def test_settings_that_can_be_meant_are_taken(trial: Trial, section: str) -> None:
    trial.connections = '[connections.shop]\nurl = "sqlite:///shop.db"\n'
    trial.settings(section).open()
