"""Sample activity from a seed, at any scale, with a planted burst and planted accounts that behave alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numpy.random import PCG64, Generator

from backbone.pipelines.samples import changed, drop, refuse_nonsense, spans

Ints = npt.NDArray[np.int64]

FOLDER = Path("landing/temporal/user_activity")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 14
DAY_S, HOUR_S = 86_400, 3_600

# Everything is drawn in parts, one for each unit of scale; what is planted is in the first.
USERS = 50
EVENTS = (800, 2_400)  # of a user, both included; at any second alike
BURST = 300  # events more of one user, in one hour of one day
ROBOTS = 8  # accounts of a schedule: active in one hour of some nights, and never else
ROBOT_HOUR, ROBOT_DAYS, ROBOT_EVENTS = 3, (2, 5, 9, 12), 40


@dataclass(frozen=True)
class Burst:
    """One user's events in one hour of one day, beyond the usual ones."""

    user_name: str
    day: date
    hour: int
    events: int


@dataclass(frozen=True)
class Sample:
    """What is true of a written sample, for tests and the demo to be held to.

    Attributes
    ----------
    rows : good rows.
    broken : rows without a user or with no time, 3 × scale; on top of the good ones.
    users : in the good rows.
    planted : the burst.
    robots : the accounts that behave alike.
    """

    rows: int
    broken: int
    users: int
    planted: Burst
    robots: tuple[str, ...]


def write_sample(directory: Path, scale: int = 1, seed: int = 0) -> Sample:
    """Drop two weeks of activity into temporal landing, a file for each day, and say what is in them.

    The same scale and seed give the same bytes, and a larger scale the same rows and more.

    Parameters
    ----------
    directory : a project's folder, or any; made when missing.
    scale : how many times 50 users; >= 1.
    seed : >= 0.

    Raises
    ------
    ValueError
        When scale < 1 or seed < 0; nothing is written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as directory:
    ...     sample = write_sample(Path(directory))
    >>> sample.users, sample.broken, sample.planted.events, sample.robots[0]
    (58, 3, 300, 'robot-1')
    """
    refuse_nonsense(scale, seed)
    chances = [Generator(PCG64([seed, part])) for part in range(scale)]
    parts = [_events(chance, part * USERS) for part, chance in enumerate(chances)]
    planted = _burst(chances[0])
    user, second = map(np.concatenate, zip(*parts, _planted(chances[0], planted, scale), strict=True))
    order = np.lexsort((user, second))
    user, second = user[order], second[order]
    robots = [f"robot-{number}" for number in range(1, ROBOTS + 1)]
    names = pa.array([f"user-{number:03}" for number in range(1, scale * USERS + 1)] + robots)
    for day, part in spans(second, BEGIN, timedelta(days=1), DAYS):
        at = pa.array(second[part] + int(BEGIN.timestamp())).cast(pa.timestamp("s", "UTC"))
        rows = pa.table({"user_name": names.take(pa.array(user[part])), "started_at": at})
        if day == BEGIN + timedelta(days=DAYS // 2):
            rows = pa.concat_tables([rows, *_broken(rows) * scale])
        drop(rows, directory / FOLDER, "activity", day)
    return Sample(len(user), 3 * scale, len(names), planted, tuple(robots))


def _events(chance: Generator, first: int) -> tuple[Ints, Ints]:
    """User (by number) and second of each event of a part."""
    counts = chance.integers(EVENTS[0], EVENTS[1] + 1, USERS)
    user = np.repeat(np.arange(first, first + USERS), counts)
    return user, chance.integers(0, DAYS * DAY_S, len(user))


def _burst(chance: Generator) -> Burst:
    user, day = int(chance.integers(USERS)), int(chance.integers(DAYS // 2, DAYS))
    hour = int(chance.integers(ROBOT_HOUR + 1, 24))
    return Burst(f"user-{user + 1:03}", (BEGIN + timedelta(days=day)).date(), hour, BURST)


def _planted(chance: Generator, burst: Burst, scale: int) -> tuple[Ints, Ints]:
    """User and second of the events of the burst, and of the robots, who come after all users."""
    of_burst = (burst.day - BEGIN.date()).days * DAY_S + burst.hour * HOUR_S
    nights = np.array(ROBOT_DAYS) * DAY_S + ROBOT_HOUR * HOUR_S
    robots = np.repeat(scale * USERS + np.arange(ROBOTS), len(nights) * ROBOT_EVENTS)
    starts = np.tile(np.repeat(nights, ROBOT_EVENTS), ROBOTS)
    user = np.append(np.full(BURST, int(burst.user_name[5:]) - 1), robots)
    return user, np.append(np.full(BURST, of_burst), starts) + chance.integers(0, HOUR_S, len(user))


def _broken(rows: pa.Table) -> list[pa.Table]:
    """Rows that the contract refuses: two without a user, one without a time."""
    return [changed(rows.slice(0, 2), user_name=None), changed(rows.slice(2, 1), started_at=None)]
