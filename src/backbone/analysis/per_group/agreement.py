"""How well what models predict agrees with what is true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa


def mean_agreement(
    truth: npt.NDArray[Any], found: npt.NDArray[Any], weight: npt.NDArray[Any], *, classifies: bool
) -> float:
    """The share of classes that are right, or R² of a regression; by weight.

    Raises
    ------
    ValueError
        When there is no row.

    Examples
    --------
    >>> mean_agreement(np.array([0, 1, 1]), np.array([0, 1, 0]), np.array([1, 1, 2]), classifies=True)
    0.5
    """
    from sklearn.metrics import r2_score

    if not weight.sum():
        raise ValueError("there is no row to score")
    if classifies:
        return float(np.average(truth == found, weights=weight))
    return float(r2_score(truth, found, sample_weight=weight))


def refuse_unscored(unscored: npt.NDArray[np.bool_], rows: pa.Table) -> None:
    """Refuse rows that have no prediction.

    Parameters
    ----------
    unscored : shape (rows,), whether a row has none.
    rows : the key and the features of each.

    Raises
    ------
    ValueError
        When there is such a row; the message has the first.
    """
    if not unscored.any():
        return
    first = rows.slice(int(np.argmax(unscored)), 1).to_pylist()[0]
    raise ValueError(
        f"{int(unscored.sum())} of {len(unscored)} rows can't be scored: a feature is missing, or "
        f"the group has no model (first: {first}). Leave them out, or use predict_proba()"
    )
