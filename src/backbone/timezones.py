"""Names of time zones: those that everything here knows, and those of UTC."""

from __future__ import annotations

from zoneinfo import ZoneInfo

UTC_NAMES = frozenset({"UTC", "ETC/UTC", "GMT", "ETC/GMT"})


def is_timezone(name: str) -> bool:
    """Whether a name is that of a time zone to Python and to the engine.

    Python finds any file of its database, also those that are another spelling or the machine's own zone;
    an engine has the names of IANA.

    Examples
    --------
    >>> [is_timezone(name) for name in ("Europe/London", "UTC", "Mars", "posix/Europe/London", "localtime")]
    [True, True, False, False, False]
    """
    if name in ("localtime", "posixrules") or name.startswith(("posix/", "right/")):
        return False
    try:
        ZoneInfo(name)
    except Exception:
        return False
    return True


def is_utc(timezone: str) -> bool:
    """Whether the clock of a time zone is UTC's, now and ever.

    Examples
    --------
    >>> is_utc("Etc/UTC"), is_utc("Europe/London")
    (True, False)
    """
    return timezone.upper() in UTC_NAMES
