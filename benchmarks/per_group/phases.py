"""The seconds of each part of a contestant's work, which it prints as one line of JSON.

`total` is what turns the file into stored models. Not part of it are the start of the interpreter and its
imports, which come before; what a long-lived process has behind it (`warm_up`); filling a database, in which
the data would lie anyway (`load`); and scoring candidates with the models (`score`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

NOT_COUNTED = ("warm_up", "load", "score")


class Phases:
    """Parts timed one after the other.

    Examples
    --------
    >>> phases = Phases()
    >>> with phases("fit"):
    ...     pass
    >>> list(phases.seconds)
    ['fit']
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    def print(self) -> None:
        total = sum(seconds for name, seconds in self.seconds.items() if name not in NOT_COUNTED)
        print(json.dumps({**self.seconds, "total": total}))


def skip(reason: str) -> None:
    """Say why a contestant can't take part here."""
    print(json.dumps({"skipped": reason}))
