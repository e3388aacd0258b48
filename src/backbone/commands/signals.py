"""How a command ends when a signal asks for it: SIGTERM as Ctrl-C, each with its exit status.

Only the command does this. A program that uses Backbone as a library has its own ways.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from backbone.interrupts import interrupt_all

NAMES = {signal.SIGINT: "Interrupted", signal.SIGTERM: "Terminated"}

_received: list[int] = []  # at most one
_reported: list[int] = []


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGINT interrupt what is done here, and end the process with 128 and their number."""
    _received.clear()
    _reported.clear()
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else who started it ignores it
        signal.signal(signal.SIGINT, _interrupt)
    try:
        try:
            yield
        finally:  # all is done, and the exit status is known
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except BaseException:
        if not _received:
            raise
    if _received:
        if not _reported:
            report_interrupt()
        raise SystemExit(interrupt_status())


def was_interrupted() -> bool:
    """Whether a signal came, so that any error may be of its making."""
    return bool(_received)


def interrupt_status() -> int:
    """The exit status of what a signal ends; that of Ctrl-C where none came here."""
    return 128 + (_received or [signal.SIGINT])[0]


def report_interrupt() -> None:
    """Say on standard error how the command ended, and show the cursor again."""
    _reported[:] = _received
    name = NAMES[signal.Signals(interrupt_status() - 128)]
    with suppress(OSError):
        sys.stderr.write(f"{name}: what was published stays, and the next run completes what is half done.\n")
        sys.stderr.flush()
        _show_cursor()


def drop_output() -> None:
    """Let what is still written to standard output go nowhere: it has no place, or is part of no result."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Interrupt the first time. `timeout` and others send a signal twice; a second Ctrl-C ends at once."""
    if not _received:
        _received.append(number)
        drop_output()
        interrupt_all()
        raise KeyboardInterrupt
    if number == signal.SIGINT:
        with suppress(OSError):
            _show_cursor()
        os._exit(interrupt_status())


def _show_cursor() -> None:
    """A line that shows progress hides it; where the line was cut short, nobody else shows it again."""
    if sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown"):
        os.write(sys.stderr.fileno(), b"\x1b[?25h")
