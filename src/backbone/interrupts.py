"""What is at work and can be interrupted: a statement of a database, a worker process.

Python acts on a signal between two of its own steps only, and what it waits for may take minutes. So a
command that is to end interrupts all that is at work first. And it may be in the midst of code of others
that takes the exception for a failure of its own: then what begins next raises it again.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol, TypeVar
from weakref import ref


class Interruptible(Protocol):
    """What ends its present work, with an error, when another thread or a signal asks for it."""

    def interrupt(self) -> None: ...


Work = TypeVar("Work", bound=Interruptible)

_at_work: list[ref[Interruptible]] = []
_interrupted: list[bool] = []


def at_work(work: Work) -> Work:
    """Remember something that can be interrupted, as long as it exists."""
    check_interrupt()
    # Without a callback for each: what is raised in one goes nowhere.
    _at_work[:] = [*(one for one in _at_work if one() is not None), ref(work)]
    return work


def interrupt_all() -> None:
    """Interrupt whatever is at work in this process, for good: nothing begins after it."""
    _interrupted[:] = [True]
    for one in list(_at_work):
        work = one()
        if work is not None:
            with suppress(Exception):  # it may just have been closed
                work.interrupt()


def check_interrupt() -> None:
    """Raise `KeyboardInterrupt` if all was interrupted."""
    if _interrupted:
        raise KeyboardInterrupt
