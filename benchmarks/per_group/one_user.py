"""What every Python peer does for one user, after seed 001: scikit-learn's logistic regression, pickled."""

from __future__ import annotations

import pickle
from typing import Any

from sklearn.linear_model import LogisticRegression

FEATURES = ["asktimes", "askbackoffdays"]
TARGET = "bought_offer"


def train(features: Any, bought: Any) -> bytes | None:
    """The model of arrays of shapes (rows, 2) and (rows,); None where scikit-learn fits none.

    That is where all answers are the same.
    """
    if bought.min() == bought.max():
        return None
    return pickle.dumps(LogisticRegression().fit(features, bought), protocol=pickle.HIGHEST_PROTOCOL)
