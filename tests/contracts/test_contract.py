"""Contracts: what they say, and that the SQL they become converts exactly."""

from __future__ import annotations

import decimal
import operator
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import annotated_types
import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PositiveInt,
    StringConstraints,
    create_model,
    field_validator,
    model_validator,
)

from backbone.contracts.contract import (
    Column,
    Contract,
    Key,
    Notation,
    accepts,
    columns,
    failures_sql,
    fingerprint,
    keys,
    ok_sql,
    quote_identifier,
    quote_literal,
    value_sql,
)
from backbone.errors import ContractError, SettingsError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EUROPEAN = Notation(decimal_separator=",", thousands_separator=".")
ENGLISH = Notation(thousands_separator=",")
ISO = Notation()


DATABASE = duckdb.connect()
DATABASE.execute("set timezone = 'UTC'")


def contract_of(**fields: Any) -> type[Contract]:
    return create_model("Example", __base__=Contract, **fields)


def column_of(annotation: Any, name: str = "x") -> Column:
    return columns(contract_of(**{name: (annotation, ...)}))[0]


def judged(column: Column, raws: Sequence[str | None], notation: Notation = ISO) -> list[tuple[Any, str]]:
    """The value of each raw text, instants as microseconds, and the reasons; `ok` agrees with them."""
    raw = quote_identifier(column.name)
    value = value_sql(column, raw, notation)
    reasons = ", ".join(failures_sql(column, raw, "the_value", notation))
    shown = "epoch_us(the_value)" if column.sql_type == "TIMESTAMPTZ" else "the_value"
    rows = DATABASE.execute(
        f"select {shown}, concat_ws('; ', null, {reasons or 'null'}),"
        f" {ok_sql(column, raw, 'the_value', notation)},"
        f" typeof(the_value) from (select {raw}, {value} as the_value from unnest($raws) as _({raw}))",
        {"raws": duckdb.Value(list(raws), duckdb.list_type(duckdb.sqltypes.VARCHAR))},
    ).fetchall()
    assert len(rows) == len(raws)
    for _, reason, ok, sql_type in rows:
        assert ok is (reason == "")
        # DuckDB folds a column of nulls into one of no type.
        assert sql_type.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ") in (column.sql_type, '"NULL"')
    return [(found, reason) for found, reason, _, _ in rows]


def value_of(column: Column, raw: str | None, notation: Notation = ISO) -> Any:
    return judged(column, [raw], notation)[0][0]


INTEGER = column_of(int)
PRICE = column_of(Annotated[Decimal, Field(max_digits=12, decimal_places=3)])
WIDE = column_of(Annotated[Decimal, Field(max_digits=38, decimal_places=3)])
UNITS = column_of(Annotated[Decimal, Field(max_digits=5, decimal_places=0)])
FLOAT, BOOLEAN, DATE, INSTANT, TEXT = map(column_of, (float, bool, date, datetime, str))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("17850", 17850), ("17850.0", 17850), ("17850.", 17850), ("17850.000", 17850), ("+5", 5), ("-3", -3),
        (" 12 ", 12), ("\t12\t", 12), ("-0", 0), ("007", 7), ("9223372036854775807.0", 2**63 - 1),
        ("9007199254740993.0", 9007199254740993), ("-9223372036854775808", -(2**63)),
        ("9223372036854775807." + "0" * 40, 2**63 - 1),
    ],
)  # fmt: skip
def test_whole_numbers_are_read(raw: str, expected: int) -> None:
    assert value_of(INTEGER, raw) == expected


@pytest.mark.parametrize(
    "raw",
    ["1.7", "1e3", "1_000", "0x1F", "0b1", "", " ", "1,000", "1.0e0", "--5", "+-5", "1 2", ".", ".0", "true",
     "9223372036854775808", "-9223372036854775809", "９", "nan", "5\0", "- 5",
     "1.00000000000000000000000001"],
)  # fmt: skip
def test_what_is_no_whole_number_is_refused(raw: str) -> None:
    assert value_of(INTEGER, raw) is None


@pytest.mark.parametrize(
    ("column", "raw", "expected"),
    [
        (PRICE, "1.2340", "1.234"), (PRICE, ".5", "0.5"), (PRICE, "5.", "5"), (PRICE, "+5", "5"),
        (PRICE, "-0.001", "-0.001"), (PRICE, " 6.92 ", "6.92"), (PRICE, "999999999.999", "999999999.999"),
        (PRICE, "0000000000001", "1"), (PRICE, "-.5", "-0.5"), (PRICE, "1.234" + "0" * 50, "1.234"),
        (WIDE, "9" * 35 + ".999", "9" * 35 + ".999"), (UNITS, "12345.00", "12345"), (UNITS, "-7", "-7"),
    ],
)  # fmt: skip
def test_decimals_are_read(column: Column, raw: str, expected: str) -> None:
    assert value_of(column, raw) == Decimal(expected)


