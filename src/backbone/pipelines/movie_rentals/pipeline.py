"""The pipeline: seven sources, five tables."""

from __future__ import annotations

from backbone import InRange, Pipeline, Source, SqlModel, Step
from backbone.pipelines.movie_rentals import contracts, reviews

pipeline = Pipeline(
    "movie_rentals",
    every="day",
    sources=[
        Source("user_purchase", contracts.UserPurchase, event_time="purchased_at"),
        Source("movie_review", contracts.MovieReview, event_time="reviewed_at"),
        Source("rental", contracts.Rental, event_time="rented_at"),
        Source("payment", contracts.Payment, event_time="paid_at"),
        Source("inventory", contracts.Inventory),
        Source("film_category", contracts.FilmCategory),
        Source("category", contracts.Category),
    ],
    steps=[
        Step(
            "review_model",
            reviews.train_review_model,
            reads=["formatted.movie_review"],
            grain=["model_id"],
            schema=contracts.ReviewModel,
            parameters=["negative_max", "positive_min"],
            windowed=False,
        ),
        Step(
            "review_model_report",
            reviews.grade_review_model,
            reads=["exploitation.review_model"],
            grain=["model_id", "label"],
            schema=contracts.ReviewModelReport,
            windowed=False,
        ),
        Step(
            "classified_review",
            reviews.classify_reviews,
            reads=["formatted.movie_review"],
            pins=["exploitation.review_model"],
            grain=["review_id"],
            schema=contracts.ClassifiedReview,
            conserves={"*": "count(*) from formatted.movie_review"},
        ),
        SqlModel(
            "user_behavior_metric",
            "user_behavior_metric.sql",
            grain=["customer_id"],
            conserves={
                "amount_spent": "sum(quantity * unit_price) from formatted.user_purchase "
                "where customer_id is not null",
                "review_count": "count(*) from exploitation.classified_review",
                "review_score": "count(*) from exploitation.classified_review where sentiment = 'positive'",
            },
            measures={
                "purchases_without_customer": "count(*) from formatted.user_purchase "
                "where customer_id is null"
            },
            checks=[InRange("review_count", least=0), InRange("review_score", least=0)],
        ),
        SqlModel(
            "customer_genre_metric",
            "customer_genre_metric.sql",
            grain=["customer_id", "category"],
            read_whole=["formatted.rental"],
            conserves={
                "amount": "sum(amount) from formatted.payment",
                "rentals": "count(*) from formatted.rental",
            },
        ),
    ],
    parameters={"negative_max": 2, "positive_min": 4},
)
