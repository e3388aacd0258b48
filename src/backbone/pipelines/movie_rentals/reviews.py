"""Sentiment of reviews: train a classifier, grade it, and classify each window's reviews."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from backbone import StepContext, StepFailed

if TYPE_CHECKING:
    import pyarrow as pa

    from backbone import SentimentModel

MOST_REVIEWS = 20_000
REVIEWS = "formatted.movie_review"
MODEL = "exploitation.review_model"


def train_review_model(context: StepContext) -> pa.Table:
    """One row with the trained classifier; none while there are no reviews at all.

    Raises
    ------
    StepFailed
        When there are reviews and none of them is rated.
    """
    import pyarrow as pa

    from backbone import RatingScale, choose_reviews, train_sentiment

    rated = context.query(f"select review_id from {REVIEWS} where rating is not null").read_all()
    if not rated.num_rows:
        reviews = context.query(f"select count(*) as n from {REVIEWS}").read_all()["n"][0].as_py()
        if reviews:
            raise StepFailed(
                MODEL,
                f"expected rated reviews to train on, found none among {reviews:,}",
                "No model is published, so no review is classified.",
                "have some reviews delivered with a rating, or map the column: "
                '[sources.movie_review] columns = { rating = "name in the file" }',
            )
        return pa.table({name: pa.array([], kind) for name, kind in _model_types().items()})
    functions = context.functions
    chosen = choose_reviews(rated, MOST_REVIEWS)["review_id"].to_pylist()
    texts = context.query(
        f"select review_id, review_text, rating from {REVIEWS} where rating is not null "
        f"and {functions.one_of('review_id', map(functions.text, chosen))}"
    ).read_all()
    scale = RatingScale(context.parameters["negative_max"], context.parameters["positive_min"])
    model = train_sentiment(texts, scale, MOST_REVIEWS)
    data = model.to_bytes()
    row = model.row() | {
        "model_id": hashlib.sha256(data).hexdigest()[:16],
        "review_version": context.versions[REVIEWS],
        "model": data,
    }
    return pa.table({name: pa.array([row[name]], kind) for name, kind in _model_types().items()})


def grade_review_model(context: StepContext) -> pa.Table:
    """The classification report of the model in force, a row per class and average."""
    import pyarrow as pa

    found = _model_in_force(context)
    if found is None:
        kinds = {"model_id": pa.string(), "label": pa.string(), "support": pa.int64()}
        names = ("model_id", "label", "precision", "recall", "f1", "support")
        return pa.table({name: pa.array([], kinds.get(name, pa.float64())) for name in names})
    model_id, model = found
    return model.report.add_column(0, "model_id", pa.array([model_id] * model.report.num_rows, pa.string()))


def classify_reviews(context: StepContext) -> pa.RecordBatchReader:
    """Every review of the window with a sentiment read in its text, whether or not it is rated."""
    import pyarrow as pa

    names = ["review_id", "customer_id", "reviewed_at", "rating"]
    reviews = context.read(REVIEWS, [*names, "review_text"])
    copied = [reviews.schema.field(name) for name in names]
    added = [
        pa.field("sentiment", pa.string()),
        pa.field("probability", pa.float64()),
        pa.field("model_id", pa.string()),
    ]
    schema = pa.schema([*copied, *added])

    def classified() -> Iterator[pa.RecordBatch]:
        for batch in reviews:
            found = _model_in_force(context)
            if found is None:  # which the training forbids: it fails where there are reviews
                raise StepFailed(MODEL, "expected a model, found none")
            model_id, model = found
            answers = model.classify(batch.column("review_text")).combine_chunks()
            columns = [batch.column(name) for name in names]
            columns += [answers[name].combine_chunks() for name in ("sentiment", "probability")]
            columns.append(pa.array([model_id] * batch.num_rows, pa.string()))
            yield pa.record_batch(columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, classified())


def _model_in_force(context: StepContext) -> tuple[str, SentimentModel] | None:
    rows = context.query(f"select model_id from {MODEL}").read_all()["model_id"].to_pylist()
    if not rows:
        return None
    return rows[0], _loaded(rows[0], context)


_in_memory: dict[str, SentimentModel] = {}


def _loaded(model_id: str, context: StepContext) -> SentimentModel:
    """The model of this id, read once however many windows ask for it."""
    from backbone import SentimentModel

    if model_id not in _in_memory:
        _in_memory.clear()
        data = context.query(f"select model from {MODEL}").read_all()["model"][0].as_py()
        _in_memory[model_id] = SentimentModel.from_bytes(data)
    return _in_memory[model_id]


def _model_types() -> dict[str, pa.DataType]:
    import pyarrow as pa

    text, integer, real = pa.string(), pa.int64(), pa.float64()
    return {
        "model_id": text, "status": text, "n_trained": integer, "n_held_out": integer, "n_negative": integer,
        "n_neutral": integer, "n_positive": integer, "negative_max": real, "positive_min": real,
        "accuracy": real, "macro_f1": real, "review_version": integer, "sklearn_version": text,
        "model": pa.binary(),
    }  # fmt: skip