@pytest.mark.parametrize(
    ("column", "raw"),
    [
        *[(PRICE, raw) for raw in ("1.2345", "1e3", "nan", "inf", "", ".", "-", "1_0.5", "1,5", "1.23400001",
                                   "1000000000", "999999999.9999", "0x1", "1.2 3", "--1", "+-1")],
        (UNITS, "1.5"), (UNITS, "100000"), (WIDE, "9" * 36),
    ],
)  # fmt: skip
def test_decimals_are_never_rounded(column: Column, raw: str) -> None:
    assert value_of(column, raw) is None


@pytest.mark.parametrize(
    ("column", "raw", "notation", "expected"),
    [
        (PRICE, "1.234,5", EUROPEAN, Decimal("1234.5")), (PRICE, "1234,5", EUROPEAN, Decimal("1234.5")),
        (PRICE, "1.234", EUROPEAN, Decimal(1234)), (PRICE, "1,23", EUROPEAN, Decimal("1.23")),
        (PRICE, "1.23", EUROPEAN, None), (PRICE, "1234.567,1", EUROPEAN, None),
        (PRICE, "1.2345,1", EUROPEAN, None),
        (PRICE, "1,234.5", ENGLISH, Decimal("1234.5")), (PRICE, "1,23", ENGLISH, None),
        (PRICE, ",123", ENGLISH, None),
        (PRICE, "1,,234", ENGLISH, None), (PRICE, "12,345,678.9", ENGLISH, Decimal("12345678.9")),
        (PRICE, "1.2,345", ENGLISH, None), (PRICE, "1,5", Notation(decimal_separator=","), Decimal("1.5")),
        (PRICE, "1.5", Notation(decimal_separator=","), None),
        (PRICE, "1'234.5", Notation(thousands_separator="'"), Decimal("1234.5")),
        (PRICE, "1 234", Notation(thousands_separator=" "), Decimal(1234)),
        (INTEGER, "1,000", ENGLISH, 1000), (INTEGER, "1000", ENGLISH, 1000), (INTEGER, "1,00", ENGLISH, None),
        (INTEGER, "1.000", EUROPEAN, 1000), (INTEGER, "1.000,0", EUROPEAN, 1000),
        (INTEGER, "1.0", EUROPEAN, None),
        (FLOAT, "1.234,5e1", EUROPEAN, 12345.0), (FLOAT, "1.5", EUROPEAN, None),
        (FLOAT, "1,234.5", ENGLISH, 1234.5),
    ],
)  # fmt: skip
def test_separators_are_read_as_the_notation_says(
    column: Column, raw: str, notation: Notation, expected: Any
) -> None:
    assert value_of(column, raw, notation) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("1.5", 1.5), ("1e3", 1000.0), ("1E+05", 1e5), ("-.5", -0.5), ("5.", 5.0), ("+5", 5.0), (" 5 ", 5.0),
     ("1e-400", 0.0),
     *[(raw, None) for raw in ("nan", "-nan", "inf", "-Infinity", "1e400", "1_0", "+-5", "", ".",
                                                "1e", "0x1", "1,5", "1 2", "1e5_0", "+-.5", "e5", "nan(1)")]],
)  # fmt: skip
def test_floats(raw: str, expected: float | None) -> None:
    assert value_of(FLOAT, raw) == expected


def test_booleans() -> None:
    for words, expected in (("true T YES y 1", True), ("False f no N 0", False), ("on 2 tru", None)):
        for word in words.split():
            assert value_of(BOOLEAN, word) is expected
    assert value_of(BOOLEAN, "") is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("2010-01-31", date(2010, 1, 31)), ("0001-01-01", date(1, 1, 1)), ("9999-12-31", date(9999, 12, 31)),
     ("2010-01-01 00:00:00", date(2010, 1, 1)), ("2010-01-01T00:00", date(2010, 1, 1)),
     ("2010-01-01 00:00:00.000", date(2010, 1, 1)), ("2024-02-29", date(2024, 2, 29)),
     *[(raw, None) for raw in ("2010-13-01", "2023-02-29", "2010-1-1", "", "infinity", "epoch", "0000-01-01",
                               "2010-01-01Z", "2010-01-01 00:00:01", "2010-01-01 00:00:00Z", " 2010-01-01",
                               "2010/01/01", "2024-01-01 (BC)", "20240-01-01", " 024-01-01", "-024-01-01")]],
)  # fmt: skip
def test_dates(raw: str, expected: date | None) -> None:
    assert value_of(DATE, raw) == expected


