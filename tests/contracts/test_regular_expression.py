"""Patterns of contracts, which RE2 must be able to read."""

from __future__ import annotations

import subprocess
import sys

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone.contracts.regular_expression import UnreadablePattern, as_re2

DATABASE = duckdb.connect()


def test_usual_patterns_are_checked_without_an_engine() -> None:
    code = (
        "import sys; from backbone.contracts.regular_expression import as_re2\n"
        "for pattern in (r'^[A-Z]{2}\\d{6}$', r'\\bfoo\\b', '^(a|b)?[^,;]*$', r'\\w+\\.[a-z]{2,}$', 'É+'):\n"
        "    as_re2(pattern)\n"
        "print('duckdb' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "False\n"


PIECES = [*"ab-^$.|()[]{}?*+,09\\&~é/ ", r"\d", r"\w", "[a-z]", "{2}", "{3,}", "{99}", "(?:", r"\b", r"\B",
          r"\.", "[^a]", "(?i)", r"\pL", r"\Z", "[[:alpha:]]"]  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join))
def test_a_pattern_is_refused_just_when_re2_refuses_it(pattern: str) -> None:
    try:
        DATABASE.execute("select regexp_matches('', $pattern)", {"pattern": pattern}).fetchall()
        readable = True
    except duckdb.InvalidInputException:
        readable = False
    try:
        assert as_re2(pattern) == pattern
        taken = True
    except UnreadablePattern:
        taken = False
    assert taken == readable
