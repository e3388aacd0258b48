"""A pipeline of one source and no tables: what it costs to have a checked, accounted table of a file."""

from __future__ import annotations

from backbone.pipeline import Pipeline, Source
from backbone.pipelines.movie_rentals.contracts import UserPurchase

pipeline = Pipeline(
    "purchases",
    every="day",
    sources=[Source("user_purchase", UserPurchase, event_time="purchased_at")],
    steps=[],
)