@pytest.mark.parametrize(
    ("raw", "form", "expected"),
    [("31/01/2010", "%d/%m/%Y", date(2010, 1, 31)), ("2010-01-31", "%d/%m/%Y", None),
     ("31/01/2010 00:00", "%d/%m/%Y %H:%M", date(2010, 1, 31)), ("31/01/2010 13:00", "%d/%m/%Y %H:%M", None),
     ("31 o'clock 01 10", "%d o'clock %m %y", date(2010, 1, 31)), ("infinity", "%d/%m/%Y", None),
     ("epoch", "%d/%m/%Y", None), ("31/02/2010", "%d/%m/%Y", None)],
)  # fmt: skip
def test_dates_in_a_format(raw: str, form: str, expected: date | None) -> None:
    assert value_of(DATE, raw, Notation(date_format=form)) == expected


def micros(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)


LISBON = Notation(timezone="Europe/Lisbon")


@pytest.mark.parametrize(
    ("raw", "notation", "expected"),
    [
        ("2024-07-01 10:11:12", ISO, "2024-07-01T10:11:12+00:00"),
        ("2024-07-01", ISO, "2024-07-01T00:00:00+00:00"),
        ("2024-07-01T10:11", ISO, "2024-07-01T10:11:00+00:00"),
        ("2024-07-01 10:11:12Z", ISO, "2024-07-01T10:11:12+00:00"),
        ("2024-07-01 10:11:12.5", ISO, "2024-07-01T10:11:12.500000+00:00"),
        ("2024-07-01 10:11:12.123456000", ISO, "2024-07-01T10:11:12.123456+00:00"),
        ("2024-07-01T10:11:12.5+02", ISO, "2024-07-01T08:11:12.500000+00:00"),
        ("2024-07-01T10:11-0230", ISO, "2024-07-01T12:41:00+00:00"),
        ("2024-07-01 10:11:12+02:30", LISBON, "2024-07-01T07:41:12+00:00"),
        ("2024-07-01 10:11:12", LISBON, "2024-07-01T09:11:12+00:00"),
        ("2024-01-01 10:11:12", LISBON, "2024-01-01T10:11:12+00:00"),
        ("2024-07-01", LISBON, "2024-06-30T23:00:00+00:00"),
        ("2024-07-01T10:11:12Z", LISBON, "2024-07-01T10:11:12+00:00"),
        ("2024-03-31 01:30:00", LISBON, "2024-03-31T01:30:00+00:00"),
        ("2024-10-27 01:30:00", LISBON, "2024-10-27T01:30:00+00:00"),
        ("01/07/2024 10h", Notation(datetime_format="%d/%m/%Y %Hh"), "2024-07-01T10:00:00+00:00"),
        ("01/07/2024 10h", Notation("Europe/Lisbon", datetime_format="%d/%m/%Y %Hh"),
         "2024-07-01T09:00:00+00:00"),
        ("01/07/2024 10 +02", Notation("Europe/Lisbon", datetime_format="%d/%m/%Y %H %z"),
         "2024-07-01T08:00:00+00:00"),
    ],
)  # fmt: skip
def test_times_are_instants(raw: str, notation: Notation, expected: str) -> None:
    assert value_of(INSTANT, raw, notation) == micros(datetime.fromisoformat(expected))


@pytest.mark.parametrize(
    "raw",
    ["2024-01-01 24:00:00", "2024-01-01 00:00:60", "2024-13-01 00:00:00", " 024-01-01 00:00:00",
     "-024-01-01 00:00:00", "2024-01-01  0:00:00", "2024-01-01 00:00: 1", "2024-01-01 00:00:1 ",
     "2024-01-01 1:00:00.", "0000-01-01 00:00:00", "20240-01-01 00:00:0", "20240-01-01 00:00:00", "infinity",
     "-infinity", "epoch", "", "2024-01-01 00:00:00 UTC", "2024-01-01 00:00:00.1234561", "2024-01-01 00",
     "2024-01-01 00:00:00.", "2024-01-01 00:00:00+24", "2024-01-01 00:00:00+02:60", "2024-01-01Z",
     "2024/01/01 00:00:00", "2024-01-01 0:00:00Z", "2024-01-01t00:00:00", "2023-02-29 00:00:00",
     "0001-01-01 (BC) 00:00:00", "2024-01-01 00:00:00\n", "2024-01-01 00:00:00 ", "2024-01-01 00:00 00"],
)  # fmt: skip
@pytest.mark.parametrize("notation", [ISO, LISBON], ids=["UTC", "Lisbon"])
def test_what_is_no_time_is_refused(raw: str, notation: Notation) -> None:
    assert value_of(INSTANT, raw, notation) is None


