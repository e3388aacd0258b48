"""The grades of a classifier of reviews."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from backbone.analysis.sentiment.rated_reviews import LABELS

if TYPE_CHECKING:
    import pyarrow as pa


def report(truth: list[str], answered: list[str]) -> pa.Table:
    """The grades of answers: a row for each sentiment, `accuracy`, `macro avg` and `weighted avg`.

    The numbers are those of scikit-learn's `classification_report`. Accuracy stands in all three columns, as
    precision, recall and F1 over all reviews are equal to it. A sentiment that is neither true of a review
    nor answered has null metrics and is left out of the averages; all are null where there is no review.

    Parameters
    ----------
    truth, answered : shape (n,), the true and the answered sentiment of each review.

    Returns
    -------
    label string, precision, recall, f1 double, support int64.

    Examples
    --------
    >>> report(["negative", "positive"], ["negative", "negative"])["recall"].to_pylist()
    [1.0, None, 0.0, 0.5, 0.5, 0.5]
    """
    from sklearn.metrics import classification_report

    found: dict[str, Any] = {}
    if truth:
        # The report itself tells of small or one-sided data.
        with warnings.catch_warnings(action="ignore"):
            found = classification_report(truth, answered, output_dict=True, zero_division=0)
        # Over all reviews, precision, recall and F1 are one number.
        share = found["accuracy"]
        found["accuracy"] = dict.fromkeys(("precision", "recall", "f1-score"), share)
        found["accuracy"]["support"] = len(truth)
    rows = [(name, found.get(name, {})) for name in (*LABELS, "accuracy", "macro avg", "weighted avg")]
    return report_table(
        {
            "label": [name for name, _ in rows],
            "precision": [row.get("precision") for _, row in rows],
            "recall": [row.get("recall") for _, row in rows],
            "f1": [row.get("f1-score") for _, row in rows],
            "support": [int(row.get("support", 0)) for _, row in rows],
        }
    )


def report_table(columns: dict[str, list[Any]]) -> pa.Table:
    """The columns of a report as its table."""
    import pyarrow as pa

    metrics = [(name, pa.float64()) for name in ("precision", "recall", "f1")]
    return pa.table(columns, schema=pa.schema([("label", pa.string()), *metrics, ("support", pa.int64())]))
