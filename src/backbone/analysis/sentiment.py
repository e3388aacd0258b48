"""Whether a review is negative, neutral or positive, learnt from the reviews that carry a rating.

The words and pairs of words of a review are weighted by TF-IDF and given to a multinomial logistic
regression in which the three classes weigh the same. Which reviews it learns from, and which fifth it is
graded on, follows from a hash of `review_id` alone: the order of the rows, the machine and the day don't
change the model.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from backbone.errors import StepFailed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

LABELS = ("negative", "neutral", "positive")
WHERE = "review_model"
FORMAT = "backbone sentiment 1"

# One-letter words count: the `t` of "don't" and the marks of "3/10" are worth 1.5 points of macro F1.
WORD = r"(?u)\b\w+\b"
LINE_BREAK = r"(?i)<br\s*/?>"
MAX_TERMS = 50_000
# From this many reviews on, a term of a single review is noise; below it, it may be all there is.
RARE_TERMS_GO_FROM = 100
# Small enough to hold back on the words of a few thousand reviews, large enough that the probability
# comes near the share of right answers.
C = 3.0
TEXTS_AT_A_TIME = 8_192

# What a stored model may consist of, and the skops nodes that may build it. None of them runs code.
TRUSTED_TYPES = frozenset(
    {
        "builtins.dict",
        "builtins.list",
        "builtins.str",
        "builtins.tuple",
        "numpy.float64",
        "numpy.int64",
        "numpy.ndarray",
        "sklearn.feature_extraction.text.TfidfTransformer",
        "sklearn.linear_model._logistic.LogisticRegression",
    }
)
TRUSTED_NODES = frozenset(
    {"DictNode", "JsonNode", "ListNode", "NdArrayNode", "ObjectNode", "TupleNode", "TypeNode"}
)


@dataclass(frozen=True)
class RatingScale:
    """Which ratings are negative, and which positive; those between are neutral.

    Parameters
    ----------
    negative_max : the highest rating that is negative, in the unit of the rating.
    positive_min : the lowest rating that is positive; above `negative_max`.

    Raises
    ------
    ValueError
        When `negative_max` is not below `positive_min`.

    Examples
    --------
    >>> RatingScale()
    RatingScale(negative_max=2, positive_min=4)
    >>> RatingScale(8, 3)
    Traceback (most recent call last):
    ...
    ValueError: negative_max must be below positive_min, not 8 and 3
    """

    negative_max: float = 2
    positive_min: float = 4

    def __post_init__(self) -> None:
        if not self.negative_max < self.positive_min:
            raise ValueError(
                f"negative_max must be below positive_min, not {self.negative_max} and {self.positive_min}"
            )


def label(ratings: pa.Array | pa.ChunkedArray, scale: RatingScale | None = None) -> pa.Array:
    """The sentiment that each rating stands for.

    Parameters
    ----------
    ratings : shape (n,), any numeric type.
    scale : 1–5 stars when not given.

    Returns
    -------
    shape (n,), string: `negative`, `neutral` or `positive`; null where the rating is null or NaN.

    Examples
    --------
    >>> import pyarrow as pa
    >>> label(pa.array([1, 3, 4, None])).to_pylist()
    ['negative', 'neutral', 'positive', None]
    >>> label(pa.array([3.5]), RatingScale(3, 8)).to_pylist()
    ['neutral']
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    scale = scale or RatingScale()
    number = pc.cast(_one_array(ratings), pa.float64())
    number = pc.if_else(pc.is_nan(number), pa.scalar(None, pa.float64()), number)
    upper = pc.if_else(pc.greater_equal(number, float(scale.positive_min)), "positive", "neutral")
    return pc.if_else(pc.less_equal(number, float(scale.negative_max)), "negative", upper)


