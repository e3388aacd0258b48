"""A regular expression as RE2, DuckDB's engine, reads it."""

from __future__ import annotations

import re
import warnings
from functools import cache

# What Python and RE2 surely agree on: plain characters and classes, groups, and few repetitions. A pattern
# beyond is compiled by the engine, which takes a tenth of a second to load.
_ATOM = r"""(?:
    [^\\\[\](){}?*+|^$]                                       # a character
  | \\[dwsDWSbB\-.\\\[\](){}?*+|^$/]                            # a class, or an escaped sign
  | \[\^?(?:[A-Za-z0-9]-[A-Za-z0-9]|[^\\\[\]^&|~\-]|\\[dwsDWS\-.\\\[\]/])+-?\]
)"""
_CERTAIN = re.compile(
    rf"(?:\(\?:|\(|\)[?*+]?|\||\^|\$|{_ATOM}(?:[?*+]\??|\{{\d{{1,2}}(?:,\d{{0,2}})?\}})?)*", re.X
)


class UnreadablePattern(ValueError):
    """A regular expression that RE2 can't read; the text says what is wrong with it."""


def as_re2(pattern: str | re.Pattern[str]) -> str:
    """The pattern as RE2 takes it, flags included.

    Raises
    ------
    UnreadablePattern
        When RE2 can't read it.

    Examples
    --------
    >>> as_re2(re.compile("b+", re.I))
    '(?i)b+'
    """
    flags = ""
    if isinstance(pattern, re.Pattern):
        if pattern.flags & ~(re.UNICODE | re.IGNORECASE | re.MULTILINE | re.DOTALL):
            raise UnreadablePattern("it has a flag other than re.I, re.M and re.S")
        inline = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}
        flags, pattern = "".join(inline[flag] for flag in inline if pattern.flags & flag), pattern.pattern
    written = f"(?{flags}){pattern}" if flags else pattern
    if not _is_certain(pattern):
        _compile(written)
    return written


def _is_certain(pattern: str) -> bool:
    if not _CERTAIN.fullmatch(pattern):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern)
    except (re.error, Warning):
        return False
    return True


@cache
def _compile(pattern: str) -> None:
    import duckdb

    try:
        with duckdb.connect() as database:
            database.execute("select regexp_matches('', $pattern)", {"pattern": pattern}).fetchall()
    except duckdb.Error as error:
        problem = str(error).splitlines()[0].removeprefix("Invalid Input Error: ")
        raise UnreadablePattern(problem) from None
