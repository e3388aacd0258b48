"""How values are written in a raw file."""

from __future__ import annotations

from dataclasses import dataclass

from backbone.contracts.epoch import Epoch
from backbone.contracts.time_format import UnusableFormat, read_format
from backbone.errors import SettingsError


@dataclass(frozen=True)
class Notation:
    """How values are written in a raw file.

    Parameters
    ----------
    timezone : the zone of times written without an offset, by its IANA name. An hour that a change to summer
        time skips is read as one hour later, an hour that is repeated as its second passing.
    date_format, datetime_format : the `strptime` format of all dates, of all times; ISO 8601 by default.
    decimal_separator, thousands_separator : one character each.
    epoch : the unit of instants that are written as numbers, since the beginning of 1970 in UTC.

    Raises
    ------
    SettingsError
        When a separator can't be told from a digit, a sign or the other separator, or a format has an
        unknown directive or gives no full date.

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
    epoch: Epoch | None = None

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
            form = getattr(self, name)
            try:
                if form is not None:
                    read_format(form)
            except UnusableFormat as error:
                raise SettingsError(
                    name, f"{form!r} can't be read: {error.problem}", "", error.next_step
                ) from None