@pytest.mark.parametrize("raw", ["infinity", "epoch", "-infinity", "2024-01-01 00:00:00"])
def test_only_the_format_is_read_when_there_is_one(raw: str) -> None:
    assert value_of(INSTANT, raw, Notation(datetime_format="%d/%m/%Y")) is None


NUMBERS = st.one_of(
    st.from_regex(r"[ \t]?[+-]{0,2}[0-9_]{0,22}(\.[0-9]{0,6})?(0{10,20})?([eE][+-]?[0-9]{1,3})?[ \n]?",
                  fullmatch=True),
    st.text(alphabet="0123456789.,+-_eEx \t\v", max_size=8),
    st.integers(min_value=-(2**64), max_value=2**64).map(str),
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
)  # fmt: skip
BLANKS = " \t\v\f"  # a line break is none: it belongs to no number


def plain_number(raw: str) -> Decimal | None:
    return (
        Decimal(raw.strip(BLANKS))
        if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)", raw.strip(BLANKS))
        else None
    )


@settings(deadline=None, max_examples=100)
@given(st.lists(NUMBERS, min_size=1, max_size=20))
@example(["9223372036854775807.0", "9223372036854775807.5", "-9223372036854775808.", "-9223372036854775809"])
def test_whole_numbers_agree_with_plain_python(raws: list[str]) -> None:
    def plain(raw: str) -> int | None:
        number = plain_number(raw)
        if number is None or raw.strip(BLANKS + "+-").startswith(".") or number != number.to_integral_value():
            return None
        return int(number) if -(2**63) <= number < 2**63 else None

    assert [value for value, _ in judged(INTEGER, raws)] == [*map(plain, raws)]


@settings(deadline=None, max_examples=100)
@given(st.lists(NUMBERS, min_size=1, max_size=20), st.sampled_from([PRICE, WIDE, UNITS]))
def test_decimals_agree_with_plain_python(raws: list[str], column: Column) -> None:
    digits, scale = map(int, re.findall(r"\d+", column.sql_type))

    def plain(raw: str) -> Decimal | None:
        number = plain_number(raw)
        if number is None:
            return None
        fits = int(abs(number) * 10**60) % 10 ** (60 - scale) == 0 and abs(number) < 10 ** (digits - scale)
        return number if fits else None

    with decimal.localcontext(prec=200):
        assert [value for value, _ in judged(column, raws)] == [*map(plain, raws)]


@settings(deadline=None, max_examples=100)
@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_floats_agree_with_plain_python(raws: list[str]) -> None:
    def plain(raw: str) -> float | None:
        text = raw.strip(BLANKS)
        if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
            return None
        return float(text) if abs(float(text)) != float("inf") else None

    assert [value for value, _ in judged(FLOAT, raws)] == [*map(plain, raws)]


TIMES = st.one_of(
    st.datetimes().map(str),
    st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1),
                 timezones=st.sampled_from([UTC,
                                           timezone(timedelta(hours=-3.5)), timezone(timedelta(hours=14))]))
    .map(str),
    st.from_regex(r"(1999|2024|0000|-024)-[01][0-9]-[0-3][0-9]"
                  r"([ T][ 012][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{1,8})?)?"
                  r"(Z|[+-][0-2][0-9](:?[0-6][0-9])?)?)?", fullmatch=True),
)  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(st.lists(TIMES, min_size=1, max_size=20), st.sampled_from(["UTC", "Europe/Lisbon"]))
def test_times_agree_with_plain_python(raws: list[str], zone: str) -> None:
    def plain(raw: str) -> int | None:
        found = re.fullmatch(
            r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(:\d\d)?(?:\.(\d+))?(Z|([+-])(\d\d):?(\d\d)?)?)?", raw
        )
        if found is None:
            return None
        day, clock, seconds, fraction, offset, sign, hours, minutes = found.groups()
        if (fraction or "")[6:].strip("0") or int(hours or 0) > 23 or int(minutes or 0) > 59:
            return None
        try:
            local = datetime.strptime(f"{day} {clock or '00:00'}{seconds or ':00'}", "%Y-%m-%d %H:%M:%S")
        except ValueError:
            return None
        local += timedelta(microseconds=int((fraction or "").ljust(6, "0")[:6]))
        shift = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
        if offset is None:
            # Both count the offset of an hour that was skipped from before, of a repeated hour from after.
            shift = local.replace(tzinfo=ZoneInfo(zone), fold=0).utcoffset() or timedelta()
            later = local.replace(tzinfo=ZoneInfo(zone), fold=1).utcoffset() or timedelta()
            shift = min(shift, later)
        return micros(local.replace(tzinfo=UTC)) - shift // timedelta(microseconds=1)

    def comparable(raw: str) -> bool:
        # Standard time is younger than many of these years; tables of zones differ about what was before.
        return zone == "UTC" or 1980 <= int(raw[:4].strip("-") or 0) <= 2030

    raws = [raw for raw in raws if comparable(raw)]
    found = judged(INSTANT, raws, Notation(zone)) if raws else []
    assert [value for value, _ in found] == [plain(raw) for raw in raws]


