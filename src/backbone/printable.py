"""How a file name is shown in a message."""

from __future__ import annotations

import os


def shown(name: str | os.PathLike[str]) -> str:
    r"""A name as it can be printed on one line: what is no text or breaks lines is escaped.

    Examples
    --------
    >>> print(shown("Käufe 100%.csv"), shown("a\nb.csv"), shown("K\udce4ufe.csv"))
    Käufe 100%.csv a\nb.csv K\xe4ufe.csv
    """
    text = os.fspath(name)
    if text.isprintable():
        return text
    return "".join(
        sign
        if sign.isprintable()
        else f"\\x{ord(sign) - 0xDC00:02x}"
        if "\udc80" <= sign <= "\udcff"  # how Python holds a byte of a name that is no UTF-8
        else sign.encode("unicode_escape").decode()
        for sign in text
    )
