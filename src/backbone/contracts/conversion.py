"""The SQL that turns raw text into typed values, and says why a value can't be turned.

Conversions are exact: a value that would be rounded, cut or guessed at is refused. Each has a cheap test
that recognises the usual spelling (DuckDB's own text of the value equals the raw text) and a strict
grammar for all others; `CASE` evaluates the grammar on the rows that reach it only.
"""

from __future__ import annotations

import re

from backbone.contracts.column import Column
from backbone.contracts.epoch import Epoch, fraction_of, instant_sql, number_sql
from backbone.contracts.notation import Notation
from backbone.contracts.time_format import OFFSET, TimeFormat, read_format
from backbone.quoting import quote_literal
from backbone.timezones import is_utc

_BLANKS = r"[ \t\v\f]*"  # a line break is none: it belongs to no number
_DAY = r"(?:000[1-9]|00[1-9]\d|0[1-9]\d\d|[1-9]\d{3})-\d\d-\d\d"
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6}0*)?)?"
_MIDNIGHT = _DAY + r"[ T]00:00(?::00(?:\.0+)?)?"
_SHOWN_CHARACTERS = 60
_OF_WORDS = "timestamp '1900-01-01'"  # what `strptime` takes epoch and infinity for, whatever the format
_IN_RANGE = {
    "TIMESTAMPTZ": "{value} between timestamptz '0001-01-01 00:00:00+00'"
    " and timestamptz '9999-12-31 23:59:59.999999+00'",
    "DATE": "{value} between date '0001-01-01' and date '9999-12-31'",
}
ODD_FLOAT = "[_\r\n]|[+]-"
"""Of the texts that DuckDB reads as a finite float, those that match are no numbers: `1_0`, `+-5`."""


def read_sql(column: Column, raw: str, notation: Notation) -> str | None:
    """SQL of what the engine itself reads in a raw text, rightly or not; None where `value_sql` needs none.

    Examples
    --------
    >>> read_sql(Column("day", "DATE", False, False, False, "", ()), "c", Notation())
    'try_cast(c as date)'
    """
    match column.sql_type:
        case "DATE" if notation.date_format is not None:
            return _strptime(raw, read_format(notation.date_format))
        case "TIMESTAMPTZ" if notation.epoch is not None:
            return number_sql(_plain(raw, notation))
        case "TIMESTAMPTZ" if notation.datetime_format is not None:
            return _strptime(raw, read_format(notation.datetime_format))
        case "DATE":
            return f"try_cast({raw} as date)"
        case "TIMESTAMPTZ":
            return f"try_cast({raw} as timestamp)"
        case "VARCHAR" | "BLOB" | "BOOLEAN":
            return None
        case sql_type:
            return f"try_cast({_plain(raw, notation)} as {sql_type.lower()})"


def value_sql(column: Column, raw: str, notation: Notation, read: str | None = None) -> str:
    """SQL of the typed value of a raw text.

    Parameters
    ----------
    raw : an SQL expression of type VARCHAR; it is repeated, so a column reference serves best.
    read : what `read_sql` gives, where it is computed already: a column reference.

    Returns
    -------
    An expression of `column.sql_type`: null when `raw` is null or can't be converted exactly. It never
    raises and asks for a session in UTC.

    Examples
    --------
    >>> import duckdb
    >>> price = Column("price", "DECIMAL(6,2)", False, False, False, "GBP", ())
    >>> sql = value_sql(price, "t", Notation())
    >>> duckdb.sql(f"select {sql} from unnest(['3.50', '+4.', '1.005', '1e3']) as _(t)").fetchall()
    [(Decimal('3.50'),), (Decimal('4.00'),), (None,), (None,)]
    """
    x = raw if raw.replace(".", "_").isidentifier() else f"({raw})"
    match column.sql_type:
        case "VARCHAR":
            return raw
        case "BLOB":
            return "cast(null as blob)"
        case "BOOLEAN":
            return (
                f"case when lower({x}) in ('true', 't', 'yes', 'y', '1') then true"
                f" when lower({x}) in ('false', 'f', 'no', 'n', '0') then false end"
            )
    read = read or read_sql(column, x, notation) or ""
    match column.sql_type:
        case "BIGINT":
            return _integer(x, read, notation)
        case "DOUBLE":
            return _float(x, read, notation)
        case "DATE":
            return _date(x, read, notation)
        case "TIMESTAMPTZ":
            return _instant(x, read, notation)
        case _:
            return _decimal(x, read, column.sql_type, notation)


