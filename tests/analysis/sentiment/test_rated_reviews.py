from __future__ import annotations

import hashlib

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from made_up_reviews import shuffled

from backbone.analysis.sentiment.rated_reviews import RatingScale, choose_reviews, is_held_out, label


@pytest.mark.parametrize(
    ("scale", "ratings", "expected"),
    [
        (RatingScale(), [1, 2, 3, 4, 5], "negative negative neutral positive positive"),
        (RatingScale(), [2.0, 2.5, 3.9, 4.0], "negative neutral neutral positive"),
        (RatingScale(3, 8), [1, 3, 4, 7, 8, 10], "negative negative neutral neutral positive positive"),
    ],
)
def test_a_rating_has_a_label(scale: RatingScale, ratings: list[float], expected: str) -> None:
    assert label(pa.array(ratings), scale).to_pylist() == expected.split()


def test_no_rating_has_no_label() -> None:
    assert label(pa.chunked_array([[None, 1.0], [float("nan")]])).to_pylist() == [None, "negative", None]
    assert label(pa.array([], pa.int8())).to_pylist() == []


@pytest.mark.parametrize("bounds", [(4, 4), (5, 2), (float("nan"), 4)])
def test_a_scale_has_room_between_its_bounds(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="below positive_min"):
        RatingScale(*bounds)


def test_the_smallest_hashes_are_chosen() -> None:
    ids = [f"review {i} é" for i in range(500)]
    by_hash = sorted(ids, key=lambda text: hashlib.blake2b(text.encode(), digest_size=16).digest()[:8])
    reviews = pa.table({"review_id": [*ids, None], "n": range(501)})
    assert choose_reviews(reviews, 40)["review_id"].to_pylist() == by_hash[:40]
    assert choose_reviews(reviews)["review_id"].to_pylist() == by_hash
    assert choose_reviews(reviews, 0).num_rows == 0
    assert choose_reviews(reviews.slice(0, 0), 3).schema == reviews.schema


def test_rows_of_one_id_have_an_order() -> None:
    reviews = pa.table(
        {"review_id": ["a"] * 4, "review_text": ["y", "x", "y", None], "rating": [3, 2, 1, None]}
    )
    assert choose_reviews(reviews, 3) == choose_reviews(shuffled(reviews), 3)


def test_a_number_is_hashed_as_its_text() -> None:
    assert is_held_out(pa.array(range(50))) == is_held_out(pa.array([str(i) for i in range(50)]))


def test_about_a_fifth_is_held_out() -> None:
    reviews = pa.table({"review_id": [f"id-{i}" for i in range(10_000)]})
    assert 1_900 < pc.sum(is_held_out(reviews["review_id"])).as_py() < 2_100
    # The hash that chooses says nothing about who is held out.
    assert 170 < pc.sum(is_held_out(choose_reviews(reviews, 1_000)["review_id"])).as_py() < 230
    assert is_held_out(pa.array([None, "a"]))[0].as_py() is None
