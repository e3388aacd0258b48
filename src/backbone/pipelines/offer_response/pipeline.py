"""The pipeline: two sources, five tables, none of them with windows."""

from __future__ import annotations

import math

from backbone import AcceptedValues, InRange, NotNull, Pipeline, Source, SqlModel, Step
from backbone.pipelines.offer_response import contracts, offer_models, offer_scores

OFFERS = "formatted.offer"
EVERY_OFFER_ONCE = {"n_rows": f"count(*) from {OFFERS}"}
MODEL_SETTINGS = ["c", "prior", "min_rows"]

pipeline = Pipeline(
    "offer_response",
    every=None,
    sources=[
        Source("offer", contracts.Offer),
        Source("candidate_offer", contracts.CandidateOffer),
    ],
    steps=[
        Step(
            "offer_model",
            offer_models.fit_offer_models,
            reads=[OFFERS],
            grain=["userid"],
            parameters=MODEL_SETTINGS,
            conserves=EVERY_OFFER_ONCE,
            checks=[NotNull("intercept"), AcceptedValues("status", offer_models.STATUSES)],
        ),
        Step(
            "offer_model_quality",
            offer_models.judge_offer_models,
            reads=[OFFERS],
            grain=["userid"],
            parameters=[*MODEL_SETTINGS, "folds"],
            conserves=EVERY_OFFER_ONCE,
        ),
        Step(
            "offer_model_quality_overall",
            offer_models.compare_with_class_rate,
            reads=[OFFERS],
            grain=["approach"],
            parameters=[*MODEL_SETTINGS, "folds"],
        ),
        Step(
            "offer_score",
            offer_scores.score_offers,
            reads=[offer_scores.MODELS, offer_scores.CANDIDATES],
            grain=["userid", "asktimes", "askbackoffdays"],
            measures={
                "users": "count(*) from exploitation.offer_model",
                "candidates": "count(*) from formatted.candidate_offer",
            },
            checks=[NotNull("probability"), InRange("probability", 0, 1), InRange("rank", least=1)],
        ),
        SqlModel(
            "best_offer",
            "best_offer.sql",
            grain=["userid"],
            conserves={"*": "count(distinct userid) from exploitation.offer_score"},
        ),
    ],
    parameters={"c": 1.0, "prior": "none", "min_rows": 1, "folds": 5},
    validators={
        "c": (
            "a number above 0 (inf for no penalty)",
            lambda c: type(c) is not bool and c > 0 and 1.0 / c < math.inf,  # the penalty is 1 / c
        ),
        "prior": ('"none" or "global"', lambda prior: prior in ("none", "global")),
        "min_rows": ("a whole number from 1", lambda rows: type(rows) is int and rows >= 1),
        "folds": ("a whole number from 2 to 127", lambda n: type(n) is int and 2 <= n <= 127),
    },
)
