"""The few SQL functions that every engine has and spells in its own way.

A text that an engine runs is either within the allow-list or made with these: SQLGlot passes what it doesn't
know through without a word, so nothing else may reach an engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from backbone.dataset import EPOCH, Window, merge_hours
from backbone.engines.sql.dialects import Dialect
from backbone.quoting import quote_identifier, quote_literal

HOUR_US = 3_600_000_000
LENGTHS_US = {"hour": HOUR_US, "day": 24 * HOUR_US, "week": 7 * 24 * HOUR_US}
SHIFT_HOURS = 60_000 * 7 * 24  # so that a division rounds down before 1970 too
WEEK_SHIFT_US = 3 * 86_400_000_000  # 1970 began on a Thursday
MOST_STRETCHES = 64
# PostgreSQL multiplies an interval by a double: microseconds alone are exact for 285 years only.
POSTGRES_INTERVAL = (
    "({0}) / 86400000000 * interval '24 hours' + ({0}) % 86400000000 * interval '1 microsecond'"
)

SPELLINGS: Mapping[str, Mapping[Dialect, str]] = {
    "instant": {
        "duckdb": "make_timestamptz({0})",
        "spark": "timestamp_micros({0})",
        "postgres": f"(timestamptz 'epoch' + {POSTGRES_INTERVAL})",
    },
    "epoch_us": {
        "duckdb": "epoch_us({0})",
        "spark": "unix_micros({0})",
        "postgres": "cast(extract(epoch from {0}) * 1000000 as bigint)",
    },
    "divided": {"duckdb": "({0} // {1})", "spark": "({0} div {1})", "postgres": "({0} / {1})"},
    "nan": {"duckdb": "cast('nan' as double)", "spark": "double('nan')", "postgres": "float8 'nan'"},
    "is_nan": {
        "duckdb": "isnan({0})",
        "spark": "({0} = double('nan'))",
        "postgres": "({0} = float8 'nan')",
    },
    "is_finite": {
        "duckdb": "isfinite({0})",
        "spark": "({0} not in (double('inf'), double('-inf'), double('nan')))",
        "postgres": "({0} not in (float8 'inf', float8 '-inf', float8 'nan'))",
    },
    "md5": {"duckdb": "md5({0})", "spark": "md5({0})", "postgres": "md5({0})"},
    "utc_time": {
        "duckdb": "make_timestamp({0})",
        "spark": "cast(timestamp_micros({0}) as timestamp_ntz)",
        "postgres": f"(timestamp 'epoch' + {POSTGRES_INTERVAL})",
    },
    "is_finite_date": {
        "duckdb": "isfinite({0})",
        "spark": "({0} is not null)",
        "postgres": "isfinite({0})",
    },
    "md5_byte": {
        "duckdb": "cast('0x' || substr(md5({0}), 1, 2) as integer)",
        "spark": "cast(conv(substring(md5({0}), 1, 2), 16, 10) as int)",
        "postgres": "cast(cast('x' || substr(md5({0}), 1, 2) as bit(8)) as integer)",
    },
    "iso_weekday": {
        "duckdb": "isodow({0})",
        "spark": "(weekday({0}) + 1)",
        "postgres": "cast(extract(isodow from {0}) as integer)",
    },
    "first_struct": {"duckdb": "struct_extract({0}[1], {1})", "spark": "get({0}, 0)[{1}]"},
    "local_time": {
        "duckdb": "timezone({1}, {0})",
        "spark": "cast(from_utc_timestamp({0}, {1}) as timestamp_ntz)",
        "postgres": "timezone({1}, {0})",
    },
}
"""What each function is in each dialect; `{0}` and `{1}` stand for its arguments, which are SQL too."""


@dataclass(frozen=True)
class SqlFunctions:
    """The functions in one dialect.

    Examples
    --------
    >>> SqlFunctions("duckdb").epoch_us("at"), SqlFunctions("spark").epoch_us("at")
    ('epoch_us(at)', 'unix_micros(at)')
    """

    dialect: Dialect

    def _spelt(self, name: str, *arguments: object) -> str:
        spelling = SPELLINGS[name].get(self.dialect)
        if spelling is None:
            raise NotImplementedError(f"{self.dialect} has no spelling of {name}")
        return spelling.format(*arguments)

    def instant(self, at: datetime) -> str:
        """An instant, to the microsecond.

        Examples
        --------
        >>> from datetime import UTC
        >>> SqlFunctions("duckdb").instant(datetime(1970, 1, 1, 1, tzinfo=UTC))
        'make_timestamptz(3600000000)'
        """
        elapsed = at - EPOCH
        return self._spelt(
            "instant", (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds
        )

    def instant_of(self, microseconds: str) -> str:
        """The instant so many microseconds after 1970 (UTC)."""
        return self._spelt("instant", microseconds)

    def epoch_us(self, instant: str) -> str:
        """The microseconds from 1970 (UTC) to an instant, a whole number."""
        return self._spelt("epoch_us", instant)

    def divided(self, number: str, by: int) -> str:
        """A whole number of 0 or more divided by another, without the rest."""
        return self._spelt("divided", number, by)

    def nan(self) -> str:
        """The double that is no number."""
        return self._spelt("nan")

    def is_nan(self, number: str) -> str:
        """Whether a double is no number; null where it is null."""
        return self._spelt("is_nan", number)

    def is_finite(self, number: str) -> str:
        """Whether a double is a number and not infinite; null where it is null."""
        return self._spelt("is_finite", number)

    def md5(self, text: str) -> str:
        """The MD5 of a text's UTF-8, as 32 hexadecimal digits."""
        return self._spelt("md5", text)

    def md5_byte(self, text: str) -> str:
        """The first byte of the MD5 of a text's UTF-8: from 0 to 255, the same on every engine."""
        return self._spelt("md5_byte", text)

    def iso_weekday(self, day: str) -> str:
        """The day of the week of a date: 1 for Monday to 7 for Sunday."""
        return self._spelt("iso_weekday", day)

    def first_struct(self, structs: str, field: str) -> str:
        """A field of the first struct of a list; null where the list is empty or null."""
        return self._spelt("first_struct", structs, self.text(field))

    def local_time(self, instant: str, timezone: str) -> str:
        """The time on the clocks of a time zone, without a zone."""
        return self._spelt("local_time", instant, self.text(timezone))

    def utc_time(self, microseconds: str) -> str:
        """The time on the clocks of UTC so many microseconds after 1970, without a zone."""
        return self._spelt("utc_time", microseconds)

    def is_finite_date(self, day: str) -> str:
        """Whether a date is not infinite; some engines know no infinite ones."""
        return self._spelt("is_finite_date", day)

    def hour(self, instant: str) -> str:
        """The whole hours from 1970 (UTC) to an instant; an hour before 1970 is negative."""
        shifted = self.divided(f"({self.epoch_us(instant)} + {SHIFT_HOURS * HOUR_US})", HOUR_US)
        return f"({shifted} - {SHIFT_HOURS})"

    def text(self, value: str) -> str:
        """A text as a literal.

        Examples
        --------
        >>> print(SqlFunctions("duckdb").text("a\\\\b"), SqlFunctions("spark").text("a\\\\b"))
        'a\\b' 'a\\\\b'
        """
        literal = quote_literal(value)
        return literal.replace("\\", "\\\\") if self.dialect == "spark" else literal

    def name(self, column: str) -> str:
        """The name of a column, whatever is in it.

        Examples
        --------
        >>> SqlFunctions("duckdb").name("order"), SqlFunctions("spark").name("order")
        ('"order"', '`order`')
        """
        if self.dialect == "spark":  # to which a text between double quotes is a text
            return f"`{column.replace('`', '``')}`"
        return quote_identifier(column)

    def one_of(self, value: str, values: Iterable[str]) -> str:
        """Whether a value is one of some others, each of them SQL; false where there are none.

        Examples
        --------
        >>> SqlFunctions("duckdb").one_of("turn", ["1", "2"]), SqlFunctions("duckdb").one_of("turn", [])
        ('turn in (1, 2)', 'false')
        """
        listed = ", ".join(values)
        return f"{value} in ({listed})" if listed else "false"

    def window_start(self, column: str, every: str) -> str:
        """The start of the window that an instant lies in.

        Arithmetic on microseconds, which is much cheaper than the calendar; only months need that.

        Parameters
        ----------
        column : the name of the instant's column.
        every : hour, day, week or month.
        """
        name = self.name(column)
        if every == "month":
            return f"date_trunc('month', {name})"
        length = LENGTHS_US[every]
        shift = SHIFT_HOURS * HOUR_US + (WEEK_SHIFT_US if every == "week" else 0)
        return self.instant_of(
            f"{self.divided(f'({self.epoch_us(name)} + {shift})', length)} * {length} - {shift}"
        )

    def within(self, column: str, windows: Sequence[Window]) -> str:
        """Whether an instant lies in some windows: each stretch of them is given by its two ends.

        Where there are many stretches, their hours are listed.

        Examples
        --------
        >>> from datetime import UTC
        >>> from backbone.dataset import window_of
        >>> windows = [window_of(datetime(1970, 1, 1, hour, tzinfo=UTC), "hour") for hour in (1, 2, 4)]
        >>> sql = SqlFunctions("duckdb")
        >>> sql.within("at", windows[:2])
        '("at" >= make_timestamptz(3600000000) and "at" < make_timestamptz(10800000000))'
        >>> sql.within("at", windows).count(" or "), sql.within("at", [])
        (1, 'false')
        """
        name, stretches = self.name(column), merge_hours(window.hours for window in windows)
        if not stretches:
            return "false"
        if len(stretches) > MOST_STRETCHES:
            hours = (str(hour + SHIFT_HOURS) for first, end in stretches for hour in range(first, end))
            counted = self.divided(f"({self.epoch_us(name)} + {SHIFT_HOURS * HOUR_US})", HOUR_US)
            return f"({self.one_of(counted, hours)})"
        ranges = (
            f"{name} >= {self._spelt('instant', first * HOUR_US)} "
            f"and {name} < {self._spelt('instant', end * HOUR_US)}"
            for first, end in stretches
        )
        return f"({' or '.join(ranges)})"


DUCKDB = SqlFunctions("duckdb")
"""As the local database spells them, where files are formatted and the ledger is kept."""
