"""Rated reviews without a source."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa

OPINIONS = {
    1: ["dull", "boring", "awful", "waste", "worst"],
    3: ["average", "fair", "watchable", "decent", "plain"],
    5: ["wonderful", "superb", "moving", "great", "best"],
}


def made_up(n: int, ratings: tuple[int, ...] = (1, 3, 5), seed: int = 7) -> pa.Table:
    """Reviews whose words mostly fit their rating."""
    chance = random.Random(seed)
    rating = [chance.choice(ratings) for _ in range(n)]
    words = [OPINIONS[r if chance.random() < 0.8 else chance.choice(ratings)] for r in rating]
    return pa.table(
        {
            "review_id": [f"r{i}" for i in range(n)],
            "review_text": [
                "the film was " + " and ".join(chance.choices(opinion, k=3)) for opinion in words
            ],
            "rating": rating,
        }
    )


def shuffled(reviews: pa.Table, seed: int = 1) -> pa.Table:
    return reviews.take(np.random.default_rng(seed).permutation(len(reviews)))