class Colour(Enum):
    RED = "it's red"
    BLUE = "blue'); drop table t; --"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


def reason_of(annotation: Any, raw: str | None, notation: Notation = ISO) -> str:
    return judged(column_of(annotation), [raw], notation)[0][1]


@pytest.mark.parametrize(
    ("annotation", "raw", "expected"),
    [
        (int, "1.7", "x: '1.7' is not a whole number"),
        (int, "", "x: '' is not a whole number"),
        (int, None, "x: null is not allowed"),
        (int | None, None, ""),
        (int, "9" * 20, f"x: '{'9' * 20}' does not fit 64 bits"),
        (str, "", ""),
        (str, None, "x: null is not allowed"),
        (float, "nan", "x: 'nan' is not a finite number"),
        (bool, "maybe", "x: 'maybe' is not true or false"),
        (date, "2010-13-01", "x: '2010-13-01' is not a date"),
        (datetime, "2010-13-01", "x: '2010-13-01' is not a date and time"),
        (date, "it's", "x: 'it's' is not a date"),
        (int, "y" * 61, f"x: '{'y' * 59}…' is not a whole number"),
        (int, "y" * 60, f"x: '{'y' * 60}' is not a whole number"),
        (Annotated[int, Field(ge=1, le=5)], "6", "x: 6 breaks x <= 5"),
        (Annotated[int, Field(ge=5)] | None, "4.0", "x: 4.0 breaks x >= 5"),
        (Annotated[int, Field(lt=2**70)], "7", ""),
        (Annotated[int, Field(gt=2**70)], "7", f"x: 7 breaks x > {2**70}"),
        (Annotated[int, Field(multiple_of=6)], "-7", "x: -7 breaks x is a multiple of 6"),
        (PositiveInt, "0", "x: 0 breaks x > 0"),
        (Annotated[int, annotated_types.Interval(gt=0, lt=9)], "9", "x: 9 breaks x < 9"),
        (Annotated[float, Field(ge=0.1)], "0.1", ""),
        (Annotated[float, Field(ge=0.1)], "0.09", "x: 0.09 breaks x >= 0.1"),
        (Annotated[date, Field(ge=date(2011, 1, 1))], "2010-12-31", "x: 2010-12-31 breaks x >= 2011-01-01"),
        (
            Annotated[datetime, Field(lt=datetime(2011, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))],
            "2011-01-01 00:00:00",
            "x: 2011-01-01 00:00:00 breaks x < 2011-01-01 00:00:00+00:00",
        ),
        (Annotated[str, Field(min_length=2)], "é", "x: 'é' breaks length(x) >= 2"),
        (Annotated[str, annotated_types.Len(0, 2)], "abc", "x: 'abc' breaks length(x) <= 2"),
        (Annotated[str, StringConstraints(pattern="^a{2}'$")], "aa'", ""),
        (Annotated[str, StringConstraints(pattern="^a{2}'$")], "ab", "x: 'ab' breaks x matches ^a{2}'$"),
        (Annotated[str, Field(pattern="b")], "abc", ""),
        (Annotated[str, Field(pattern="[{]value}' or 1")], "a", "x: 'a' breaks x matches [{]value}' or 1"),
        (Annotated[str, Field(pattern=re.compile("B", re.I))], "abc", ""),
        (Literal["a", "it's", "{value}"], "{value}", ""),
        (Literal["a", "'); drop table t; --"], "b", "x: 'b' breaks x in ('a', '''); drop table t; --')"),
        (Literal["a", None], None, ""),
        (Literal[1, 2], "2.0", ""),
        (Literal[1, 2], "3", "x: 3 breaks x in (1, 2)"),
        (Colour, "blue'); drop table t; --", ""),
        (Colour, "RED", "x: 'RED' breaks x in ('it''s red', 'blue''); drop table t; --')"),
        (Level | None, "2", ""),
    ],
)
def test_a_reason_says_what_was_expected_and_found(annotation: Any, raw: str | None, expected: str) -> None:
    assert reason_of(annotation, raw) == expected


