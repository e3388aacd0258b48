"""What every refusal has: where, expected against found, in which state the data is, what to do next."""

from __future__ import annotations

import re

FORM = re.compile(
    r"[A-Z]\w+: (?P<where>.+?): (?P<problem>expected .+? found.+?)\. (?P<state>[A-Z].+)\nNext: .+\n"
)


def assert_refusal(errors: str, where: str, *words: str) -> None:
    """Standard error is one refusal of the four parts, at a place, with some words in it."""
    found = FORM.fullmatch(errors)
    assert found, errors
    assert found["where"].endswith(where), errors
    for word in words:
        assert word in errors, errors
    assert "Errno" not in errors
