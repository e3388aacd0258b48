"""The written offers, read with nothing but csv, are what their `Sample` says."""

import csv
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from backbone.pipelines.offer_response.sample import (
    HEAVY_OFFERS,
    HEAVY_USER,
    Sample,
    true_models,
    write_sample,
)

Written = tuple[int, Path, Sample]
Row = list[str]
OFFERS = "landing/temporal/offer/offers.csv"
CANDIDATES = "landing/temporal/candidate_offer/candidate_offers.csv"


@pytest.fixture(scope="module", params=[1, 3], ids="scale {}".format)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    directory = tmp_path_factory.mktemp("sample")
    return request.param, directory, write_sample(directory, scale=request.param)


def rows_of(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as text:
        return list(csv.reader(text))[1:]


def is_good(row: Row) -> bool:
    return row[1] != "" and row[4] in {"0", "1"}


def good_offers(directory: Path) -> list[list[int]]:
    return [[int(value) for value in row] for row in rows_of(directory / OFFERS) if is_good(row)]


def test_sizes_are_those_of_the_scale(written: Written) -> None:
    scale, directory, sample = written
    assert sample.users == 300 * scale
    assert sample.broken_offers == 2 * scale
    assert sample.offers == pytest.approx((300 * 27 + 3000) * scale, rel=0.15)
    assert {path.relative_to(directory).as_posix() for path in directory.rglob("*.csv")} == {
        OFFERS,
        CANDIDATES,
    }


def test_offers_are_as_described(written: Written) -> None:
    _, directory, sample = written
    good = good_offers(directory)
    made = Counter(row[1] for row in good)
    bought = Counter(row[1] for row in good if row[4])
    assert len(good) == sample.offers
    assert sum(bought.values()) == sample.bought
    assert set(made) == set(range(1, sample.users + 1))
    assert sum(n <= 2 for n in made.values()) == sample.new_users > 0
    assert sum(bought[user] in (0, n) for user, n in made.items()) == sample.single_class_users > 0


def test_offers_look_like_a_log(written: Written) -> None:
    _, directory, _ = written
    rows = rows_of(directory / OFFERS)
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
    users = [row[1] for row in rows]
    assert sum(a == b for a, b in pairwise(users)) < len(rows) / 5, "in no order of users"
    assert {row[2] for row in rows} == {row[3] for row in rows} == set("123456789")


def test_sizes_have_a_heavy_tail_and_one_user_outgrows_all(written: Written) -> None:
    scale, directory, _ = written
    sizes = Counter(row[1] for row in good_offers(directory))
    assert HEAVY_OFFERS * scale < sizes.pop(HEAVY_USER) < 2 * HEAVY_OFFERS * scale
    assert np.median(list(sizes.values())) < 20
    assert max(sizes.values()) > 150


def test_broken_rows_are_of_every_kind(written: Written) -> None:
    scale, directory, sample = written
    broken = [row for row in rows_of(directory / OFFERS) if not is_good(row)]
    assert len(broken) == sample.broken_offers
    assert sum(row[4] == "2" for row in broken) == sum(row[1] == "" for row in broken) == scale


def test_candidates_are_those_of_the_seed(written: Written) -> None:
    _, directory, sample = written
    assert rows_of(directory / CANDIDATES) == [[str(n), str(n)] for n in range(1, 10)]
    assert sample.candidates == 9


def test_same_arguments_give_the_same_bytes(tmp_path: Path, written: Written) -> None:
    scale, directory, sample = written
    for attempt in ("first", "over an earlier sample"):
        assert write_sample(tmp_path, scale=scale) == sample, attempt
        for name in (OFFERS, CANDIDATES):
            assert (tmp_path / name).read_bytes() == (directory / name).read_bytes(), attempt


def test_a_larger_scale_gives_the_same_and_more(tmp_path: Path) -> None:
    write_sample(tmp_path / "1")
    write_sample(tmp_path / "2", scale=2)
    one, two = ((tmp_path / name / OFFERS).read_bytes() for name in ("1", "2"))
    assert two.startswith(one)
    assert true_models(2).slice(0, 300).equals(true_models(1))


def test_another_seed_gives_other_rows(tmp_path: Path) -> None:
    one, other = write_sample(tmp_path / "0"), write_sample(tmp_path / "1", seed=1)
    assert one.users == other.users
    assert one.bought != other.bought
    assert not true_models(seed=1).equals(true_models())


@pytest.mark.parametrize(("scale", "seed"), [(0, 0), (-1, 0), (1, -1)])
def test_nothing_is_written_for_a_wrong_argument(tmp_path: Path, scale: int, seed: int) -> None:
    with pytest.raises(ValueError, match="Nothing was written"):
        write_sample(tmp_path, scale=scale, seed=seed)
    with pytest.raises(ValueError, match=f"found scale {scale} and seed {seed}"):
        true_models(scale, seed)
    assert list(tmp_path.iterdir()) == []


def test_outcomes_follow_the_true_models(written: Written) -> None:
    """The offers bought are as many as the true probabilities let expect, whatever part one looks at."""
    scale, directory, _ = written
    offers = np.array(good_offers(directory))
    models = true_models(scale)
    user = offers[:, 1] - 1
    score = (
        models["intercept"].to_numpy()[user]
        + models["coef_asktimes"].to_numpy()[user] * offers[:, 2]
        + models["coef_askbackoffdays"].to_numpy()[user] * offers[:, 3]
    )
    chance = 1.0 / (1.0 + np.exp(-score))
    few, sure = np.bincount(user) <= 2, np.abs(models["intercept"].to_numpy()) > 20
    parts = {
        "all": np.ones(len(user), bool),
        "of the heavy user": offers[:, 1] == HEAVY_USER,
        "of the others": offers[:, 1] != HEAVY_USER,
        "to new users": few[user],
        "often asked": offers[:, 2] > 6,
        "long apart": offers[:, 3] > 6,
        "unlikely": chance < 0.2,
        "likely": chance > 0.8,
    }
    for name, part in parts.items():
        expected, spread = chance[part].sum(), np.sqrt((chance * (1 - chance))[part].sum())
        assert part.sum() > 20, name
        assert abs(offers[part, 4].sum() - expected) < 4 * spread, name
    assert set(offers[sure[user] & (score > 0), 4]) == {1}
    assert set(offers[sure[user] & (score < 0), 4]) == {0}