def accepts(column: Column, sql_type: str) -> bool:
    """Whether a raw column of this DuckDB type needs a plain cast and no conversion from text.

    The column's rules hold for such values too: a DOUBLE may still be infinite.

    Examples
    --------
    >>> price = Column("price", "DECIMAL(6,2)", False, False, False, "GBP", ())
    >>> accepts(price, "DECIMAL(5,1)"), accepts(price, "DECIMAL(6,1)"), accepts(price, "DOUBLE")
    (True, False, False)
    """
    found = sql_type.upper()
    match column.sql_type:
        case "BIGINT":
            return found in {
                "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "UINTEGER", "USMALLINT", "UTINYINT"
            }  # fmt: skip
        case "DOUBLE":
            return found in {"DOUBLE", "FLOAT"}
        case "TIMESTAMPTZ":
            return found in {"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"}
        case "VARCHAR" | "BOOLEAN" | "DATE" | "BLOB":
            return found == column.sql_type
        case _:
            if not re.fullmatch(r"DECIMAL\(\d+, ?\d+\)", found):
                return False
            digits, scale = _digits(column.sql_type)
            found_digits, found_scale = _digits(found)
            return found_scale <= scale and found_digits - found_scale <= digits - scale


def ok_sql(column: Column, raw: str, value: str, notation: Notation) -> str:
    """SQL that is true for a value without a failure, else false; never null.

    Dates and instants lie in the years 1 to 9999, instants in UTC: no reader of the table can take others.

    Parameters
    ----------
    raw, value : SQL expressions of the raw value and of the typed one; best columns of a subquery.

    Examples
    --------
    >>> from backbone.contracts.column import Rule
    >>> price = Column("price", "BIGINT", True, False, False, "", (Rule("price >= 0", "{value} >= 0"),))
    >>> ok_sql(price, "r", "v", Notation())
    '(r is null or (v is not null and (v >= 0)))'
    """
    conditions = [f"({rule.sql(value)})" for rule in column.rules]
    if column.sql_type in _IN_RANGE:
        conditions.append(f"({_IN_RANGE[column.sql_type].format(value=value)})")
    if column.nullable:
        if column.sql_type == "VARCHAR" and not conditions:
            return "true"
        return f"({raw} is null or ({' and '.join([f'{value} is not null', *conditions])}))"
    return f"({' and '.join([f'{value} is not null', *conditions])})"


def failures_sql(column: Column, raw: str, value: str, notation: Notation) -> list[str]:
    """SQL expressions, each null when all is well, else the reason why the value is refused.

    Parameters
    ----------
    raw, value : SQL expressions of the raw value (of any type) and of the typed one.

    Examples
    --------
    >>> import duckdb
    >>> from backbone.contracts.column import Rule
    >>> rule = Rule("quantity >= 0", "{value} >= 0")
    >>> quantity = Column("quantity", "BIGINT", False, False, False, "", (rule,))
    >>> value = value_sql(quantity, "t", Notation())
    >>> reasons = ", ".join(failures_sql(quantity, "t", "v", Notation()))
    >>> rows = f"select t, {value} as v from unnest(['1.7', '-3', null]) as _(t)"
    >>> for reason, in duckdb.sql(f"select coalesce({reasons}) from ({rows})").fetchall():
    ...     print(reason)
    quantity: '1.7' is not a whole number
    quantity: -3 breaks quantity >= 0
    quantity: null is not allowed
    """
    text = f"cast({raw} as varchar)"
    shown = (
        f"case when length({text}) > {_SHOWN_CHARACTERS}"
        f" then left({text}, {_SHOWN_CHARACTERS - 1}) || '…' else {text} end"
    )
    name = quote_literal(f"{column.name}: ")
    failures = []
    if not column.nullable:
        failures.append(
            f"case when {raw} is null then {quote_literal(f'{column.name}: null is not allowed')} end"
        )
    if column.sql_type != "VARCHAR":
        problem, wrong = _problem_sql(column, text, notation), f"{value} is null"
        if column.sql_type in _IN_RANGE:
            wrong = f"({_IN_RANGE[column.sql_type].format(value=value)}) is not true"
            outside = quote_literal(_outside(column, notation))
            problem = f"case when {value} is null then {problem} else {outside} end"
        failures.append(
            f"case when {raw} is not null and {wrong}"
            f" then {name} || '''' || ({shown}) || ''' ' || ({problem}) end"
        )
    quote = "''''" if column.sql_type == "VARCHAR" else "''"
    failures += [
        f"case when {value} is not null and not ({rule.sql(value)})"
        f" then {name} || {quote} || ({shown}) || {quote} || {quote_literal(f' breaks {rule.text}')} end"
        for rule in column.rules
    ]
    return failures


