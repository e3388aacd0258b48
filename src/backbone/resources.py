"""How much memory and how many threads an engine may be given: one rule for settings and arguments."""

from __future__ import annotations

import re

MEMORY = re.compile(r"(\d+(\.\d+)?)\s*([KMGT]i?B)", re.IGNORECASE)


def refuse_unusable(memory_limit: object, threads: object) -> None:
    """Refuse what an engine can't be given.

    Raises
    ------
    ValueError
        When `memory_limit` is no amount of memory above 0, or `threads` neither None (one per core) nor a
        whole number of 1 or more.

    Examples
    --------
    >>> refuse_unusable("1.5 GB", 2)
    >>> refuse_unusable("80%", None)
    Traceback (most recent call last):
    ValueError: expected a memory_limit such as '4GB' (KB, MB, GB, TB, KiB, MiB, GiB or TiB), found '80%'
    """
    amount = MEMORY.fullmatch(memory_limit) if isinstance(memory_limit, str) else None
    if amount is None or not float(amount[1]) > 0:
        raise ValueError(
            "expected a memory_limit such as '4GB' (KB, MB, GB, TB, KiB, MiB, GiB or TiB), "
            f"found {memory_limit!r}"
        )
    if threads is not None and (not isinstance(threads, int) or isinstance(threads, bool) or threads < 1):
        raise ValueError(f"expected threads of 1 or more, or None for one per core, found {threads!r}")
