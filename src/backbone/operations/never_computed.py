"""Windows that a look-back reads as if nothing had happened in them, as they were never computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from backbone.dataset import Window, hour_of, instant_of, merge_hours, step, windows_between
from backbone.exploitation.model import LoadedModel
from backbone.ledger.known import Change, WindowState


def never_computed(
    loaded: LoadedModel,
    windows: Sequence[Window],
    upstream: LoadedModel,
    states: Mapping[datetime | None, WindowState],
    changes: Callable[[str], Sequence[Change]],
) -> list[Window]:
    """The windows of an input, with events in them, that a model is to see and that never ran; in order.

    Parameters
    ----------
    windows : those of the model that are to be computed.
    upstream : what computes the input, window by window.
    states : the windows of the input that are computed.
    changes : by dataset, the hours each of its versions changed.
    """
    if not loaded.lookback or loaded.every is None or upstream.every is None:
        return []
    seen = merge_hours(
        (hour_of(step(window.start, loaded.every, -loaded.lookback)), hour_of(window.end))
        for window in windows
    )
    eventful = merge_hours(
        (change.low, change.high)
        for name in upstream.events
        for change in changes(name)
        if change.low is not None and change.high is not None
    )
    found = {
        window
        for low, high in _overlaps(seen, eventful)
        for window in windows_between(instant_of(low), instant_of(high), upstream.every)
        if window.start not in states
    }
    return sorted(found, key=lambda window: window.start)


def _overlaps(
    some: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    for low, high in some:
        for other_low, other_high in others:
            if low < other_high and other_low < high:
                yield max(low, other_low), min(high, other_high)