def _problem_sql(column: Column, text: str, notation: Notation) -> str:
    match column.sql_type:
        case "BIGINT":
            return (
                f"case when {_matches(text, _integer_pattern(notation))}"
                " then 'does not fit 64 bits' else 'is not a whole number' end"
            )
        case "DOUBLE":
            read = f"try_cast({_plain(text, notation)} as double)"
            return (
                f"case when {_is_rounded_to_zero(text, read)}"
                " then 'is so close to 0 that a float would be 0' else 'is not a finite number' end"
            )
        case "BOOLEAN":
            return "'is not true or false'"
        case "BLOB":
            return "'is not binary'"
        case "DATE":
            return quote_literal("is not a date" + _written(notation.date_format))
        case "TIMESTAMPTZ" if notation.epoch is not None:
            outside, wrong = _outside(column, notation), f"is not a number of {notation.epoch} since 1970"
            is_number = _matches(text, _epoch_pattern(notation, notation.epoch))
            return f"case when {is_number} then {quote_literal(outside)} else {quote_literal(wrong)} end"
        case "TIMESTAMPTZ":
            return quote_literal("is not a date and time" + _written(notation.datetime_format))
        case _:
            digits, scale = _digits(column.sql_type)
            return (
                f"case when {_matches(text, _decimal_pattern(notation))} then"
                f" 'does not fit {digits - scale} digits before and {scale} after the decimal point'"
                " else 'is not a number' end"
            )


def _outside(column: Column, notation: Notation) -> str:
    if column.sql_type == "DATE" or notation.epoch is not None:
        return "is not in the years 1 to 9999"
    return f"is not in the years 1 to 9999 in UTC (the source's time zone: {notation.timezone})"


def _written(form: str | None) -> str:
    return f" written as {form}" if form else ""


def _digits(decimal_type: str) -> tuple[int, int]:
    precision, scale = re.findall(r"\d+", decimal_type)
    return int(precision), int(scale)


def _matches(x: str, pattern: str) -> str:
    return f"regexp_full_match({x}, {quote_literal(pattern)})"


def _integer_digits(notation: Notation) -> str:
    if notation.thousands_separator is None:
        return r"\d+"
    return rf"(?:\d+|\d{{1,3}}(?:{re.escape(notation.thousands_separator)}\d{{3}})+)"


def _integer_pattern(notation: Notation) -> str:
    point = re.escape(notation.decimal_separator)
    return rf"{_BLANKS}[+-]?{_integer_digits(notation)}(?:{point}0*)?{_BLANKS}"


def _decimal_pattern(notation: Notation, fraction: str = r"\d+", exponent: str = "") -> str:
    """`fraction` is the grammar of the digits after the point, of which there is at least one."""
    point, digits = re.escape(notation.decimal_separator), _integer_digits(notation)
    return rf"{_BLANKS}[+-]?(?:{digits}(?:{point}(?:{fraction})?)?|{point}(?:{fraction})){exponent}{_BLANKS}"


def _plain(x: str, notation: Notation) -> str:
    """The number without thousands separators and with a decimal point."""
    if notation.thousands_separator is not None:
        x = f"replace({x}, {quote_literal(notation.thousands_separator)}, '')"
    if notation.decimal_separator != ".":
        x = f"replace({x}, {quote_literal(notation.decimal_separator)}, '.')"
    return x


def _number(number: str, usual: str, grammar: str, notation: Notation, before: str = "") -> str:
    """`usual` recognises numbers with a decimal point only; elsewhere it would take `1.234` for 1.234."""
    fast = f"when {usual} then {number} " if notation.decimal_separator == "." else ""
    return f"case {before}{fast}when {grammar} then {number} end"


def _integer(x: str, number: str, notation: Notation) -> str:
    written = f"cast({number} as varchar)"
    usual = f"{written} = {x} or {written} || '.0' = {x}"
    return _number(number, usual, _matches(x, _integer_pattern(notation)), notation)


def _decimal(x: str, number: str, sql_type: str, notation: Notation) -> str:
    _, scale = _digits(sql_type)
    fraction = rf"\d{{1,{scale}}}0*" if scale else "0+"
    # A text that begins DuckDB's own text of the value has neither more decimals nor another spelling.
    usual = f"starts_with(cast({number} as varchar), {x})"
    return _number(number, usual, _matches(x, _decimal_pattern(notation, fraction)), notation)


