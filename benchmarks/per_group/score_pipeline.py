"""What is timed of Backbone: every user's probability for every candidate, ranked."""

from __future__ import annotations

from backbone import Pipeline, Source, Step
from backbone.pipelines.offer_response.contracts import CandidateOffer
from backbone.pipelines.offer_response.offer_scores import CANDIDATES, MODELS, score_offers

pipeline = Pipeline(
    "scores",
    sources=[Source("candidate_offer", CandidateOffer)],
    steps=[
        Step(
            "offer_score",
            score_offers,
            reads=[MODELS, CANDIDATES],
            grain=["userid", "asktimes", "askbackoffdays"],
        )
    ],
)
