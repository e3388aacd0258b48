"""A clock for tests that can be set years forwards and back."""

from __future__ import annotations

import inspect
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Any

import pytest

from backbone.lake.log import LoggedCommit, TableLog


class Clock:
    """Shifts what Python takes for now, and the time of each commit by what it was when it was first seen.

    The table library asks the system for the time itself, so the times of commits are changed when read.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.shift = timedelta()
        seen: dict[tuple[str, int], timedelta] = {}
        commit, now, seconds, clock = TableLog.commit, datetime.now, time.time, self

        def shifted(log: TableLog, version: int) -> LoggedCommit:
            found = commit(log, version)
            by = seen.setdefault((str(log.folder), version), clock.shift)
            return found if found.at is None else replace(found, at=found.at + by)

        class Kind(type):
            def __instancecheck__(cls, value: object) -> bool:
                return isinstance(value, datetime)

        class Shifted(datetime, metaclass=Kind):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Any:
                return now(tz) + clock.shift

        patch.setattr(TableLog, "commit", shifted)
        patch.setattr(time, "time", lambda: seconds() + clock.shift.total_seconds())
        for name, module in list(sys.modules.items()):
            is_ours = name.startswith("backbone.") and getattr(module, "datetime", None) is datetime
            if is_ours and "datetime.now(" in inspect.getsource(module):
                patch.setattr(module, "datetime", Shifted)

    def set(self, years: int) -> None:
        self.shift = timedelta(days=round(365.25 * years))
