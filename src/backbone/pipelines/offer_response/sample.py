"""Sample offers from a seed, at any scale, to users whose true models are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numpy.random import PCG64, Generator
from pyarrow import csv

from backbone.pipelines.samples import changed, refuse_nonsense

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

OFFERS = Path("landing/temporal/offer/offers.csv")
CANDIDATES = Path("landing/temporal/candidate_offer/candidate_offers.csv")

# Everything is drawn in parts, one for each unit of scale.
USERS = 300
HEAVY_USER, HEAVY_OFFERS = 1, 3000  # made to that one user in every part
MOST = 9  # times asked, and days between

# The true intercept and the coefficients of asktimes and askbackoffdays: mean and deviation over users.
MEAN: Floats = np.array([-2.2, 0.25, 0.15])
DEVIATION: Floats = np.array([1.0, 0.35, 0.25])
NEVER, ALWAYS, NEW = 0.06, 0.03, 0.10  # parts of the users: they never buy, always buy, have just come
SURE = 30.0  # the logit of who always buys
# Of the logarithm of a user's number of offers: 15 is the median, 27 the mean, and one in 100 has over 180.
OFFERS_MEAN, OFFERS_DEVIATION = 2.66, 1.1

COLUMNS = ("offerid", "userid", "asktimes", "askbackoffdays", "bought_offer")
BROKEN: tuple[tuple[str, int | None], ...] = (("bought_offer", 2), ("userid", None))
"""How two more rows of every part are broken: the column, and what stands in it."""


@dataclass(frozen=True)
class Sample:
    """What is true of a written sample, for tests and the demo to be held to.

    Attributes
    ----------
    users : 300 × scale, numbered from 1; each has a good offer.
    offers : good rows, at least 3,000 × scale of them to `HEAVY_USER`.
    bought : those of them that were bought.
    new_users : users with one or two good offers.
    single_class_users : users who bought after all of their good offers, or after none.
    broken_offers : rows with 2 for bought_offer, or without a userid; 2 × scale. They come on top of the
        good ones and are in no other number.
    candidates : 9.
    """

    users: int
    offers: int
    bought: int
    new_users: int
    single_class_users: int
    broken_offers: int
    candidates: int


def write_sample(directory: Path, scale: int = 1, seed: int = 0) -> Sample:
    """Drop offers and candidates into temporal landing, and say what is in them.

    The same scale and seed give the same bytes, and a larger scale the same bytes and more. Files of the
    same name are replaced. Memory does not grow with the scale.

    Parameters
    ----------
    directory : a project's folder, or any; made when missing. Gets `landing/temporal/offer/offers.csv` and
        `landing/temporal/candidate_offer/candidate_offers.csv` (UTF-8). Offers are in no order of users.
    scale : how many times 300 users with 27 offers each on average, and 3,000 more to one user; >= 1.
    seed : >= 0.

    Raises
    ------
    ValueError
        When scale < 1 or seed < 0; nothing is written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as directory:
    ...     sample = write_sample(Path(directory))
    >>> sample.users, sample.candidates, sample.broken_offers
    (300, 9, 2)
    """
    refuse_nonsense(scale, seed)
    for path in (OFFERS, CANDIDATES):
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
    plain = csv.WriteOptions(quoting_style="none")
    candidates = _candidates()
    csv.write_csv(candidates, directory / CANDIDATES, plain)

    made, bought = np.zeros(USERS * scale, np.int64), np.zeros(USERS * scale, np.int64)
    written = 0
    columns = pa.schema([(name, pa.int64()) for name in COLUMNS])
    with csv.CSVWriter(directory / OFFERS, columns, write_options=plain) as file:
        for part in range(scale):
            users = _users(seed, part)
            rows, bought_by = _offers(Generator(PCG64([seed, part, 1])), users)
            np.add.at(made, users.userid - 1, users.offers)
            np.add.at(bought, users.userid - 1, bought_by)
            offerid = pa.array(np.arange(written, written + rows.num_rows) + 1)
            file.write_table(rows.add_column(0, COLUMNS[0], offerid))
            written += rows.num_rows
    return Sample(
        users=len(made),
        offers=int(made.sum()),
        bought=int(bought.sum()),
        new_users=int((made <= 2).sum()),
        single_class_users=int(((bought == 0) | (bought == made)).sum()),
        broken_offers=written - int(made.sum()),
        candidates=candidates.num_rows,
    )


def true_models(scale: int = 1, seed: int = 0) -> pa.Table:
    """The models that the outcomes of a sample are drawn from.

    Parameters
    ----------
    scale, seed : those of the sample.

    Returns
    -------
    A row per user, in order, with `userid`, and of the logit of buying `intercept`, `coef_asktimes` and
    `coef_askbackoffdays`.

    Examples
    --------
    >>> true_models().slice(0, 1).to_pylist()
    [{'userid': 1, 'intercept': -2.2, 'coef_asktimes': 0.25, 'coef_askbackoffdays': 0.15}]
    """
    refuse_nonsense(scale, seed)
    true = np.concatenate([_users(seed, part).true[:USERS] for part in range(scale)])
    names = ("intercept", "coef_asktimes", "coef_askbackoffdays")
    return pa.table({"userid": np.arange(len(true)) + 1, **dict(zip(names, true.T, strict=True))})


def _candidates() -> pa.Table:
    """As often as days apart, from once to nine times."""
    diagonal = np.arange(1, MOST + 1)
    return pa.table({"asktimes": diagonal, "askbackoffdays": diagonal})


@dataclass(frozen=True)
class _Users:
    """The users of a part, and last the heavy one, who has offers in every part.

    `true` has the shape (users + 1, 3), the others (users + 1,); `offers` counts those made to them.
    """

    userid: Ints
    true: Floats
    offers: Ints


def _users(seed: int, part: int) -> _Users:
    rng = Generator(PCG64([seed, part, 0]))
    true = rng.normal(MEAN, DEVIATION, (USERS, len(MEAN)))
    kind = rng.random(USERS)
    true[kind < NEVER + ALWAYS] = [SURE, 0.0, 0.0]
    true[kind < NEVER] = [-SURE, 0.0, 0.0]
    offers = np.ceil(rng.lognormal(OFFERS_MEAN, OFFERS_DEVIATION, USERS)).astype(np.int64)
    new = rng.random(USERS) < NEW
    offers[new] = rng.integers(1, 3, int(new.sum()))
    userid = USERS * part + np.arange(USERS) + 1
    true[userid == HEAVY_USER] = MEAN
    return _Users(np.append(userid, HEAVY_USER), np.vstack([true, MEAN]), np.append(offers, HEAVY_OFFERS))


def _offers(rng: Generator, users: _Users) -> tuple[pa.Table, Ints]:
    """The rows of a part without their offerid, the broken ones last; and how many each user bought after."""
    to = rng.permutation(np.repeat(np.arange(len(users.offers)), users.offers))
    asks, days = rng.integers(1, MOST + 1, (2, len(to)))
    intercept, of_asks, of_days = users.true[to].T
    bought = rng.random(len(to)) < 1.0 / (1.0 + np.exp(-(intercept + of_asks * asks + of_days * days)))
    values = (users.userid[to], asks, days, bought.astype(np.int64))
    good = pa.table(dict(zip(COLUMNS[1:], values, strict=True)))
    rows = [good]
    for column, value in BROKEN:
        rows.append(changed(good.slice(len(rows), 1), **{column: value}))
    return pa.concat_tables(rows), np.bincount(to[bought], minlength=len(users.offers))
