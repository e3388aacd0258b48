"""Every candidate scored by the logistic model of each of many groups, and ranked within the group."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.analysis.groups import Groups
from backbone.analysis.kernels.compiled import Floats, as_written
from backbone.analysis.kernels.sorting import order_of

PART_ROWS = 500_000  # of the result, for which a kernel is called
LARGEST = 700.0  # of larger scores the probability is 1, as in SQL, where exp() may overflow

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CandidateKernel:
    """Score candidates by the models of groups, a row of intercept and coefficients each.

    The probability is `1 / (1 + exp(-score))`, operation by operation as `PerGroup.to_sql` writes it, so that
    a database finds the same; null where the score is no finite number. Rank 1 is the likeliest; what has no
    probability comes last.

    Parameters
    ----------
    candidates : a row for each, in the order in which a group's rows are to be.
    features : the columns of candidates that models know; `coef_` and the feature is a value column, beside
        `intercept`.
    preferred : positions of the candidates: of equally likely ones the first in this list ranks first.
    carried : those columns of the key that tell of the model, and come after the candidate's own.

    Examples
    --------
    >>> from backbone.analysis.groups import chunks
    >>> models = pa.record_batch({"user": [7], "intercept": [0.0], "coef_asks": [1.0]})
    >>> (groups,) = chunks([models], by=["user"])
    >>> kernel = CandidateKernel(pa.table({"asks": [0, 1]}), ["asks"], preferred=[0, 1])
    >>> kernel(groups).select(["asks", "probability", "rank"]).to_pydict()
    {'asks': [0, 1], 'probability': [0.5, 0.7310585786300049], 'rank': [2, 1]}
    """

    candidates: pa.Table
    features: Sequence[str]
    preferred: Sequence[int]
    carried: Sequence[str] = ()

    def schema(self, keys: pa.Schema) -> pa.Schema:
        identify = [field for field in keys if field.name not in self.carried]
        carried = [keys.field(name) for name in self.carried]
        scored = [pa.field("probability", pa.float64()), pa.field("rank", pa.int64())]
        return pa.schema([*identify, *self.candidates.schema, *carried, *scored])

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        models, candidates, known = len(groups), self.candidates.num_rows, len(self.features)
        first = groups.offsets[:-1]
        coefficients, features = np.empty((known, models)), np.empty((known, candidates))
        for j, name in enumerate(self.features):
            coefficients[j] = groups.values[f"coef_{name}"][first]
            features[j] = self.candidates[name].to_numpy()
        probability, rank = np.empty((models, candidates)), np.empty((models, candidates), np.int64)
        preferred = np.array(self.preferred, np.int64)
        intercept = groups.values["intercept"][first].astype(np.float64)
        _score(intercept, coefficients, features, preferred, probability, rank)

        model, candidate = map(pa.array, np.indices((models, candidates)).reshape(2, -1))
        columns = {
            **{name: groups.keys.column(name).take(model) for name in groups.keys.schema.names},
            **{
                name: self.candidates[name].combine_chunks().take(candidate)
                for name in self.candidates.schema.names
            },
            "probability": pa.array(probability.ravel(), from_pandas=True),
            "rank": pa.array(rank.ravel()),
        }
        schema = self.schema(groups.keys.schema)
        return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)

    def parts(self, groups: Groups) -> Iterator[Groups]:
        """Cut a chunk so that results stay small, whatever the number of candidates."""
        size = max(PART_ROWS // max(self.candidates.num_rows, 1), 1)
        return (groups.part(i, min(i + size, len(groups))) for i in range(0, len(groups), size))


@as_written
def _score(
    intercept: Floats,
    coefficients: Floats,
    features: Floats,
    preferred: Positions,
    probability: Floats,
    rank: Positions,
) -> None:
    models, candidates = probability.shape
    key = np.empty(candidates)
    for m in range(models):
        for c in range(candidates):
            score = intercept[m]
            for j in range(len(features)):
                score += coefficients[j, m] * features[j, c]
            probability[m, c] = _logistic(score)
        for place in range(candidates):
            found = probability[m, preferred[place]]
            key[place] = -found if found >= 0.0 else 1.0
        order = order_of(key)
        for place in range(candidates):
            rank[m, preferred[order[place]]] = place + 1


@as_written
def _logistic(score: float) -> float:
    if -LARGEST <= score <= LARGEST:
        return 1.0 / (1.0 + math.exp(-score))
    if not abs(score) < np.inf:
        return np.nan
    return 1.0 if score > 0.0 else 0.0
