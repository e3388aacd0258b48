"""Instants written as numbers: seconds, milliseconds or microseconds since the beginning of 1970 in UTC."""

from __future__ import annotations

from typing import Literal

Epoch = Literal["seconds", "milliseconds", "microseconds"]
MICROSECONDS: dict[str, int] = {"seconds": 1_000_000, "milliseconds": 1_000, "microseconds": 1}
_DECIMALS = {"seconds": 6, "milliseconds": 3, "microseconds": 0}


def fraction_of(epoch: Epoch) -> str:
    """The regular expression of the digits after the point: as many as microseconds need, and zeros.

    Examples
    --------
    >>> fraction_of("milliseconds"), fraction_of("microseconds")
    ('\\\\d{1,3}0*', '0+')
    """
    decimals = _DECIMALS[epoch]
    return rf"\d{{1,{decimals}}}0*" if decimals else "0+"


def number_sql(text: str) -> str:
    """SQL of the number that the engine reads in a text with a decimal point, rightly or not."""
    return f"try_cast({text} as decimal(38,6))"


def instant_sql(number: str, epoch: Epoch) -> str:
    """SQL of the instant of such a number; null where 64 bits do not hold its microseconds.

    Examples
    --------
    >>> import duckdb
    >>> with duckdb.connect() as database:
    ...     _ = database.execute("set TimeZone = 'UTC'")
    ...     instant = instant_sql("1767600000.5", "seconds")
    ...     database.sql(f"select cast({instant} as varchar)").fetchall()
    [('2026-01-05 08:00:00.5+00',)]
    """
    return f"try(make_timestamptz(cast({number} * {MICROSECONDS[epoch]} as bigint)))"