@pytest.mark.parametrize("limit", ["ge", "gt", "le", "lt"])
@pytest.mark.parametrize(
    "bound", ["0.5", "-0.0005", "0.0005", "999.9995", "-999.9995", "1e6", "-1e6", "999.999"]
)
def test_a_bound_between_two_decimals_is_not_rounded(limit: str, bound: str) -> None:
    demand: Any = {limit: Decimal(bound)}
    column = column_of(Annotated[Decimal, Field(max_digits=6, decimal_places=3, **demand)])
    raws = ["-999.999", "-0.001", "0", "0.001", "0.5", "999.999"]
    expected = [getattr(operator, limit)(Decimal(raw), Decimal(bound)) for raw in raws]
    assert [reason == "" for _, reason in judged(column, raws)] == expected


def test_a_bound_of_38_digits_is_kept() -> None:
    most = "9" * 35 + ".999"
    column = column_of(Annotated[Decimal, Field(max_digits=38, decimal_places=3, ge=Decimal(most))])
    assert [reason == "" for _, reason in judged(column, [most, "9" * 35 + ".998"])] == [True, False]


def test_failed_values_are_shown_as_they_were_written() -> None:
    price = Annotated[Decimal, Field(ge=0, max_digits=6, decimal_places=3)]
    assert reason_of(price, "-3.2") == "x: -3.2 breaks x >= 0"
    assert (
        reason_of(price, "1.2345") == "x: '1.2345' does not fit 3 digits before and 3 after the decimal point"
    )
    assert reason_of(price, "free") == "x: 'free' is not a number"
    form = Notation(date_format="%d/%m/%Y")
    assert reason_of(date, "2010-01-01", form) == "x: '2010-01-01' is not a date written as %d/%m/%Y"


class Purchase(Contract):
    """A line of a purchase."""

    invoice_id: Annotated[str, Key]
    line: Annotated[int, Key()]
    customer_id: int | None = None
    unit_price: Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=3, description="GBP per unit")]


def test_a_contract_says_its_columns() -> None:
    found = columns(Purchase)
    assert [column.sql_type for column in found] == ["VARCHAR", "BIGINT", "BIGINT", "DECIMAL(12,3)"]
    assert [column.nullable for column in found] == [False, False, True, False]
    assert [column.optional for column in found] == [False, False, True, False]
    assert found[3].description == "GBP per unit"
    assert [rule.text for rule in found[3].rules] == ["unit_price >= 0"]
    assert keys(Purchase) == ("invoice_id", "line")


class Validated(Contract):
    a: int

    @field_validator("a")
    @classmethod
    def even(cls, a: int) -> int:
        return a


class ValidatedWhole(Contract):
    a: int

    @model_validator(mode="before")
    @classmethod
    def fits(cls, data: Any) -> Any:
        return data


class Lowered(Contract):
    model_config = ConfigDict(str_to_lower=True)
    a: str


