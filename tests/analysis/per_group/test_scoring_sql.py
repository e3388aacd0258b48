"""What `to_sql()` computes in a database is what `predict_proba` and `predict` compute here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from made_up_offers import FEATURES, offers, queried
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from backbone import PerGroup
from backbone.engines.sql.translate import translate
from conftest import Postgres

PARTS: dict[str, Any] = {"by": "userid", "features": FEATURES, "target": "bought_offer"}
ESTIMATORS = [
    LogisticRegression(C=100),
    make_pipeline(StandardScaler(), LogisticRegression()),
    DummyClassifier(),
    Ridge(),
]


def _ask(users: list[int]) -> pa.Table:
    rng = np.random.default_rng(2)
    rows = len(users)
    return pa.table(
        {
            "n": np.arange(rows),
            "userid": users,
            "asktimes": pa.array(
                [None if i % 7 == 3 else int(v) for i, v in enumerate(rng.integers(-99, 99, rows))]
            ),
            "askbackoffdays": rng.integers(-99, 99, rows),
        }
    )


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_sql_scores_rows_as_python_does(estimator: Any) -> None:
    fitted = PerGroup(estimator).fit(offers(30, 15), **PARTS)
    asked = _ask([1, 8, 15, 22, 999] * 40)
    models = fitted.table
    sql = f"select * from ({fitted.to_sql('models', 'asked')}) as s order by n"
    found = queried(sql, models=models, asked=asked)
    assert models.num_rows == 30
    if fitted.classes_ is None:
        expected, column = fitted.predict(asked), "backbone_score"
    else:
        expected, column = fitted.predict_proba(asked)[:, 1], "probability"
    ours = found[column].to_numpy()
    np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-300)
    assert np.isnan(ours).sum() == np.isnan(expected).sum() > 0


def test_every_row_for_every_group() -> None:
    fitted = PerGroup(LogisticRegression()).fit(offers(30, 15), **PARTS)
    models, candidates = fitted.table, pa.table({"asktimes": range(1, 10), "askbackoffdays": range(1, 10)})
    sql = fitted.to_sql("models", "candidates", every_group=True)
    ordered = f"select * from ({sql}) as s order by userid, asktimes"
    found = queried(ordered, models=models, candidates=candidates)
    assert (models.num_rows, candidates.num_rows, found.num_rows) == (30, 9, 270)
    np.testing.assert_allclose(found["probability"].to_numpy(), fitted.predict_proba(found)[:, 1], rtol=1e-12)


def test_it_is_portable_and_never_overflows() -> None:
    fitted = PerGroup(LogisticRegression()).fit(offers(3, 30), **PARTS)
    sql = fitted.to_sql("exploitation.offer_model", "formatted.candidate_offer", every_group=True)
    for dialect in ("postgres", "spark"):
        assert "EXP(" in translate(sql, dialect).upper()
    asked = pa.table({"userid": [1, 1], "asktimes": [10**9, -(10**9)], "askbackoffdays": [0, 0]})
    found = queried(fitted.to_sql("models", "asked"), models=fitted.table, asked=asked)
    assert sorted(found["probability"].to_pylist()) == [0.0, 1.0]


def test_postgresql_scores_as_python_does(postgres: Postgres) -> None:
    import adbc_driver_postgresql.dbapi as adbc

    fitted = PerGroup(LogisticRegression()).fit(offers(30, 15), **PARTS)
    asked = _ask([1, 8, 15, 22, 999] * 40)
    with adbc.connect(postgres.create("scoring")) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("models", fitted.table)
        cursor.adbc_ingest("asked", asked)
        cursor.execute(f"select n, probability from ({fitted.to_sql('models', 'asked')}) as s order by n")
        found = cursor.fetch_arrow_table()["probability"].to_numpy(zero_copy_only=False).astype(float)
    expected = fitted.predict_proba(asked)[:, 1]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)
    assert np.isnan(found).sum() > 0


def test_columns_of_the_rows_that_are_called_as_results_are() -> None:
    table = offers(20, 20)
    fitted = PerGroup(LogisticRegression()).fit(table, **PARTS)
    asked = _ask([1, 8, 15]).append_column("score", pa.array([50.0] * 3))
    found = queried(fitted.to_sql("models", "asked"), models=fitted.table, asked=asked)
    np.testing.assert_allclose(
        found.sort_by("n")["probability"].to_numpy(), fitted.predict_proba(asked)[:, 1], rtol=1e-12
    )


@pytest.mark.parametrize("name", ["probability", "Probability", "backbone_score"])
@pytest.mark.parametrize("part", ["key", "feature"])
def test_a_result_is_not_called_as_a_column_of_the_rows(name: str, part: str) -> None:
    called = {"userid": name} if part == "key" else {"asktimes": name}
    table = offers(20, 20).rename_columns(called)
    parts = {"by": called.get("userid", "userid"), "target": "bought_offer"}
    features = [called.get(feature, feature) for feature in FEATURES]
    fitted = PerGroup(LogisticRegression()).fit(table, features=features, **parts)
    with pytest.raises(ValueError, match=rf"found '{name.lower()}', which a key, a feature .*to_sql\("):
        fitted.to_sql()
    sql = fitted.to_sql(score="logit", probability="p_bought")
    found = queried(sql, models=fitted.table, rows=table)
    assert found.column_names == [*table.column_names, "logit", "p_bought"]
    np.testing.assert_allclose(
        np.sort(found["p_bought"].to_numpy()), np.sort(fitted.predict_proba(table)[:, 1]), rtol=1e-12
    )


def test_two_results_are_not_called_the_same() -> None:
    fitted = PerGroup(LogisticRegression()).fit(offers(3, 30), **PARTS)
    with pytest.raises(ValueError, match="name of its own for the probability, found 'P'"):
        fitted.to_sql(score="p", probability="P")


@pytest.mark.parametrize("settings", [{}, {"prior": "global", "strength": 1.0}])
def test_a_prediction_that_is_too_large_for_a_number(settings: dict[str, Any]) -> None:
    table = pa.table({"k": [1] * 4, "x": [1.0, 2.0, 3.0, 4.0], "y": [1e20, 2e20, 3e20, 4e20]})
    fitted = PerGroup(LinearRegression(), **settings).fit(table, by="k", features=["x"], target="y")
    x = [1.0, 1e300, -1e300, np.inf, np.nan]
    asked = pa.table({"n": range(10), "k": [1] * 5 + [2] * 5, "x": x * 2})
    found = queried(f"select * from ({fitted.to_sql('m', 'asked')}) as s", m=fitted.table, asked=asked)
    ours, expected = found.sort_by("n")["backbone_score"], fitted.predict(asked)
    np.testing.assert_allclose(ours.to_numpy(), expected, rtol=1e-12)
    assert np.isnan(expected[1:5]).all()
    assert ours.null_count == np.isnan(expected).sum() == (8 if settings else 9)


def test_features_that_are_true_or_false() -> None:
    table = offers(20, 20)
    flag = pa.array(table["asktimes"].to_numpy() > 4)
    flagged = table.append_column("often", flag)
    fitted = PerGroup(LogisticRegression()).fit(
        flagged, by="userid", features=["often", "askbackoffdays"], target="bought_offer"
    )
    found = queried(fitted.to_sql("models", "rows"), models=fitted.table, rows=flagged)
    np.testing.assert_allclose(
        np.sort(found["probability"].to_numpy()), np.sort(fitted.predict_proba(flagged)[:, 1]), rtol=1e-12
    )


def test_a_group_without_a_model_has_that_of_all_under_a_prior() -> None:
    fitted = PerGroup(LogisticRegression(), prior="global", strength=3).fit(offers(20, 20), **PARTS)
    asked = pa.table({"n": [0, 1], "userid": [1, -5], "asktimes": [5, 5], "askbackoffdays": [2, 2]})
    found = queried(fitted.to_sql("models", "asked"), models=fitted.table, asked=asked).sort_by("n")
    np.testing.assert_allclose(found["probability"].to_numpy(), fitted.predict_proba(asked)[:, 1], rtol=1e-12)
