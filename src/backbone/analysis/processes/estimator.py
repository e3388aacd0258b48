"""What an estimator has to be, so that workers can fit it: everything is asked before any work is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backbone.analysis.stored_estimator import dump_estimator


def check_estimator_kind(estimator: Any, classes: Sequence[Any] | None) -> None:
    """Hold an estimator to the target that it is to learn.

    Raises
    ------
    ValueError
        When it isn't the classifier or the regressor that `classes` asks for.
    """
    from sklearn.base import BaseEstimator, is_classifier, is_regressor

    name = type(estimator).__name__
    if not isinstance(estimator, BaseEstimator):
        raise ValueError(f"expected a scikit-learn estimator, found {name}; derive it from BaseEstimator")
    if classes is None:
        if not is_regressor(estimator):
            raise ValueError(f"expected a regressor for a target without classes, found {name}")
        return
    if not is_classifier(estimator):
        raise ValueError(f"expected a classifier for a target with classes, found {name}")
    if len(set(map(str, classes))) != len(classes) or len(classes) < 2:
        raise ValueError(f"expected two or more different classes, found {list(classes)}")
    labels = [plain(label) for label in classes]
    if not any(all(isinstance(label, kind) for label in labels) for kind in (str, bool, int | float)):
        raise ValueError(f"expected classes that are all text or all numbers, found {labels}")


def plain(label: Any) -> Any:
    """A class label as Python's own text or number."""
    return label.item() if hasattr(label, "item") else label


def check_predicts(estimator: Any, classes: Sequence[Any] | None) -> None:
    """Hold an estimator to what predictions of held-out rows need.

    Raises
    ------
    ValueError
        When there are more than two classes, or it gives no probabilities.
    """
    if classes is None:
        return
    if len(classes) != 2:
        raise ValueError(
            f"cross-validation is there for two classes, found {len(classes)}; fit on one part of the rows "
            "and score() the other"
        )
    if not hasattr(estimator, "predict_proba"):
        raise ValueError(
            f"expected a classifier that gives probabilities, found {type(estimator).__name__} without "
            "predict_proba; wrap it: CalibratedClassifierCV(…)"
        )


def weight_argument(estimator: Any) -> str:
    """The argument of `fit` that takes a weight for each row; in a Pipeline, that of its last step.

    Raises
    ------
    ValueError
        When `fit` takes no weights.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn.naive_bayes import GaussianNB
    >>> weight_argument(make_pipeline(StandardScaler(), GaussianNB()))
    'gaussiannb__sample_weight'
    """
    from sklearn.pipeline import Pipeline
    from sklearn.utils.validation import has_fit_parameter

    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        return f"{name}__{weight_argument(last)}"
    if not has_fit_parameter(estimator, "sample_weight"):
        raise ValueError(
            f"expected an estimator whose fit takes sample_weight, found {type(estimator).__name__}; "
            "leave out weight=, or take another estimator"
        )
    return "sample_weight"


def repeatable(estimator: Any) -> Any:
    """A copy that gives the same model for the same rows, and does its work in one process.

    Every `random_state` that is None, of the estimator or of a step inside it, becomes 0; every `n_jobs`
    that is set becomes 1, for the groups are what is spread over the cores.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> repeatable(RandomForestClassifier(n_jobs=-1))
    RandomForestClassifier(n_jobs=1, random_state=0)
    """
    from sklearn.base import clone

    copy = clone(estimator)
    changed: dict[str, int] = {}
    for name, value in copy.get_params(deep=True).items():
        own = name.rpartition("__")[2]
        if own == "random_state" and value is None:
            changed[name] = 0
        elif own == "n_jobs" and value is not None:
            changed[name] = 1
    return copy.set_params(**changed)


def portable(estimator: Any) -> bytes:
    """An estimator as bytes that a worker can read.

    Raises
    ------
    ValueError
        When skops can't hold it, or a worker would not find its class.
    """
    import skops.io

    try:
        data = dump_estimator(estimator)
        types = skops.io.get_untrusted_types(data=data)
        skops.io.loads(data, trusted=types)
    except Exception as error:  # skops and the estimator's own state fail in many ways
        raise ValueError(
            f"expected an estimator that skops can write and read, found {type(estimator).__name__} "
            f"({error}); define its classes and functions at the top of a module"
        ) from error
    if own := [name for name in types if name.startswith("__main__.")]:
        raise ValueError(
            f"expected an estimator from a module, found {own[0]}, which is defined in the script itself; "
            "move it to a file of its own and import it"
        )
    return data
