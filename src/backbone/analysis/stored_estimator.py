"""A scikit-learn estimator as skops bytes and back; the bytes can't run code when they are read."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from typing import Any

from backbone.analysis.skops_archive import canonical
from backbone.errors import StepFailed

WHERE = "a stored estimator"

# What estimators hold that is no estimator itself, and is written in Python.
PYTHON_TYPES = (
    "numpy.dtype",
    "sklearn._loss.loss.HalfTweedieLoss",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.CompoundKernel",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.DotProduct",
    "sklearn.gaussian_process.kernels.ExpSineSquared",
    "sklearn.gaussian_process.kernels.Exponentiation",
    "sklearn.gaussian_process.kernels.Matern",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.gaussian_process.kernels.RationalQuadratic",
    "sklearn.gaussian_process.kernels.Sum",
    "sklearn.gaussian_process.kernels.WhiteKernel",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.multiclass._ConstantPredictor",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.utils._bunch.Bunch",
)

COMPILED_TYPES = (
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.ChebyshevDistance64",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.metrics._dist_metrics.MinkowskiDistance64",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.tree._tree.Tree",
)
"""What tree and neighbour models hold. scikit-learn follows the positions in them without looking whether
they exist, so that bytes made to do harm could crash a process; trust them in models of your own."""


def dump_estimator(estimator: Any) -> bytes:
    """An estimator as skops bytes; equal estimators give equal bytes."""
    import skops.io

    return canonical(skops.io.dumps(estimator), zipfile.ZIP_DEFLATED)


def load_estimator(data: bytes, trusted: Sequence[str] = ()) -> Any:
    """The estimator that `dump_estimator` wrote, or any other that skops did.

    Every type named in the bytes has to be one of scikit-learn's own estimators, NumPy's arrays or Python's
    containers, or in `trusted`, before any of it is loaded.

    Parameters
    ----------
    trusted : full names of further types, such as `my_module.MyEstimator`. The trees of a forest and of a
        neighbour model need `trusted=COMPILED_TYPES`.

    Raises
    ------
    StepFailed
        When the bytes aren't an estimator in skops bytes, or name any other type: it is told which.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> model = GaussianNB().fit(np.array([[0.0], [1.0], [4.0], [5.0]]), [0, 0, 1, 1])
    >>> load_estimator(dump_estimator(model)).predict(np.array([[0.5], [9.0]])).tolist()
    [0, 1]

    References
    ----------
    https://skops.readthedocs.io/en/stable/persistence.html
    """
    import skops.io

    known = {*PYTHON_TYPES, *trusted}
    try:
        strange = sorted({*skops.io.get_untrusted_types(data=data)} - known)
    except Exception as error:  # a damaged archive fails in as many ways as it has bytes
        raise _refused("expected an estimator in skops bytes, found something else", TRAIN) from error
    if strange:
        raise _refused(
            f"expected types of scikit-learn and NumPy that are safe to load, found {', '.join(strange)}",
            f"if you know who wrote the bytes, load_estimator(data, trusted={strange})",
        )
    try:
        estimator = skops.io.loads(data, trusted=sorted(known))
    except Warning:  # where the user made errors of them: another version of scikit-learn
        raise
    except Exception as error:
        raise _refused(
            f"expected a whole estimator, found a damaged or foreign one ({error})", TRAIN
        ) from error
    if not hasattr(estimator, "fit"):
        raise _refused(f"expected an estimator, found {type(estimator).__name__}", TRAIN)
    return estimator


TRAIN = "fit the models again"


def _refused(problem: str, next_step: str) -> StepFailed:
    return StepFailed(WHERE, problem, "It was not used.", next_step)
