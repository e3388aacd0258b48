"""A trained classifier of reviews: what it answers, its grades, and its bytes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from backbone.analysis.sentiment.model_bytes import damaged, read_parts, write_parts
from backbone.analysis.sentiment.rated_reviews import LABELS, RatingScale
from backbone.analysis.sentiment.report import report_table
from backbone.analysis.sentiment.words import counter, plain

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

TEXTS_AT_A_TIME = 8_192


@dataclass(frozen=True, eq=False)
class SentimentModel:
    """A trained classifier of reviews, with the grades it got on reviews it had not seen.

    Made by `train_sentiment` or `from_bytes`.

    Attributes
    ----------
    status : `trained`, or `constant: ...` with the reason why every review gets the same answer.
    scale : the ratings that it took for negative and positive.
    limit : how many rated reviews it could choose at most.
    n_trained : reviews it learnt from.
    n_held_out : reviews it was graded on, none of which it learnt from.
    class_counts : reviews it learnt from, by sentiment.
    report : its grades on those, as `sentiment.report.report` gives them.
    sklearn_version : the scikit-learn it was trained with.
    """

    status: str
    scale: RatingScale
    limit: int
    n_trained: int
    n_held_out: int
    class_counts: dict[str, int]
    report: pa.Table
    sklearn_version: str
    _vocabulary: tuple[str, ...] = field(repr=False)
    _weights: Any = field(repr=False)
    _classifier: Any = field(repr=False)

    def classify(self, texts: pa.Array | pa.ChunkedArray) -> pa.Table:
        """The sentiment of each text, with the probability that the model gives it.

        The probability is the model's own, with the three sentiments taken to be equally common
        beforehand. A text that is null, empty or without a word that the model knows says nothing: it
        gets the commonest sentiment of the reviews trained on, with its share of them.

        Parameters
        ----------
        texts : shape (n,), string; `<br />` counts as a space.

        Returns
        -------
        n rows in the same order: sentiment string, probability double in (0, 1]; never null.

        Examples
        --------
        >>> import pyarrow as pa
        >>> from backbone import train_sentiment
        >>> reviews = pa.table({
        ...     "review_id": [str(i) for i in range(40)],
        ...     "review_text": ["dull and boring", "a wonderful film"] * 20,
        ...     "rating": [1, 5] * 20,
        ... })
        >>> model = train_sentiment(reviews)
        >>> model.classify(pa.array(["Boring!", "wonderful<br />film"]))["sentiment"].to_pylist()
        ['negative', 'positive']
        """
        import pyarrow as pa

        schema = pa.schema([("sentiment", pa.string()), ("probability", pa.float64())])
        vectorizer = counter(vocabulary={term: i for i, term in enumerate(self._vocabulary)})
        batches = []
        for start in range(0, len(texts), TEXTS_AT_A_TIME):
            sentiment, probability = self._classify(vectorizer, texts.slice(start, TEXTS_AT_A_TIME))
            batches.append(pa.record_batch([sentiment, pa.array(probability)], schema=schema))
        return pa.Table.from_batches(batches, schema=schema)

    def _classify(
        self, vectorizer: Any, texts: pa.Array | pa.ChunkedArray
    ) -> tuple[pa.Array, npt.NDArray[np.float64]]:
        import numpy as np
        import pyarrow as pa

        common = max(LABELS, key=lambda name: self.class_counts[name])
        answer = np.full(len(texts), LABELS.index(common))
        probability = np.full(len(texts), self.class_counts[common] / self.n_trained)
        if self.status == "trained":
            counts = vectorizer.transform(plain(texts))
            known = np.flatnonzero(np.diff(counts.indptr))
            if len(known):
                chances = self._classifier.predict_proba(self._weights.transform(counts[known]))
                best = chances.argmax(axis=1)
                answer[known] = self._classifier.classes_[best]
                probability[known] = chances[np.arange(len(known)), best]
        return pa.array(LABELS).take(pa.array(answer)), probability

    def row(self) -> dict[str, str | int | float | None]:
        """What it was trained on and how well it did, as one flat row.

        Returns
        -------
        status, limit, n_trained, n_held_out, n_negative, n_neutral, n_positive (trained on),
        negative_max, positive_min, accuracy, macro_f1 (null when nothing was held out) and
        sklearn_version.

        Examples
        --------
        >>> import pyarrow as pa
        >>> from backbone import train_sentiment
        >>> reviews = pa.table({"review_id": ["a"], "review_text": ["fine"], "rating": [5]})
        >>> row = train_sentiment(reviews).row()
        >>> row["status"], row["n_trained"], row["n_positive"], row["accuracy"]
        ('constant: every review it was trained on is positive', 1, 1, None)
        """
        f1 = dict(zip(self.report["label"].to_pylist(), self.report["f1"].to_pylist(), strict=True))
        return {
            "status": self.status,
            "limit": self.limit,
            "n_trained": self.n_trained,
            "n_held_out": self.n_held_out,
            **{f"n_{name}": self.class_counts[name] for name in LABELS},
            "negative_max": self.scale.negative_max,
            "positive_min": self.scale.positive_min,
            "accuracy": f1["accuracy"],
            "macro_f1": f1["macro avg"],
            "sklearn_version": self.sklearn_version,
        }

    def to_bytes(self) -> bytes:
        """The model as skops bytes; the same model gives the same bytes.

        Returns
        -------
        A skops archive of a dict: the fitted scikit-learn parts, the vocabulary as one text with a line
        for each term, and the facts about the training as JSON.
        """
        about = {
            "status": self.status,
            "scale": asdict(self.scale),
            "limit": self.limit,
            "n_trained": self.n_trained,
            "n_held_out": self.n_held_out,
            "class_counts": self.class_counts,
            "report": self.report.to_pydict(),
            "sklearn_version": self.sklearn_version,
        }
        # The vocabulary is one text, as skops would write a file of its own for each of its numbers.
        return write_parts(
            {
                "about": json.dumps(about),
                "vocabulary": "\n".join(self._vocabulary),
                "weights": self._weights,
                "classifier": self._classifier,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> SentimentModel:
        """The model that `to_bytes` wrote.

        Every type named in the bytes has to be a known one before any of it is loaded.

        Raises
        ------
        StepFailed
            When the bytes aren't a skops archive, name any other type, don't hold a whole model, or hold
            one that this scikit-learn can't use.

        Examples
        --------
        >>> import pickle
        >>> SentimentModel.from_bytes(pickle.dumps("a model?"))
        Traceback (most recent call last):
        ...
        backbone.errors.StepFailed: review_model: expected a model in skops bytes, found something else. ...
        """
        import pyarrow as pa

        parts = read_parts(data)
        try:
            about = json.loads(parts["about"])
            model = cls(
                **{
                    **about,
                    "scale": RatingScale(**about["scale"]),
                    "report": report_table(about["report"]),
                    "_vocabulary": tuple(parts["vocabulary"].split("\n")) if parts["vocabulary"] else (),
                    "_weights": parts["weights"],
                    "_classifier": parts["classifier"],
                }
            )
            model._check()
            # A model of a newer scikit-learn may load and then fail to answer.
            model.classify(pa.array(model._vocabulary[:1], pa.string()))
        except Exception as error:  # as a damaged archive may fail anywhere
            raise damaged(error) from error
        return model

    def _check(self) -> None:
        if self.status == "trained":
            n_terms = len(self._vocabulary)
            if len(set(self._vocabulary)) != n_terms:
                raise ValueError("a term occurs twice in the vocabulary")
            if self._weights.idf_.shape != (n_terms,) or self._classifier.coef_.shape[1] != n_terms:
                raise ValueError(f"the weights don't belong to the {n_terms} terms of the vocabulary")
            if not set(self._classifier.classes_.tolist()) <= set(range(len(LABELS))):
                raise ValueError("a class is none of the sentiments")
        if set(self.class_counts) != set(LABELS) or sum(self.class_counts.values()) != self.n_trained:
            raise ValueError("the classes don't add up to the reviews trained on")
        if self.n_trained < 1:
            raise ValueError("it was trained on nothing")