@pytest.mark.parametrize(
    ("contract", "said"),
    [
        (contract_of(), "without fields"),
        (Validated, "even"),
        (ValidatedWhole, "fits"),
        (Lowered, "str_to_lower"),
        (contract_of(a=(Annotated[int, AfterValidator(abs)], ...)), "found AfterValidator"),
        (contract_of(a=(Annotated[str, StringConstraints(strip_whitespace=True)], ...)), "strip_whitespace"),
        (contract_of(a=(Annotated[str, "a note"], ...)), "'a note'"),
        (contract_of(a=(list[int], ...)), "list"),
        (contract_of(a=(complex, ...)), "complex"),
        (contract_of(a=(Any, ...)), "Any"),
        (contract_of(a=(int | str, ...)), "expected one type"),
        (contract_of(a=(Decimal, ...)), "max_digits=12"),
        (contract_of(a=(Annotated[Decimal, Field(max_digits=9)], ...)), "unknown size"),
        (contract_of(a=(Annotated[Decimal, Field(max_digits=39, decimal_places=0)], ...)), "38 digits"),
        (contract_of(a=(Literal["a", 1], ...)), "choices"),
        (contract_of(a=(Literal[True], ...)), "choices"),
        (contract_of(a=(Literal[9223372036854775808], ...)), "64-bit"),
        (contract_of(a=(Annotated[int | None, Key], ...)), "key that may be null"),
        (contract_of(a=(Annotated[str, Key] | None, ...)), "key that may be null"),
        (contract_of(a=(int, 5)), "found 5"),
        (contract_of(a=(int, None)), "found None"),
        (contract_of(a=(int | None, 5)), "found 5"),
        (contract_of(a=(int | None, Field(default_factory=lambda: None))), "default_factory"),
        (contract_of(window_start=(datetime, ...)), "reserved"),
        (contract_of(Window_Date=(date, ...)), "reserved"),
        (contract_of(a=(Annotated[str, Field(pattern="(")], ...)), "missing )"),
        (contract_of(a=(Annotated[str, Field(pattern="[a")], ...)), "missing ]"),
        (contract_of(a=(Annotated[str, Field(pattern=r"\p{Foo}")], ...)), r"\p{Foo}"),
        (contract_of(a=(Annotated[str, Field(pattern=r"(a)\1")], ...)), "invalid escape"),
        (contract_of(a=(Annotated[str, Field(pattern="a**")], ...)), "bad repetition"),
        (contract_of(a=(Annotated[str, Field(pattern="(a{100}){100}")], ...)), "invalid repetition"),
        (contract_of(total=(int, ...), Total=(int, ...)), "same column"),
        (contract_of(a=(Annotated[str, Field(pattern=re.compile("(?=a)"))], ...)), "RE2"),
        (contract_of(a=(Annotated[str, Field(pattern=re.compile("a", re.X))], ...)), "flag"),
        (contract_of(a=(Annotated[float, Field(le=float("inf"))], ...)), "no bound"),
        (contract_of(a=(Annotated[float, Field(multiple_of=2)], ...)), "multiple_of"),
    ],
)
def test_what_sql_cannot_check_is_an_error_that_names_it(contract: type[Contract], said: str) -> None:
    with pytest.raises(ContractError, match=re.escape(said)) as caught:
        columns(contract)
    assert caught.value.where.startswith(contract.__name__)
    assert caught.value.next_step


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_sentinels_are_values_when_their_instant_is_in_the_years_1_to_9999(zone: str) -> None:
    notation = Notation(zone)
    found = judged(INSTANT, ["0001-01-01", "9999-12-31 23:59:59", "9999-12-31T23:59:59.999999Z"], notation)
    outside = f"in the years 1 to 9999 in UTC (the source's time zone: {zone})"
    first = "" if zone != "Asia/Tokyo" else f"x: '0001-01-01' is not {outside}"
    last = "" if zone != "America/New_York" else f"x: '9999-12-31 23:59:59' is not {outside}"
    assert [reason for _, reason in found] == [first, last, ""]
    assert found[2][0] == micros(datetime.max.replace(tzinfo=UTC))
    if zone == "UTC":
        assert found[0][0] == micros(datetime(1, 1, 1, tzinfo=UTC))


def test_an_offset_decides_whether_a_sentinel_is_in_the_years_1_to_9999() -> None:
    raws = ["0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00-01:00",
            "9999-12-31T23:00:00-01:00", "9999-12-31T23:00:00+01:00"]  # fmt: skip
    found = judged(INSTANT, raws, Notation("Europe/Lisbon"))
    assert ["Europe/Lisbon" in reason for _, reason in found] == [True, False, True, False]
    form = Notation(datetime_format="%Y-%m-%dT%H:%M:%S%z")
    assert [reason != "" for _, reason in judged(INSTANT, raws, form)] == [True, False, True, False]
    assert [reason for _, reason in judged(DATE, ["01.01.0000"], Notation(date_format="%d.%m.%Y"))] == [
        "x: '01.01.0000' is not in the years 1 to 9999"
    ]


@pytest.mark.parametrize(
    ("column", "kind", "values"),
    [
        (INSTANT, "timestamptz", {"infinity": False, "-infinity": False, "10000-01-01 00:00:00+00": False,
                                  "9999-12-31 23:59:59.999999+00": True, "0001-01-01 00:00:00+00": True,
                                  "0001-12-31 (BC) 23:59:59+00": False}),
        (DATE, "date", {"infinity": False, "-infinity": False, "10000-01-01": False, "9999-12-31": True,
                        "0001-01-01": True, "0001-12-31 (BC)": False}),
    ],
)  # fmt: skip
def test_typed_dates_and_instants_are_in_the_years_1_to_9999(
    column: Column, kind: str, values: dict[str, bool]
) -> None:
    (reason,) = failures_sql(column, "r", "r", ISO)[-1:]
    for value, fine in values.items():
        sql = f"select {ok_sql(column, 'r', 'r', ISO)}, {reason} from (select cast('{value}' as {kind}) as r)"
        found = "instants" if column is INSTANT else "dates"
        ok, text = DATABASE.execute(sql).fetchall()[0]
        assert ok is fine, (found, value)
        assert (text is None) is fine
        assert fine or f"'{value}' is not in the years 1 to 9999" in text


