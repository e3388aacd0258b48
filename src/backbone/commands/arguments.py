"""Times as they are written in arguments: an instant, a window, a range."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NoReturn

from backbone.errors import SettingsError


def instant(text: str) -> datetime:
    """An instant, in UTC unless the text says otherwise.

    Examples
    --------
    >>> print(instant("2026-01"), instant("2026-01-31T13:00+02:00"))
    2026-01-01 00:00:00+00:00 2026-01-31 11:00:00+00:00
    """
    try:
        found = datetime.strptime(text, "%Y-%m") if len(text) == 7 else datetime.fromisoformat(text)
    except ValueError:
        refuse(f"expected a time such as 2026-01-31T13, 2026-01-31 or 2026-01, found {text!r}")
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def time_range(
    window: str | None, start: str | None, end: str | None
) -> tuple[datetime | None, datetime | None]:
    """Where the windows that are asked for begin and end: one of them, or those of a range.

    Examples
    --------
    >>> print(*time_range("2026-02", None, None))
    2026-02-01 00:00:00+00:00 2026-03-01 00:00:00+00:00
    """
    if window is not None:
        if start or end:
            refuse("--window goes without --from and --to")
        begin = instant(window)
        if len(window) == 7:
            return begin, (begin + timedelta(days=32)).replace(day=1)
        return begin, begin + (timedelta(days=1) if len(window) == 10 else timedelta(hours=1))
    since = instant(start) if start else None
    until = instant(end) if end else None
    if since is not None and until is not None and until <= since:
        refuse(f"expected --to after --from, found {start} and {end}")
    return since, until


def refuse(text: str) -> NoReturn:
    """Tell a wrong use of the command line."""
    raise SettingsError("argument", text, "", "see --help of the command")