def choose(reviews: pa.Table, limit: int = 20_000) -> pa.Table:
    """The reviews with the smallest hash of `review_id`: the same ones on every machine, in any row order.

    Parameters
    ----------
    reviews : with a column `review_id`; every other column is kept.
    limit : how many rows at most, >= 0.

    Returns
    -------
    At most `limit` rows, by rising hash. Rows that share a `review_id` are put in order by `review_text`
    and `rating`, where those are present; rows without a `review_id` are never chosen.

    Examples
    --------
    >>> import pyarrow as pa
    >>> reviews = pa.table({"review_id": ["a", "b", "c", "d", None]})
    >>> choose(reviews, 2)["review_id"].to_pylist()
    ['d', 'a']
    >>> choose(reviews.take([4, 3, 2, 1, 0]), 2)["review_id"].to_pylist()
    ['d', 'a']
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if limit < 0:
        raise ValueError(f"limit must be 0 or more, not {limit}")
    known = reviews.filter(pc.is_valid(reviews["review_id"]))
    hashes = _hashes(known["review_id"])[:, 0]
    if limit < known.num_rows:
        # Narrow down by the hash alone first: the sort below may have to compare texts.
        near = hashes <= np.partition(hashes, max(limit - 1, 0))[max(limit - 1, 0)]
        known, hashes = known.filter(pa.array(near)), hashes[near]
    keys = {"hash": pa.array(hashes), "review_id": pc.cast(known["review_id"], pa.string())}
    if "review_text" in known.column_names:
        keys["review_text"] = pc.cast(known["review_text"], pa.string())
    if "rating" in known.column_names:
        keys["rating"] = known["rating"]
    order = pc.sort_indices(pa.table(keys), sort_keys=[(name, "ascending") for name in keys])
    return known.take(order[:limit])


def is_held_out(review_id: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Whether a review belongs to the fifth that is kept for grading.

    Uses another part of the hash than `choose`, so that the reviews chosen hold a fifth as well.

    Parameters
    ----------
    review_id : shape (n,), a string or anything that has a text.

    Returns
    -------
    shape (n,), bool; null where `review_id` is null.

    Examples
    --------
    >>> import pyarrow as pa
    >>> is_held_out(pa.array(["a", "b", None])).to_pylist()
    [True, False, None]
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = _one_array(review_id)
    held = pa.array(_hashes(ids)[:, 1] % 5 == 0)
    return pc.if_else(pc.is_valid(ids), held, pa.scalar(None, pa.bool_()))


@dataclass(frozen=True, eq=False)
class SentimentModel:
    """A trained classifier of reviews, with the grades it got on reviews it had not seen.

    Made by `train` or `from_bytes`.

    Attributes
    ----------
    status : `trained`, or `constant: ...` with the reason why every review gets the same answer.
    scale : the ratings that it took for negative and positive.
    limit : how many rated reviews it could choose at most.
    n_trained : reviews it learnt from.
    n_held_out : reviews it was graded on, none of which it learnt from.
    class_counts : reviews it learnt from, by sentiment.
    report : label string, precision, recall, f1 double, support int64; one row for each sentiment,
        `accuracy`, `macro avg` and `weighted avg`. The numbers are those of scikit-learn's
        `classification_report`. Accuracy stands in all three columns, as precision, recall and F1 over
        all reviews are equal to it. A sentiment that is neither held out nor answered has null metrics
        and is left out of the averages; all metrics are null when nothing is held out.
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
        >>> reviews = pa.table({
        ...     "review_id": [str(i) for i in range(40)],
        ...     "review_text": ["dull and boring", "a wonderful film"] * 20,
        ...     "rating": [1, 5] * 20,
        ... })
        >>> model = train(reviews)
        >>> model.classify(pa.array(["Boring!", "wonderful<br />film"]))["sentiment"].to_pylist()
        ['negative', 'positive']
        """
        import pyarrow as pa

        schema = pa.schema([("sentiment", pa.string()), ("probability", pa.float64())])
        vectorizer = _vectorizer(vocabulary={term: i for i, term in enumerate(self._vocabulary)})
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
            counts = vectorizer.transform(_plain(texts))
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
        >>> row = train(pa.table({"review_id": ["a"], "review_text": ["fine"], "rating": [5]})).row()
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
        import skops.io

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
        parts = {
            "format": FORMAT,
            "about": json.dumps(about),
            "vocabulary": "\n".join(self._vocabulary),
            "weights": self._weights,
            "classifier": self._classifier,
        }
        return _canonical(skops.io.dumps(parts))

    @classmethod
    def from_bytes(cls, data: bytes) -> SentimentModel:
        """The model that `to_bytes` wrote.

        Every type named in the bytes has to be on the list of this module before any of it is loaded.

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
        import sklearn
        import skops.io

        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                strange = sorted(set(_strange(json.loads(archive.read("schema.json")))))
        except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError) as error:
            raise _refused("expected a model in skops bytes, found something else") from error
        if strange:
            raise _refused(f"expected a model of known types, found {', '.join(strange)}")
        try:
            with _quiet():
                parts = skops.io.loads(data, trusted=[])
            if parts["format"] != FORMAT:
                raise ValueError(f"format {parts['format']}")
            about = json.loads(parts["about"])
            model = cls(
                **{
                    **about,
                    "scale": RatingScale(**about["scale"]),
                    "report": _report_table(about["report"]),
                    "_vocabulary": tuple(parts["vocabulary"].split("\n")) if parts["vocabulary"] else (),
                    "_weights": parts["weights"],
                    "_classifier": parts["classifier"],
                }
            )
            model._check()
            # A model of a newer scikit-learn may load and then fail to answer.
            model.classify(pa.array(model._vocabulary[:1], pa.string()))
        except Exception as error:  # a damaged archive fails in as many ways as it has bytes
            problem = f"expected a whole model that scikit-learn {sklearn.__version__} can use"
            raise _refused(f"{problem}, found a damaged or foreign one ({error})") from error
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


