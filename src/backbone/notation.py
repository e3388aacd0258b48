"""How values are written in a raw file."""

from __future__ import annotations

from dataclasses import dataclass

from backbone.errors import SettingsError


@dataclass(frozen=True)
class Notation:
    """How values are written in a raw file.

    Parameters
    ----------
    timezone : the zone of times written without an offset, by its IANA name. An hour that a change to summer
        time skips is read as one hour later, an hour that is repeated as its second passing.
    date_format, datetime_format : the `strptime` format of all dates, of all times; ISO 8601 unless said.
    decimal_separator, thousands_separator : one character each.

    Raises
    ------
    SettingsError
        When a separator can't be told from a digit, a sign or the other separator, or a format has
        nanoseconds (`%n`), which no column can hold.

    Examples
    --------
    >>> Notation(timezone="Europe/Lisbon", decimal_separator=",", thousands_separator=".").date_format is None
    True
    """

    timezone: str = "UTC"
    date_format: str | None = None
    datetime_format: str | None = None
    decimal_separator: str = "."
    thousands_separator: str | None = None

    def __post_init__(self) -> None:
        for name in ("decimal_separator", "thousands_separator"):
            separator = getattr(self, name)
            if separator is not None and (
                len(separator) != 1 or separator.isalnum() or separator in "+-_\t\n\v\f\r\0"
            ):
                raise SettingsError(name, f"expected one sign such as `.` or `,`, found {separator!r}")
        if self.decimal_separator == self.thousands_separator:
            raise SettingsError(
                "thousands_separator", f"{self.decimal_separator!r} is the decimal_separator too"
            )
        for name in ("date_format", "datetime_format"):
            if "%n" in (getattr(self, name) or "").replace("%%", ""):
                raise SettingsError(
                    name, "`%n` reads nanoseconds, columns hold microseconds", next_step="use %f"
                )
