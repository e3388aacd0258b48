"""Which windows of a table are stale, and why.

A window is to be computed in which a windowed source above the table has ever had an event. It is stale
when it never ran, whose code or parameters changed, or whose inputs changed, in the window
or its look-back, in a version after the one it was computed from.

Of a step that goes on from its own earlier windows, a window is stale too when an earlier one is, or has been
computed after it. One without an event leaves nothing to go on from, and makes no other stale.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from backbone.asked import Asked
from backbone.dataset import Window, hour_of, instant_of, merge_hours, step, windows_between
from backbone.errors import WindowRefused
from backbone.exploitation.model import LoadedModel
from backbone.lake.log import RESTART
from backbone.ledger.known import Change, WindowState
from backbone.operations.reasons import (
    DAMAGE,
    FORCED,
    NEW,
    UPSTREAM,
    WORDS,
    History,
    Reason,
    reason_of_code,
    reason_of_inputs,
)


@dataclass(frozen=True)
class Stale:
    """The windows to compute, in order, why, and whether all other rows of the table go.

    For a table without windows `windows` is empty, and `due` says whether it is to be computed.
    """

    windows: tuple[Window, ...]
    replaces_all: bool
    due: bool
    why: tuple[Reason, ...] = ()


def stale_windows(loaded: LoadedModel, history: History, asked: Asked) -> Stale:
    """Compare what a table was computed from with what is there now.

    Raises
    ------
    WindowRefused
        When a window of the range goes on from one before the range that is stale.
    """
    if loaded.every is None:
        return _stale_table(loaded, history, asked)
    start, end, now = asked.start, asked.end, asked.now
    states = history.windows(loaded.dataset)
    former: Mapping[datetime | None, WindowState] = {}
    cadence_changed = any(state.every != loaded.every for state in states.values())
    if cadence_changed:
        former, states, start, end = states, {}, None, None
    eventful = _with_events(loaded, history)
    candidates = {*eventful, *(s for s in states if s is not None)}
    if start is not None:
        candidates |= {window.start for window in windows_between(start, end or now, loaded.every)}
    inputs = _Inputs(loaded, history, states)
    windows: list[Window] = []
    why: list[Reason] = []
    left = None
    chained, newest = False, -1
    for at in sorted(candidates):
        window = Window(at, step(at, loaded.every))
        early = start is not None and window.end <= start
        outside = early or (end is not None and window.start >= end)
        if window.end > now or (outside and not loaded.continues):
            continue
        state = states.get(at)
        reason = inputs.reason(window, state)
        if loaded.continues:
            if reason is None and (chained or (state is not None and state.version < newest)):
                reason = Reason(UPSTREAM, (loaded.dataset,))
            if at in eventful:
                chained = chained or reason is not None or (asked.force and not outside)
                newest = max(newest, -1 if state is None else state.version)
        if early and reason is not None and at in eventful and left is None:
            left = window
        if not outside and (reason is not None or asked.force):
            windows.append(window)
            why.append(reason or Reason(FORCED))
    if left is not None and windows:
        raise WindowRefused(
            f"{loaded.dataset}, window {windows[0]}",
            f"it goes on from the windows before it, and {left} is stale or has never run",
            "Nothing of it is published; what was there before stays.",
            f"backbone run --from {left.start:%Y-%m-%dT%H}, or without a range",
        )
    reasons = counted(why)
    if former:  # another length is asked for of all windows
        changed = reason_of_code(loaded, max(former.values(), key=lambda state: state.version), history)
        reasons = (replace(changed, count=len(windows)),)
    return Stale(tuple(windows), cadence_changed, bool(windows) or cadence_changed, reasons)


def counted(why: Iterable[Reason]) -> tuple[Reason, ...]:
    """Equal reasons as one that says how many they are, in the order of `WORDS`."""
    counts = Counter(why)
    found = [replace(reason, count=count) for reason, count in counts.items()]
    places = {word: place for place, word in enumerate(WORDS)}
    return tuple(sorted(found, key=lambda r: (places.get(r.word, 1), r.word, r.of)))


def _stale_table(loaded: LoadedModel, history: History, asked: Asked) -> Stale:
    """Whether a table without windows is to be computed."""
    states = history.windows(loaded.dataset)
    state = states.get(None)
    reason = _Inputs(loaded, history, states).reason(None, state)
    if reason is None and state is not None and state.every is not None:
        reason = reason_of_code(loaded, state, history)
    if reason is None and asked.force and not asked.is_range:
        reason = Reason(FORCED)
    return Stale((), True, reason is not None, () if reason is None else (reason,))


def _with_events(loaded: LoadedModel, history: History) -> frozenset[datetime]:
    """The starts of the windows in which a source above the table has ever had an event."""
    assert loaded.every is not None
    hours = merge_hours(  # thousands of changes of an hour each make one range
        (change.low, change.high)
        for name in loaded.events
        for change in _seen(name, history)
        if change.low is not None and change.high is not None
    )
    return frozenset(
        window.start
        for low, high in hours
        for window in windows_between(instant_of(low), instant_of(high), loaded.every)
    )


def _seen(dataset: str, history: History) -> Iterable[Change]:
    """The changes of a table, up to the version it is pinned to."""
    changes = history.changes(dataset)
    if dataset not in history.pins:
        return changes
    return [change for change in changes if change.version <= history.pins[dataset]]


class _Inputs:
    """By input, the last version that changed each hour; against it windows are held."""

    def __init__(
        self, loaded: LoadedModel, history: History, states: Mapping[datetime | None, WindowState]
    ) -> None:
        self._loaded, self._history, self._states = loaded, history, states
        self._of_code: dict[str, Reason] = {}  # by fingerprint
        self._all_changed_in: dict[str, int] = {}
        self._hours: dict[str, tuple[list[int], list[int]]] = {}  # in order, and their versions
        for name in loaded.restating:
            hours: dict[int, int] = {}
            all_changed_in = -1
            is_timed = loaded.time_column(name) is not None
            for change in _seen(name, history):
                if change.low is None or change.high is None or not is_timed:
                    all_changed_in = max(all_changed_in, change.version)
                else:
                    hours.update(dict.fromkeys(range(change.low, change.high), change.version))
            ordered = sorted(hours)
            self._all_changed_in[name], self._hours[name] = (
                all_changed_in,
                (ordered, [hours[hour] for hour in ordered]),
            )

    def reason(self, window: Window | None, state: WindowState | None) -> Reason | None:
        """Why a window (or the table, of one without windows) is stale; None where it is not."""
        if state is None:
            return Reason(NEW)
        if state.fingerprint == RESTART:
            return Reason(DAMAGE)
        if state.fingerprint != self._loaded.fingerprint:
            return self._code(state.fingerprint)
        begin, end = (0, 0) if window is None else self._range(window)
        versions: dict[str, int] = {}
        for name, (hours, changed_in) in self._hours.items():
            known = state.inputs.get(name, -1)
            seen = changed_in[bisect_left(hours, begin) : bisect_left(hours, end)]
            newest = max(self._all_changed_in[name], max(seen, default=-1))
            if newest > known or self._is_taken_back(name, known, window):
                versions[name] = newest
        return reason_of_inputs(versions, state, self._history) if versions else None

    def _code(self, fingerprint: str) -> Reason:
        """Why windows of another fingerprint are stale; the last receipt that has it says most."""
        if fingerprint not in self._of_code:
            alike = [state for state in self._states.values() if state.fingerprint == fingerprint]
            last = max(alike, key=lambda state: state.version)
            self._of_code[fingerprint] = reason_of_code(self._loaded, last, self._history)
        return self._of_code[fingerprint]

    def _range(self, window: Window) -> tuple[int, int]:
        """The hours that a window sees, with its look-back."""
        assert self._loaded.every is not None
        begin = step(window.start, self._loaded.every, -self._loaded.lookback)
        return hour_of(begin), hour_of(window.end)

    def _is_taken_back(self, name: str, known: int, window: Window | None) -> bool:
        """Whether a window was computed from a change that comes after the version an input is pinned to."""
        pin = self._history.pins.get(name, known)
        if known <= pin:
            return False
        undone = [change for change in self._history.changes(name) if pin < change.version <= known]
        if window is None or self._loaded.time_column(name) is None:
            return bool(undone)
        begin, end = self._range(window)
        return any(
            change.low is None or change.high is None or (change.low < end and begin < change.high)
            for change in undone
        )