def _float(x: str, number: str, notation: Notation) -> str:
    grammar = _matches(x, _decimal_pattern(notation, exponent=r"(?:[eE][+-]?\d+)?"))
    strict = f"{grammar} and isfinite({number})"
    rounded = f"when {_is_rounded_to_zero(x, number)} then null "
    if notation.thousands_separator is not None:
        return f"case {rounded}when {strict} then {number} end"
    usual = f"isfinite({number}) and not regexp_matches({x}, '{ODD_FLOAT}')"
    return _number(number, usual, strict, notation, rounded)


def _is_rounded_to_zero(x: str, number: str) -> str:
    """Whether a text was read as 0 that has another digit before its exponent."""
    return f"{number} = 0 and regexp_matches({x}, '^[^eE]*[1-9]')"


def _date(x: str, day: str, notation: Notation) -> str:
    if notation.date_format is not None:
        form = read_format(notation.date_format)
        return _in_grammar(x, day, form, f"cast({day} as date) = {day}", f"cast({day} as date)")
    # The length keeps out `infinity`, years before 1 and years after 9999.
    return (
        f"case when cast({day} as varchar) = {x} and strlen({x}) = 10 then {day}"
        f" when {_matches(x, _MIDNIGHT)} then try_cast(left({x}, 10) as date) end"
    )


def _epoch_pattern(notation: Notation, epoch: Epoch) -> str:
    return _decimal_pattern(notation, fraction_of(epoch))


def _instant(x: str, local: str, notation: Notation) -> str:
    if notation.epoch is not None:
        grammar = _matches(x, _epoch_pattern(notation, notation.epoch))
        return f"case when {grammar} then {instant_sql(local, notation.epoch)} end"
    if notation.datetime_format is not None:
        form = read_format(notation.datetime_format)
        return _in_grammar(x, local, form, "", local if form.zone else _in_zone(local, notation.timezone))
    moment = rf"{_DAY}[ T]{_CLOCK}"
    without_offset = f"{_DAY}(?:[ T]{_CLOCK})?"
    here = _in_zone(local, notation.timezone)
    return (
        f"case when cast({local} as varchar) = {x} and strlen({x}) = 19 then {here}"
        f" when {_matches(x, without_offset)} then {here}"
        f" when {_matches(x, f'{moment}(?:Z|{OFFSET})')} then try_cast({x} as timestamptz) end"
    )


def _in_zone(local: str, timezone: str) -> str:
    if is_utc(timezone):
        return f"make_timestamptz(epoch_us({local}))"  # a tenth of the cost of a cast through ICU
    return f"timezone({quote_literal(timezone)}, {local})"


def _strptime(x: str, form: TimeFormat) -> str:
    """The date and time of a text in the grammar of a format: a TIMESTAMPTZ where it has a zone."""
    if form.zone == "z":
        # `strptime` reads no Z; a Z of the format itself is replaced like that of the text.
        return f"try_strptime(replace({x}, 'Z', '+00'), {quote_literal(form.spelt(z_as='+00'))})"
    return f"try_strptime({x}, {quote_literal(form.spelt())})"


def _in_grammar(x: str, read: str, form: TimeFormat, condition: str, value: str) -> str:
    """The value of a text that is in the grammar of the format and meets the condition."""
    strict = " and ".join([_matches(x, form.pattern()), *_agreements(x, form)])
    if form.is_plain:  # a later year has four digits, so the text is in the grammar
        strict = f"({read} > {_OF_WORDS} or {strict})"
    return f"case when {strict}{f' and {condition}' if condition else ''} then {value} end"


def _agreements(x: str, form: TimeFormat) -> list[str]:
    """Conditions that each part of the text is true of the date read, where `strptime` does not look."""
    if not form.checked_letters:
        return []
    clock = x
    if form.zone:
        clock = f"regexp_replace({x}, {quote_literal(form.around(form.zone))}, '\\1\\2')"
    read = f"try_strptime({clock}, {quote_literal(form.spelt(without='zZ'))})"
    found = []
    for letter in form.checked_letters:
        text = f"regexp_extract({x}, {quote_literal(f'^{form.pattern(letter)}$')}, 1)"
        shown = f"strftime({read}, '%{letter}')"
        if letter in "aAbBh":
            found.append(f"lower({text}) = lower({shown})")
        else:
            found.append(f"try_cast({text} as integer) = try_cast({shown} as integer)")
    return found
