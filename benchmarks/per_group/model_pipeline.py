"""What is timed of Backbone: the offers, and a model per user with its accounting and its checks."""

from __future__ import annotations

from backbone import Pipeline, Source, Step
from backbone.pipelines.offer_response.contracts import Offer
from backbone.pipelines.offer_response.offer_models import fit_offer_models

pipeline = Pipeline(
    "models",
    sources=[Source("offer", Offer)],
    steps=[
        Step(
            "offer_model",
            fit_offer_models,
            reads=["formatted.offer"],
            grain=["userid"],
            parameters=["c", "prior", "min_rows"],
            conserves={"n_rows": "count(*) from formatted.offer"},
        )
    ],
    parameters={"c": 1.0, "prior": "none", "min_rows": 1},
)
