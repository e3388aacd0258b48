"""Why a record of a JSON file is quarantined, in words."""

from __future__ import annotations

LONGEST_RECORD = 16_000_000
"""Bytes of one record."""

SHOWN = 1_000
"""Bytes of a longer one that are shown."""

DEEPEST = 1_000
"""Levels of objects and arrays in one record."""

# Problems of a record; of several, the least counts.
(
    GOOD, NO_OBJECT, TOO_DEEP, TOO_LONG, CONTROL, ESCAPE, HALF_PAIR, ORDER, NO_WORD, KEY_TWICE, NO_COMMA,
    STRAY_COMMA, BROKEN, AFTER_BROKEN, AFTER_ARRAY, NOT_CLOSED, ARRAY_NOT_CLOSED,
) = range(17)  # fmt: skip


def reasons(noun: str, longest: int) -> list[str | None]:
    """The text of each problem.

    Parameters
    ----------
    noun : what a record of the file is called: line, element or record.
    longest : bytes of the longest record.
    """
    invalid = f"the {noun} is not valid JSON"
    named: dict[int, str | None] = {
        GOOD: None,
        NO_OBJECT: f"the {noun} is not a JSON object",
        TOO_DEEP: f"the {noun} has more than {DEEPEST:,} levels of objects and arrays",
        TOO_LONG: f"the {noun} is longer than {longest:,} bytes; only its beginning is shown",
        CONTROL: f"{invalid}: a control character in a text is not escaped",
        ESCAPE: f"{invalid}: a backslash in a text begins no JSON escape",
        HALF_PAIR: f"the {noun} has half of a surrogate pair, which is no character",
        ORDER: f"{invalid}: a key, value, comma or colon is missing, or one is too many",
        NO_WORD: f"{invalid}: a value is no JSON number, true, false or null",
        KEY_TWICE: "a key comes twice",
        NO_COMMA: f"a comma is missing before the {noun}",
        STRAY_COMMA: "a comma has no element beside it",
        BROKEN: f"the {noun} is not closed, or its quotes or brackets do not match",
        AFTER_BROKEN: f"the line follows an unclosed {noun}, so what it belongs to is unknown",
        AFTER_ARRAY: "the line follows the end of the array",
        NOT_CLOSED: f"the {noun} is not closed: the file ends in it",
        ARRAY_NOT_CLOSED: "the array is not closed: the file may be cut off here",
    }
    return [named[problem] for problem in range(len(named))]


def key_twice(name: str) -> str:
    """The reason for a record with a key that comes twice in one object.

    Examples
    --------
    >>> key_twice("id")
    "the key 'id' comes twice"
    """
    shown = name if len(name) <= 60 else name[:59] + "…"
    return f"the key {shown!r} comes twice"