def train(reviews: pa.Table, scale: RatingScale | None = None, limit: int = 20_000) -> SentimentModel:
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
    >>> model = train(pa.table({
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
    chosen = choose(_rated(reviews), limit)
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
        vectorizer = _vectorizer(min_df=2 if len(learn) >= RARE_TERMS_GO_FROM else 1, max_features=MAX_TERMS)
        try:
            counts = vectorizer.fit_transform(_plain(texts))
        except ValueError:  # how scikit-learn says that the vocabulary is empty
            status = "constant: the reviews have no word to learn from"
        else:
            status = "trained"
            vocabulary = tuple(vectorizer.get_feature_names_out().tolist())
            weights = TfidfTransformer(sublinear_tf=True)
            classifier = LogisticRegression(C=C, class_weight="balanced", max_iter=1_000)
            with _quiet():
                classifier.fit(weights.fit_transform(counts), learn)

    model = SentimentModel(
        status=status,
        scale=scale,
        limit=limit,
        n_trained=len(learn),
        n_held_out=int(held_out.sum()),
        class_counts={name: int((learn == i).sum()) for i, name in enumerate(LABELS)},
        report=_report([], []),
        sklearn_version=sklearn.__version__,
        _vocabulary=vocabulary,
        _weights=weights,
        _classifier=classifier,
    )
    unseen = chosen.filter(pa.array(held_out))
    answered = model.classify(unseen["review_text"])["sentiment"].to_pylist()
    report = _report(label(unseen["rating"], scale).to_pylist(), answered)
    return replace(model, report=report)


def _rated(reviews: pa.Table) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    missing = [name for name in ("review_id", "review_text", "rating") if name not in reviews.column_names]
    if missing:
        raise StepFailed(
            WHERE,
            f"expected columns review_id, review_text and rating, found no {' and no '.join(missing)}",
            "No model is written.",
            "map the column in backbone.toml",
        )
    reviews = reviews.select(["review_id", "review_text", "rating"])
    rating = reviews["rating"].type
    numeric = pa.types.is_integer(rating) or pa.types.is_floating(rating) or pa.types.is_decimal(rating)
    if not (numeric or pa.types.is_null(rating)):
        raise StepFailed(
            WHERE,
            f"expected ratings that are numbers, found {rating}",
            "No model is written.",
            "give `rating` a numeric type in the contract of the reviews",
        )
    plain = [("review_id", pa.string()), ("review_text", pa.string()), ("rating", rating)]
    reviews = reviews.cast(pa.schema(plain))
    has_text = pc.fill_null(pc.match_substring_regex(reviews["review_text"], r"\S"), False)
    has_rating = pc.is_valid(label(reviews["rating"]))
    keep = pc.and_(pc.and_(has_text, has_rating), pc.is_valid(reviews["review_id"]))
    rated = reviews.filter(keep)
    if rated.num_rows == 0:
        raise StepFailed(
            WHERE,
            f"expected reviews with a rating and a text to learn from, found none among {len(reviews)}",
            "No model is written.",
            "check which column is mapped to `rating`, or land rated reviews",
        )
    return rated


def _one_array(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _hashes(review_id: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """Two independent hashes of each id: the halves of a 16-byte BLAKE2b of its text."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = pc.fill_null(pc.cast(_one_array(review_id), pa.string()), "").to_pylist()
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=16).digest() for text in ids)
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64).reshape(-1, 2)


def _vectorizer(**options: Any) -> Any:
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(token_pattern=WORD, ngram_range=(1, 2), **options)


def _plain(texts: pa.Array | pa.ChunkedArray) -> list[str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = pc.fill_null(pc.cast(_one_array(texts), pa.string()), "")
    text: list[str] = pc.replace_substring_regex(plain, LINE_BREAK, " ").to_pylist()
    return text


def _report(truth: list[str], answered: list[str]) -> pa.Table:
    from sklearn.metrics import classification_report

    found: dict[str, Any] = {}
    if truth:
        with _quiet():
            found = classification_report(truth, answered, output_dict=True, zero_division=0)
        # Over all reviews, precision, recall and F1 are one number.
        share = found["accuracy"]
        found["accuracy"] = dict.fromkeys(("precision", "recall", "f1-score"), share)
        found["accuracy"]["support"] = len(truth)
    rows = [(name, found.get(name, {})) for name in (*LABELS, "accuracy", "macro avg", "weighted avg")]
    return _report_table(
        {
            "label": [name for name, _ in rows],
            "precision": [row.get("precision") for _, row in rows],
            "recall": [row.get("recall") for _, row in rows],
            "f1": [row.get("f1-score") for _, row in rows],
            "support": [int(row.get("support", 0)) for _, row in rows],
        }
    )


def _report_table(columns: dict[str, list[Any]]) -> pa.Table:
    import pyarrow as pa

    metrics = [(name, pa.float64()) for name in ("precision", "recall", "f1")]
    return pa.table(columns, schema=pa.schema([("label", pa.string()), *metrics, ("support", pa.int64())]))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without scikit-learn's remarks on small or one-sided data, which `status` and the report tell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _refused(problem: str) -> StepFailed:
    return StepFailed(WHERE, problem, "Nothing of it was loaded.", "train the model again")


def _strange(node: Any) -> Iterator[str]:
    """The types and loaders named anywhere in a skops schema that this module doesn't write."""
    if isinstance(node, dict):
        if "__loader__" in node and node["__loader__"] not in TRUSTED_NODES:
            yield str(node["__loader__"])
        if "__class__" in node:
            name = f"{node.get('__module__')}.{node['__class__']}"
            if name not in TRUSTED_TYPES:
                yield name
    if isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _strange(child)


def _canonical(data: bytes) -> bytes:
    """A skops archive without the clock time and the memory addresses that it was written with.

    skops names objects and files by address; here they are numbered as they appear.
    """
    numbers: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return found[1] + numbers.setdefault(found[2], str(len(numbers) + 1)) + found[3]

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    schema = contents.pop("schema.json").decode()
    schema = re.sub(r'("__id__": )(\d+)()', number, schema)
    schema = re.sub(r'("file": ")(\d+)(\.\w+")', number, schema)
    files = {re.sub(r"()(\d+)(\..*)", number, name): content for name, content in contents.items()}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in [*sorted(files.items()), ("schema.json", schema.encode())]:
            archive.writestr(zipfile.ZipInfo(name), content)
    return target.getvalue()
