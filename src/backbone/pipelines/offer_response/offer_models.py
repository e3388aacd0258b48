"""A logistic regression for every user: fit it, judge it, and compare it with the user's class rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backbone import StepContext

if TYPE_CHECKING:
    import pyarrow as pa

    from backbone import PerGroup, Rows

OFFERS = "formatted.offer"
COLUMNS: dict[str, Any] = {
    "by": "userid",
    "features": ["asktimes", "askbackoffdays"],
    "target": "bought_offer",
}
STATUSES = ("fitted", "single_class", "too_few_rows", "not_converged")


def fit_offer_models(context: StepContext) -> Rows:
    """One row per user with the coefficients of the user's model, and a status."""
    return _models(context.parameters).fit(context.rows(OFFERS), **COLUMNS).rows


def judge_offer_models(context: StepContext) -> Rows:
    """One row per user: how well such models foretell the offers that they were not fitted on."""
    models, folds = _models(context.parameters), context.parameters["folds"]
    return models.cross_validate(context.rows(OFFERS), **COLUMNS, k=folds).rows


def compare_with_class_rate(context: StepContext) -> pa.Table:
    """Quality over all offers, a row for the models and one for the rate at which each user buys.

    The rate knows nothing of the offer: what the models have over it is what they learned of the features.
    """
    import pyarrow as pa
    from sklearn.dummy import DummyClassifier

    from backbone import PerGroup

    approaches = {
        "model": _models(context.parameters),
        "class_rate": PerGroup(DummyClassifier(strategy="prior"), classes=[0, 1]),
    }
    found = []
    for approach, models in approaches.items():
        quality = models.cross_validate(context.rows(OFFERS), **COLUMNS, k=context.parameters["folds"])
        overall = quality.overall_rows.table()
        quality.overall_rows.drop()
        found.append(overall.add_column(0, "approach", pa.array([approach] * overall.num_rows, pa.string())))
    return pa.concat_tables(found)


def _models(parameters: Mapping[str, Any]) -> PerGroup:
    """The models that the pipeline's settings ask for."""
    from sklearn.linear_model import LogisticRegression

    from backbone import PerGroup

    return PerGroup(
        LogisticRegression(C=float(parameters["c"])),
        prior=None if parameters["prior"] == "none" else parameters["prior"],
        classes=[0, 1],
        min_rows=parameters["min_rows"],
    )
