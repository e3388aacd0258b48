"""Who comes to the sample shop, how often, and at what hour."""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CUSTOMERS = 250
# Running chances of the hours of a day.
HOURS: Floats = np.cumsum([3, 2, 1, 1, 1, 1, 2, 3, 4, 5, 5, 6, 6, 5, 5, 5, 6, 8, 10, 12, 12, 10, 7, 5.0])

# fmt: off
GENRES = (
    "Action", "Animation", "Children", "Classics", "Comedy", "Documentary", "Drama", "Family",
    "Foreign", "Games", "Horror", "Music", "New", "Sci-Fi", "Sports", "Travel",
)
# fmt: on


@dataclass(frozen=True)
class Customers:
    """Who buys and who reviews, each most active first, with the running sum of their activity."""

    buyers: Ints
    buying: Floats
    reviewers: Ints
    reviewing: Floats
    favourite: Ints  # genre of each buyer, 0 to 15
    loyalty: Floats  # share of a buyer's rentals that are of the favourite genre; less active, more loyal


def draw_customers(rng: Generator, scale: int) -> Customers:
    n = CUSTOMERS * scale
    ids = rng.permutation(n) + 12346
    part = rng.random(n)
    activity = 1.0 / (np.arange(n) / scale + 5.0) ** 0.9
    buys, reviews = part >= 0.15, part < 0.75
    buyers = ids[buys]
    return Customers(
        buyers=buyers,
        buying=np.cumsum(activity[buys]),
        reviewers=ids[reviews],
        reviewing=np.cumsum(activity[reviews]),
        favourite=rng.integers(0, len(GENRES), len(buyers)),
        loyalty=np.linspace(0.4, 0.85, len(buyers)),
    )


def draw(rng: Generator, running: Floats, n: int) -> Ints:
    """Draw n indices with the chances whose running sum is given."""
    drawn: Ints = np.searchsorted(running, rng.random(n) * running[-1], side="right").astype(np.int64)
    return drawn


def seconds(rng: Generator, n: int) -> Ints:
    """Seconds of a day, every hour possible and the evening busiest."""
    return draw(rng, HOURS, n) * 3600 + rng.integers(0, 3600, n)


def instants(day: date, second: Ints) -> NDArray[np.datetime64]:
    return np.datetime64(day, "s") + second.astype("timedelta64[s]")
