"""The pipeline `offer_response` on a sample whose true models are known."""

from __future__ import annotations

import math
import re
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from offers_project import contents, project, table
from sklearn.linear_model import LogisticRegression

from backbone.analysis.per_group.estimator import PerGroup
from backbone.analysis.per_group.scoring import logistic_sql
from backbone.engines.sql.parse import parse_query
from backbone.engines.sql.translate import translate
from backbone.pipelines import offer_response
from backbone.pipelines.offer_response.sample import HEAVY_USER, Sample, true_models, write_sample
from conftest import Postgres, Trial

FEATURES = ["asktimes", "askbackoffdays"]
PARTS: dict[str, Any] = {"by": "userid", "features": FEATURES, "target": "bought_offer"}
SCORING = Path(offer_response.__path__[0]) / "offer_score.sql"


@dataclass(frozen=True)
class Demo:
    """A project that has run on the sample."""

    trial: Trial
    sample: Sample


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    trial = project(tmp_path_factory.mktemp("demo"))
    sample = write_sample(trial.root)
    trial.run_well()
    return Demo(trial, sample)


def test_every_row_is_accounted_for(demo: Demo) -> None:
    sample = demo.sample
    rows = sample.offers + sample.broken_offers
    assert demo.trial.accounted() == (rows, sample.offers, sample.broken_offers, 0)
    assert demo.trial.account("candidate_offer").rows.formatted == 9
    reasons = [reason for _, _, reasons in demo.trial.quarantined() for reason in reasons]
    assert sorted(reasons) == ["bought_offer: 2 breaks bought_offer in (0, 1)", "userid: null is not allowed"]


def test_every_user_has_a_model_and_every_offer_is_in_one(demo: Demo) -> None:
    sample = demo.sample
    found = demo.trial.rows(
        "select count(*), count(distinct userid), sum(n_rows), sum(n_positive), sum(n_negative), "
        "sum(n_missing) from exploitation.offer_model"
    )
    bought = sample.bought
    assert found == [(sample.users, sample.users, sample.offers, bought, sample.offers - bought, 0)]


def test_a_user_with_one_answer_has_the_smoothed_rate(demo: Demo) -> None:
    found = demo.trial.rows(
        "select status, n_rows, n_positive, intercept, coef_asktimes, coef_askbackoffdays "
        "from exploitation.offer_model where n_positive in (0, n_rows)"
    )
    assert len(found) == demo.sample.single_class_users
    for status, rows, positive, intercept, *coefficients in found:
        assert (status, coefficients) == ("single_class", [0.0, 0.0])
        rate = (positive + 1) / (rows + 2)
        assert intercept == pytest.approx(math.log(rate / (1 - rate)), rel=1e-12)
    statuses = demo.trial.rows("select distinct status from exploitation.offer_model order by status")
    assert statuses == [("fitted",), ("single_class",)]


def test_models_are_plain_columns(demo: Demo) -> None:
    kinds = {f.name: str(f.type) for f in table(demo.trial, "select * from exploitation.offer_model").schema}
    assert set(kinds.values()) <= {"int64", "int32", "double", "string"}
    assert [kinds[f"coef_{name}"] for name in FEATURES] == ["double", "double"]
    stored = [path.name for path in (demo.trial.root / "exploitation").rglob("*") if path.is_file()]
    assert {name.rpartition(".")[2] for name in stored} <= {"parquet", "json"}


def test_the_heavy_user_is_understood(demo: Demo) -> None:
    """With thousands of offers the coefficients lie within four standard errors of the true ones."""
    rows = table(demo.trial, f"select * from formatted.offer where userid = {HEAVY_USER}")
    (found,) = demo.trial.rows(
        "select intercept, coef_asktimes, coef_askbackoffdays "
        f"from exploitation.offer_model where userid = {HEAVY_USER}"
    )
    true = list(true_models().slice(0, 1).to_pylist()[0].values())[1:]
    x = np.column_stack([np.ones(rows.num_rows), *(rows[name].to_numpy() for name in FEATURES)])
    chance = 1.0 / (1.0 + np.exp(-(x @ np.array(true))))
    information = x.T @ (x * (chance * (1.0 - chance))[:, None])
    error = np.sqrt(np.diag(np.linalg.inv(information)))
    assert rows.num_rows > 3000
    assert (error < [0.2, 0.03, 0.03]).all(), "small beside the coefficients, so that what follows means much"
    assert (np.abs(np.array(found) - true) < 4.0 * error).all()


def test_every_user_is_scored_with_every_candidate(demo: Demo) -> None:
    scores = demo.trial.rows(
        "select userid, asktimes, askbackoffdays, status, probability, rank from exploitation.offer_score"
    )
    assert len(scores) == len({row[:3] for row in scores}) == demo.sample.users * 9
    by_user = groupby(sorted(scores, key=lambda r: (r[0], -r[4], r[1], -r[2])), key=lambda r: r[0])
    ranked = {user: [row[5] for row in rows] for user, rows in by_user}
    assert all(ranks == list(range(1, 10)) for ranks in ranked.values())
    rates = [row for row in scores if row[3] == "single_class" and row[5] == 1]
    assert {row[1:3] for row in rates} == {(1, 1)}, "where all are equally likely, the cheapest is best"