def test_a_type_that_is_not_known_is_an_error() -> None:
    with pytest.raises(ContractError, match="not known"):
        columns(contract_of(a=("Nowhere", ...)))


@pytest.mark.parametrize(
    "name", ['a"b', "a;b", "a'b", '"; drop table t; --', "{value}", "select", "é à", "a\nb", "%s $1"]
)
def test_any_name_is_quoted(name: str) -> None:
    column = column_of(Annotated[int, Field(ge=1)], name)
    assert judged(column, ["1", "0", "?", None]) == [
        (1, ""),
        (0, f"{name}: 0 breaks {name} >= 1"),
        (None, f"{name}: '?' is not a whole number"),
        (None, f"{name}: null is not allowed"),
    ]


@settings(deadline=None)
@given(st.text())
def test_quoted_literals_are_read_back(text: str) -> None:
    assert DATABASE.execute(f"select {quote_literal(text)}").fetchall() == [(text,)]


class Described(Contract):
    """A docstring is not part of the fingerprint."""

    a: Annotated[int, Field(description="the meaning")]


def test_the_fingerprint_changes_with_what_changes_the_result() -> None:
    prints = [
        fingerprint(contract_of(a=(int, ...))),
        fingerprint(contract_of(b=(int, ...))),
        fingerprint(contract_of(a=(str, ...))),
        fingerprint(contract_of(a=(int | None, ...))),
        fingerprint(contract_of(a=(int | None, None))),
        fingerprint(contract_of(a=(Annotated[int, Key], ...))),
        fingerprint(contract_of(a=(PositiveInt, ...))),
        fingerprint(contract_of(a=(int, ...)), EUROPEAN),
        fingerprint(contract_of(a=(int, ...)), LISBON),
    ]
    assert len(set(prints)) == len(prints)
    assert fingerprint(Described) == prints[0] == fingerprint(Described, ISO)
    assert prints[0] == "70f266eb96036fa7613f141e4cb3552e2bca6cc0f7945901a27037e318bb1c9a"


@pytest.mark.parametrize(
    ("annotation", "yes", "no"),
    [
        (int, "BIGINT INTEGER SMALLINT TINYINT UINTEGER", "UBIGINT HUGEINT DOUBLE VARCHAR BOOLEAN"),
        (str, "VARCHAR", "BLOB INTEGER"),
        (float, "FLOAT DOUBLE", "INTEGER DECIMAL(3,1)"),
        (date, "DATE", "TIMESTAMP"),
        (bool, "BOOLEAN", "INTEGER"),
        (
            Annotated[Decimal, Field(max_digits=12, decimal_places=3)],
            "DECIMAL(12,3) DECIMAL(11,2)",
            "DECIMAL(12,2) DECIMAL(12,4) DOUBLE INTEGER DECIMAL(12,3)[]",
        ),
    ],
)
def test_raw_columns_of_the_right_type_need_no_conversion(annotation: Any, yes: str, no: str) -> None:
    column = column_of(annotation)
    assert all(accepts(column, sql_type) for sql_type in yes.split())
    assert not any(accepts(column, sql_type) for sql_type in no.split())


def test_instants_need_no_conversion_but_local_times_do() -> None:
    assert accepts(INSTANT, "TIMESTAMP WITH TIME ZONE")
    assert not accepts(INSTANT, "TIMESTAMP")


def test_typed_floats_are_finite_too() -> None:
    failure = failures_sql(FLOAT, "r", "r", ISO)[-1]
    sql = f"select {failure}, {ok_sql(FLOAT, 'r', 'r', ISO)} from unnest([1.5, 'nan'::double]) as _(r)"
    assert DATABASE.execute(sql).fetchall() == [(None, True), ("x: nan breaks x is finite", False)]


@pytest.mark.parametrize(
    "words",
    [
        {"decimal_separator": "1"},
        {"decimal_separator": ""},
        {"thousands_separator": "."},
        {"thousands_separator": "-"},
        {"datetime_format": "%Y %n"},
    ],
)
def test_a_notation_that_cannot_be_meant_is_refused(words: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        Notation(**words)


def test_reading_a_contract_loads_no_engine() -> None:
    code = "import sys, backbone.contracts.contract; print({'duckdb', 'pyarrow', 'numpy'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "set()\n"
