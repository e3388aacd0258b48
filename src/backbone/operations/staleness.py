"""Which windows of a table are stale.

A window is to be computed in which a windowed source above the table has ever had an event. It is stale
when it never ran, whose code or parameters changed, or whose inputs changed, in the window
or its look-back, in a version after the one it was computed from.

Of a step that goes on from its own earlier windows, a window is stale too when an earlier one is, or has been
computed after it. One without an event leaves nothing to go on from, and makes no other stale.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from backbone.dataset import Window, hour_of, instant_of, merge_hours, step, windows_between
from backbone.errors import WindowRefused
from backbone.exploitation.model import LoadedModel
from backbone.operations.index import Change, WindowState


@dataclass(frozen=True)
class Stale:
    """The windows to compute, in order, and whether all other rows of the table go.

    For a table that is one whole `windows` is empty, and `due` says whether it is to be computed.
    """

    windows: tuple[Window, ...]
    replaces_all: bool
    due: bool


def stale_windows(
    loaded: LoadedModel,
    states: Mapping[datetime | None, WindowState],
    changes: Callable[[str], Sequence[Change]],
    *,
    now: datetime,
    start: datetime | None = None,
    end: datetime | None = None,
    force: bool = False,
) -> Stale:
    """Compare what a table was computed from with what is there now.

    Parameters
    ----------
    states : the windows computed so far.
    changes : by dataset, the hours each of its versions changed.
    now : windows that end later have not closed.
    start, end : restrict to the windows that overlap this range, and add its empty ones.
    force : also windows that are not stale; a table without windows only where no range is given.

    Raises
    ------
    WindowRefused
        When a window of the range goes on from one before the range that is stale.
    """
    if loaded.every is None:
        state = states.get(None)
        forced = force and start is None and end is None
        due = forced or state is None or state.fingerprint != loaded.fingerprint or state.every is not None
        if state is not None and not due:
            due = any(
                change.version > state.inputs.get(name, -1)
                for name in loaded.restating
                for change in changes(name)
            )
        return Stale((), True, due)

    cadence_changed = any(state.every != loaded.every for state in states.values())
    if cadence_changed:
        states, start, end = {}, None, None
    hours = merge_hours(  # thousands of changes of an hour each make one range
        (change.low, change.high)
        for name in loaded.events
        for change in changes(name)
        if change.low is not None and change.high is not None
    )
    candidates = {
        window.start
        for low, high in hours
        for window in windows_between(instant_of(low), instant_of(high), loaded.every)
    }
    eventful = frozenset(candidates)
    candidates |= {s for s in states if s is not None}
    if start is not None:
        candidates |= {window.start for window in windows_between(start, end or now, loaded.every)}
    latest = _Latest(loaded, changes)
    windows, left = [], None
    chained, newest = False, -1
    for at in sorted(candidates):
        window = Window(at, step(at, loaded.every))
        early = start is not None and window.end <= start
        outside = early or (end is not None and window.start >= end)
        if window.end > now or (outside and not loaded.follows):
            continue
        state = states.get(at)
        stale = state is None or state.fingerprint != loaded.fingerprint or latest.after(window, state)
        if loaded.follows:
            stale = stale or chained or (state is not None and state.version < newest)
            if at in eventful:
                chained = chained or stale or (force and not outside)
                newest = max(newest, -1 if state is None else state.version)
        if early and stale and at in eventful and left is None:
            left = window
        if not outside and (stale or force):
            windows.append(window)
    if left is not None and windows:
        raise WindowRefused(
            f"{loaded.dataset}, window {windows[0]}",
            f"it goes on from the windows before it, and {left} is stale or has never run",
            "Nothing of it is published; what was there before stays.",
            f"backbone run --from {left.start:%Y-%m-%dT%H}, or without a range",
        )
    return Stale(tuple(windows), cadence_changed, bool(windows) or cadence_changed)


class _Latest:
    """By input, the last version that changed each hour."""

    def __init__(self, loaded: LoadedModel, changes: Callable[[str], Sequence[Change]]) -> None:
        self._loaded = loaded
        self._whole: dict[str, int] = {}
        self._hours: dict[str, tuple[list[int], list[int]]] = {}  # in order, and their versions
        for name in loaded.restating:
            hours: dict[int, int] = {}
            whole = -1
            for change in changes(name):
                if change.low is None or change.high is None or loaded.cut(name) is None:
                    whole = max(whole, change.version)
                else:
                    hours.update(dict.fromkeys(range(change.low, change.high), change.version))
            ordered = sorted(hours)
            self._whole[name], self._hours[name] = whole, (ordered, [hours[hour] for hour in ordered])

    def after(self, window: Window, state: WindowState) -> bool:
        """Whether an input has changed since the state, where the window can see it."""
        assert self._loaded.every is not None
        begin = hour_of(step(window.start, self._loaded.every, -self._loaded.lookback))
        end = hour_of(window.end)
        for name, (hours, versions) in self._hours.items():
            known = state.inputs.get(name, -1)
            seen = versions[bisect_left(hours, begin) : bisect_left(hours, end)]
            if self._whole[name] > known or max(seen, default=-1) > known:
                return True
        return False
