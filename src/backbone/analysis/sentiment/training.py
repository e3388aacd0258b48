"""Learn from the reviews that carry a rating whether a review is negative, neutral or positive.

The words and pairs of words of a review are weighted by TF-IDF and given to a multinomial logistic
regression in which the three classes weigh the same. Which reviews it learns from, and which fifth it is
graded on, follows from a hash of `review_id` alone: the order of the rows, the machine and the day don't
change the model.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

from backbone.analysis.sentiment.model import SentimentModel
from backbone.analysis.sentiment.rated_reviews import (
    LABELS,
    RatingScale,
    choose_reviews,
    is_held_out,
    label,
    usable,
)
from backbone.analysis.sentiment.report import report
from backbone.analysis.sentiment.words import counter, plain

if TYPE_CHECKING:
    import pyarrow as pa

MAX_TERMS = 50_000
# From this many reviews on, a term of a single review is noise; below it, it may be all there is.
RARE_TERMS_GO_FROM = 100
# Small enough to hold back on the words of a few thousand reviews, large enough that the probability
# comes near the share of right answers.
C = 3.0


def train_sentiment(
    reviews: pa.Table, scale: RatingScale | None = None, limit: int = 20_000
) -> SentimentModel:
    """A classifier learnt from the rated reviews, graded on a fifth of them that it never saw.

    Reviews without a rating, an id or any text are left aside. Of the others at most `limit` are chosen
    by hash; a hash-defined fifth of those is held out for the report and never learnt from. When every
    one of a handful is held out, all are learnt from and the report is empty. Where there is only one
    sentiment, or no word to learn from, the model gives every review the commonest answer, and says so
    in `status`.

    Parameters
    ----------
    reviews : review_id string, review_text string, rating of any numeric type.
    scale : 1–5 stars when not given; `RatingScale(3, 8)` fits 1–10.
    limit : how many reviews to choose at most, held out ones included; >= 1.

    Raises
    ------
    StepFailed
        When a column is missing, or no review has both a rating and a text.

    Examples
    --------
    >>> import pyarrow as pa
    >>> model = train_sentiment(pa.table({
    ...     "review_id": [str(i) for i in range(100)],
    ...     "review_text": ["dull", "so so", "wonderful", "dull", "wonderful"] * 20,
    ...     "rating": [1, 3, 5, 2, 4] * 20,
    ... }))
    >>> model.status, model.n_trained + model.n_held_out
    ('trained', 100)
    >>> model.report.column_names
    ['label', 'precision', 'recall', 'f1', 'support']
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import sklearn
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import LogisticRegression

    scale = scale or RatingScale()
    if limit < 1:
        raise ValueError(f"limit must be 1 or more, not {limit}")
    chosen = choose_reviews(usable(reviews), limit)
    answers = pc.index_in(label(chosen["rating"], scale), pa.array(LABELS)).to_numpy(zero_copy_only=False)
    held_out = is_held_out(chosen["review_id"]).to_numpy(zero_copy_only=False).astype(bool)
    if held_out.all():
        held_out[:] = False
    learn, texts = answers[~held_out], chosen["review_text"].filter(pa.array(~held_out))

    classes = sorted(set(learn.tolist()))
    vocabulary: tuple[str, ...] = ()
    weights = classifier = None
    if len(classes) == 1:
        status = f"constant: every review it was trained on is {LABELS[classes[0]]}"
    else:
        vectorizer = counter(min_df=2 if len(learn) >= RARE_TERMS_GO_FROM else 1, max_features=MAX_TERMS)
        try:
            counts = vectorizer.fit_transform(plain(texts))
        except ValueError:  # how scikit-learn says that the vocabulary is empty
            status = "constant: the reviews have no word to learn from"
        else:
            status = "trained"
            vocabulary = tuple(vectorizer.get_feature_names_out().tolist())
            weights = TfidfTransformer(sublinear_tf=True)
            classifier = LogisticRegression(C=C, class_weight="balanced", max_iter=1_000)
            with warnings.catch_warnings(action="ignore"):
                classifier.fit(weights.fit_transform(counts), learn)

    model = SentimentModel(
        status=status,
        scale=scale,
        limit=limit,
        n_trained=len(learn),
        n_held_out=int(held_out.sum()),
        class_counts={name: int((learn == i).sum()) for i, name in enumerate(LABELS)},
        report=report([], []),
        sklearn_version=sklearn.__version__,
        _vocabulary=vocabulary,
        _weights=weights,
        _classifier=classifier,
    )
    unseen = chosen.filter(pa.array(held_out))
    answered = model.classify(unseen["review_text"])["sentiment"].to_pylist()
    return replace(model, report=report(label(unseen["rating"], scale).to_pylist(), answered))
