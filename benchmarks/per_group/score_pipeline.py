"""What is timed of Backbone: every user's probability for every candidate, ranked."""

from __future__ import annotations

from pathlib import Path

import backbone.pipelines.offer_response as shipped
from backbone import Pipeline, Source, SqlModel
from backbone.pipelines.offer_response.contracts import CandidateOffer

pipeline = Pipeline(
    "scores",
    sources=[Source("candidate_offer", CandidateOffer)],
    steps=[
        SqlModel(
            "offer_score",
            str(Path(shipped.__file__).with_name("offer_score.sql")),
            grain=["userid", "asktimes", "askbackoffdays"],
        )
    ],
)