def test_best_offers_are_the_first_ranks(demo: Demo) -> None:
    best = demo.trial.rows("select * from exploitation.best_offer order by userid")
    first = demo.trial.rows(
        "select userid, asktimes, askbackoffdays, status, probability from exploitation.offer_score "
        "where rank = 1 order by userid"
    )
    assert best == first
    assert len(best) == demo.sample.users
    most = demo.trial.rows(
        "select max(probability) from exploitation.offer_score group by userid order by userid"
    )
    assert [row[4] for row in best] == [row[0] for row in most]


def test_probabilities_are_those_of_predict_proba_and_of_its_sql(demo: Demo) -> None:
    offers = table(demo.trial, "select userid, asktimes, askbackoffdays, bought_offer from formatted.offer")
    models = PerGroup(LogisticRegression(), classes=[0, 1]).fit(offers, **PARTS)
    order = "order by userid, asktimes, askbackoffdays"
    scores = table(demo.trial, f"select * from exploitation.offer_score {order}")
    probabilities = scores["probability"].to_numpy()
    assert np.abs(models.predict_proba(scores)[:, 1] - probabilities).max() <= 1e-12

    sql = models.to_sql("exploitation.offer_model", "formatted.candidate_offer", every_group=True)
    assert np.array_equal(table(demo.trial, f"{sql} {order}")["probability"].to_numpy(), probabilities)


def test_the_models_sql_is_that_of_per_group() -> None:
    assert logistic_sql("s.score") in re.sub(r"\s+", " ", SCORING.read_text(encoding="utf-8"))


def test_the_table_is_what_the_sql_gives(demo: Demo) -> None:
    """Bit for bit; and the SQL keeps to what all engines share."""
    text = SCORING.read_text(encoding="utf-8")
    assert parse_query(text, SCORING.name).inputs == ("exploitation.offer_model", "formatted.candidate_offer")
    stored = table(demo.trial, "select * from exploitation.offer_score")
    grain = [(name, "ascending") for name in ("userid", *FEATURES)]
    assert stored.equals(table(demo.trial, translate(text, "duckdb")).sort_by(grain))


def test_the_sql_scores_in_a_database_as_it_is(demo: Demo, postgres: Postgres) -> None:
    """PostgreSQL runs the very file, once the two tables that it reads are there."""
    import adbc_driver_postgresql.dbapi as postgresql

    url = postgres.create("offers")
    postgres.execute("offers", "create schema formatted", "create schema exploitation")
    with closing(postgresql.connect(url)) as connection, closing(connection.cursor()) as cursor:
        for zone, name in (("exploitation", "offer_model"), ("formatted", "candidate_offer")):
            columns = "*" if name == "offer_model" else ", ".join(FEATURES)
            cursor.adbc_ingest(
                name, table(demo.trial, f"select {columns} from {zone}.{name}"), db_schema_name=zone
            )
        cursor.execute(SCORING.read_text(encoding="utf-8"))
        found = {row[:3]: row[3:] for row in cursor.fetchall()}
    expected = demo.trial.rows(
        "select userid, asktimes, askbackoffdays, status, probability, rank from exploitation.offer_score"
    )
    assert len(found) == len(expected)
    for *key, status, probability, rank in expected:
        assert found[tuple(key)] == (status, pytest.approx(probability, abs=1e-12), rank)


def test_quality_is_judged_on_every_offer(demo: Demo) -> None:
    per_user = demo.trial.rows(
        "select count(*), sum(n_rows), sum(n_positive), sum(n_rows * accuracy), sum(n_rows * log_loss) "
        "from exploitation.offer_model_quality"
    )[0]
    overall = {
        row[0]: row[1:]
        for row in demo.trial.rows(
            "select approach, n_rows, n_positive, accuracy, log_loss, auc "
            "from exploitation.offer_model_quality_overall"
        )
    }
    offers, bought = demo.sample.offers, demo.sample.bought
    assert per_user[:3] == (demo.sample.users, offers, bought)
    assert {row[:2] for row in overall.values()} == {(offers, bought)}
    assert overall["model"][2:4] == pytest.approx([value / offers for value in per_user[3:]])


def test_the_models_beat_the_class_rate(demo: Demo) -> None:
    accuracy, log_loss, auc = (
        dict(demo.trial.rows(f"select approach, {measure} from exploitation.offer_model_quality_overall"))
        for measure in ("accuracy", "log_loss", "auc")
    )
    assert set(accuracy) == {"model", "class_rate"}
    assert accuracy["model"] > accuracy["class_rate"]
    assert log_loss["model"] < log_loss["class_rate"]
    assert auc["model"] > auc["class_rate"]


def test_running_again_changes_nothing(demo: Demo) -> None:
    versions, before = demo.trial.versions(), contents(demo.trial)
    assert demo.trial.run_well().receipts == []
    assert demo.trial.versions() == versions
    demo.trial.run_well(force=True)
    assert demo.trial.versions() != versions
    assert contents(demo.trial) == before, "computed anew they are the same, bit for bit"


def test_a_global_prior_is_a_setting(demo: Demo, tmp_path: Path) -> None:
    trial = project(tmp_path, 'prior = "global"')
    sample = write_sample(tmp_path)
    trial.run_well()
    found = trial.rows("select status, count(*), sum(n_rows) from exploitation.offer_model group by status")
    assert found == [("fitted", sample.users, sample.offers)], "with a prior one answer is enough"
    varied = "select count(distinct coef_asktimes) from exploitation.offer_model where n_rows <= 2"
    assert trial.value(varied) > 1
    loss = "select log_loss from exploitation.offer_model_quality_overall where approach = 'model'"
    assert trial.value(loss) < demo.trial.value(loss), "most users have few offers, so it pays"
