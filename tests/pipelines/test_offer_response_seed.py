"""The pipeline `offer_response` on the seed's own rows: models, deliveries, settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from offers_project import SEED_OFFERS, contents, deliver_seed, project, set_up
from sklearn.linear_model import LogisticRegression

from backbone.errors import SettingsError
from conftest import Trial


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    trial = deliver_seed(project(tmp_path_factory.mktemp("seed")))
    trial.run_well()
    return trial


def test_the_seeds_models_are_those_of_scikit_learn(seed: Trial) -> None:
    rows = np.array([line.split(",") for line in SEED_OFFERS.split()[1:]], dtype=np.int64)
    candidates = np.array([[n, n] for n in range(1, 10)])
    for user in (1, 2):
        x, y = rows[rows[:, 1] == user][:, 2:4], rows[rows[:, 1] == user][:, 4]
        exact = LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=1000).fit(x, y)
        found = seed.rows(
            "select status, n_rows, n_negative, n_positive, intercept, coef_asktimes, coef_askbackoffdays "
            "from exploitation.offer_model where userid = $user",
            {"user": user},
        )
        assert [row[:4] for row in found] == [("fitted", 5, 5 - y.sum(), y.sum())]
        assert found[0][4:] == pytest.approx([exact.intercept_[0], *exact.coef_[0]], rel=1e-6, abs=1e-6)
        probabilities = [
            row[0]
            for row in seed.rows(
                "select probability from exploitation.offer_score where userid = $user order by asktimes",
                {"user": user},
            )
        ]
        assert probabilities == pytest.approx(exact.predict_proba(candidates)[:, 1], rel=1e-6)


def test_the_seeds_users_are_best_asked_often(seed: Trial) -> None:
    """Both bought after more sendings, and neither after fewer, so the last of the diagonal is likeliest."""
    best = seed.rows("select userid, asktimes, askbackoffdays from exploitation.best_offer order by userid")
    assert best == [(1, 9, 9), (2, 9, 9)]


def test_a_second_delivery_updates_the_users_that_it_is_about(tmp_path: Path) -> None:
    trial = deliver_seed(project(tmp_path))
    trial.run_well()
    before = trial.rows("select * exclude (inputs) from exploitation.offer_model order by userid")
    trial.drop("offerid,userid,asktimes,askbackoffdays,bought_offer\n10,2,6,7,0\n11,3,1,2,1\n", "more.csv")
    trial.run_well()
    after = trial.rows("select * exclude (inputs) from exploitation.offer_model order by userid")
    assert trial.value("select count(*) from formatted.offer") == 11, "offer 10 was corrected, 11 is new"
    assert after[0] == before[0]
    status = trial.rows(
        "select userid, status, n_rows, n_positive from exploitation.offer_model order by userid"
    )
    assert status[1:] == [(2, "single_class", 5, 0), (3, "single_class", 1, 1)]
    assert trial.value("select count(*) from exploitation.offer_score") == 3 * 9
    assert trial.rows("select * from exploitation.best_offer where userid = 3") == [
        (3, 1, 1, "single_class", pytest.approx(2 / 3))
    ]
    assert trial.rows("select distinct inputs from exploitation.offer_model") == [("formatted.offer@1",)]


def test_new_candidates_are_scored_by_the_models_there_are(tmp_path: Path) -> None:
    trial = deliver_seed(project(tmp_path))
    trial.run_well()
    trial.write(
        trial.root / "landing/temporal/candidate_offer/more.csv", "asktimes,askbackoffdays\n12,1\n9,9\n"
    )
    done = trial.run_well()
    assert trial.value("select count(*) from exploitation.offer_score") == 2 * 10
    assert {r.dataset for r in done.receipts if r.stage == "build"} == {
        "exploitation.offer_score",
        "exploitation.best_offer",
    }


def test_without_offers_or_candidates_all_tables_are_there_and_empty(tmp_path: Path) -> None:
    trial = project(tmp_path)
    trial.run_well()
    assert all(rows == [] for rows in contents(trial).values())
    trial.drop(SEED_OFFERS, "offers.csv")
    trial.run_well()
    assert {name: len(rows) for name, rows in contents(trial).items()} == {
        "offer_model": 2,
        "offer_model_quality": 2,
        "offer_model_quality_overall": 2,
        "offer_score": 0,
        "best_offer": 0,
    }


def test_settings_change_the_models_and_what_depends_on_them(tmp_path: Path) -> None:
    trial = deliver_seed(project(tmp_path))
    trial.run_well()
    norm = "select max(abs(coef_asktimes)) from exploitation.offer_model"
    plain = trial.value(norm)
    set_up(trial, "c = 0.01")
    trial.run_well()
    assert trial.value(norm) < plain / 5
    set_up(trial, "min_rows = 6")
    trial.run_well()
    assert trial.rows("select distinct status from exploitation.best_offer") == [("too_few_rows",)]
    assert trial.rows("select userid, probability from exploitation.best_offer order by userid") == [
        (1, pytest.approx(4 / 7)),
        (2, pytest.approx(2 / 7)),
    ]
    set_up(trial, "min_rows = 6\nfolds = 2")
    built = {receipt.dataset for receipt in trial.run_well().receipts}
    assert built == {"exploitation.offer_model_quality", "exploitation.offer_model_quality_overall"}


def test_under_a_prior_a_user_with_too_few_offers_has_the_model_of_all(tmp_path: Path) -> None:
    trial = deliver_seed(project(tmp_path, 'prior = "global"\nmin_rows = 6'))
    trial.run_well()
    models = (
        "select distinct status, intercept, coef_asktimes, coef_askbackoffdays from exploitation.offer_model"
    )
    ((status, *model),) = trial.rows(models)
    assert status == "too_few_rows"
    assert model[1] > 0


def test_without_a_penalty_what_has_no_optimum_is_said(tmp_path: Path) -> None:
    """Both users' answers are separable: any larger coefficients fit better."""
    trial = deliver_seed(project(tmp_path, "c = inf"))
    trial.run_well()
    assert trial.rows("select distinct status from exploitation.offer_model") == [("not_converged",)]
    assert (
        trial.value("select count(*) from exploitation.offer_score where probability between 0 and 1") == 18
    )


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("c = 0.0", r"expected c to be a number above 0 \(inf for no penalty\), found 0.0"),
        ('prior = "local"', 'expected prior to be "none" or "global", found \'local\''),
        ("min_rows = 0", "expected min_rows to be a whole number from 1, found 0"),
        ("folds = 1", "expected folds to be a whole number from 2 to 127, found 1"),
        ("folds = 2.5", "expected folds to be a whole number from 2 to 127, found 2.5"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(tmp_path: Path, settings: str, problem: str) -> None:
    trial = deliver_seed(project(tmp_path, settings))
    with pytest.raises(SettingsError, match=problem) as refused:
        trial.run()
    assert refused.value.where == "backbone.toml, [pipelines.offer_response]"
    assert not (trial.root / "exploitation").exists(), "nothing is published"
