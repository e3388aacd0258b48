"""Which reviews are rated and what that stands for; which are learnt from and which are for grading."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backbone.errors import StepFailed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

LABELS = ("negative", "neutral", "positive")
WHERE = "review_model"  # what errors of learning from reviews are about


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


def usable(reviews: pa.Table) -> pa.Table:
    """The reviews with an id, a text and a rating: the columns review_id, review_text and rating of them.

    Raises
    ------
    StepFailed
        When a column is missing, ratings are no numbers, or no review has both a rating and a text.
    """
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


def choose_reviews(reviews: pa.Table, limit: int = 20_000) -> pa.Table:
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
    >>> choose_reviews(reviews, 2)["review_id"].to_pylist()
    ['d', 'a']
    >>> choose_reviews(reviews.take([4, 3, 2, 1, 0]), 2)["review_id"].to_pylist()
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

    Uses another part of the hash than `choose_reviews`, so that the reviews chosen hold a fifth as well.

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
    held_out = pa.array(_hashes(ids)[:, 1] % 5 == 0)
    return pc.if_else(pc.is_valid(ids), held_out, pa.scalar(None, pa.bool_()))


def _one_array(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _hashes(review_id: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """Two independent hashes of each id: the halves of a 16-byte BLAKE2b of its text."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = pc.fill_null(pc.cast(review_id, pa.string()), "").to_pylist()
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=16).digest() for text in ids)
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64).reshape(-1, 2)
