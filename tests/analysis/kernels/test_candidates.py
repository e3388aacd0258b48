"""Candidates scored by many models at a time, against one candidate and one model at a time."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from backbone.analysis.groups import chunks
from backbone.analysis.kernels import candidates as module
from backbone.analysis.kernels.candidates import CandidateKernel
from backbone.testing import check_kernel

CANDIDATES = pa.table({"asks": [1, 1, 2, 5], "days": [3, 9, 0, 5]})
PREFERRED = [1, 0, 2, 3]  # of as many asks the more days


def models(*rows: tuple[float, float, float]) -> pa.Table:
    numbers = dict(
        zip(("intercept", "coef_asks", "coef_days"), map(list, zip(*rows, strict=True)), strict=True)
    )
    return pa.table({"user": range(len(rows)), "state": ["fitted"] * len(rows), **numbers})


def kernel(candidates: pa.Table = CANDIDATES, preferred: list[int] = PREFERRED) -> CandidateKernel:
    return CandidateKernel(candidates, ["asks", "days"], preferred, carried=["state"])


def scored(table: pa.Table, by: CandidateKernel) -> list[dict[str, object]]:
    (groups,) = chunks(table.to_batches(), ["user", "state"])
    found: list[dict[str, object]] = by(groups).to_pylist()
    return found


def slow(table: pa.Table) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for model in table.to_pylist():
        found = []
        for candidate in CANDIDATES.to_pylist():
            score = model["intercept"] + model["coef_asks"] * candidate["asks"]
            score += model["coef_days"] * candidate["days"]
            likely = None
            if math.isfinite(score):
                likely = 1.0 / (1.0 + math.exp(-score)) if abs(score) <= 700.0 else float(score > 0.0)
            found.append({"user": model["user"], **candidate, "state": model["state"], "probability": likely})
        order = sorted(PREFERRED, key=lambda c: math.inf if (p := found[c]["probability"]) is None else -p)
        rows += [row | {"rank": order.index(c) + 1} for c, row in enumerate(found)]
    return rows


def test_each_candidate_is_scored_and_ranked_for_each_model() -> None:
    rng = np.random.default_rng(0)
    table = models(*map(tuple, rng.normal(size=(200, 3)) * 2.0))
    assert scored(table, kernel()) == slow(table)


@pytest.mark.parametrize(
    "model",
    [
        (0.3, 0.0, 0.0),  # all are equally likely
        (900.0, 1.0, 1.0),  # as likely as can be told
        (-900.0, -1.0, 1.0),
        (700.0, 0.0, 1.0),
        (math.nan, 1.0, 1.0),
        (math.inf, 1.0, 1.0),
        (0.0, 1e308, 1e308),  # some scores overflow
        (-1.0, 0.5, 0.0),  # two are equally likely
    ],
)
def test_odd_models(model: tuple[float, float, float]) -> None:
    assert scored(models(model), kernel()) == slow(models(model))


def test_many_candidates_for_each_model() -> None:
    rng = np.random.default_rng(1)
    many = pa.table({"asks": rng.integers(0, 40, 500), "days": rng.integers(0, 40, 500)})
    found = scored(models((0.0, 0.01, -0.02)), kernel(many, rng.permutation(500).tolist()))
    assert sorted(row["rank"] for row in found) == list(range(1, 501))  # type: ignore[type-var]
    by_rank = [row["probability"] for row in sorted(found, key=lambda row: row["rank"])]  # type: ignore[arg-type, return-value]
    assert by_rank == sorted(by_rank, reverse=True)  # type: ignore[type-var]


def test_without_candidates_there_are_no_rows() -> None:
    assert scored(models((0.0, 1.0, 1.0)), kernel(CANDIDATES.slice(0, 0), [])) == []


def test_a_chunk_is_cut_so_that_results_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    table = models(*[(float(n), 0.1, 0.1) for n in range(11)])
    (groups,) = chunks(table.to_batches(), ["user", "state"])
    expected = kernel()(groups).to_pylist()
    for most in (1, 20):
        monkeypatch.setattr(module, "PART_ROWS", most)
        parts = [kernel()(part).to_pylist() for part in kernel().parts(groups)]
        assert max(map(len, parts)) <= max(most, 4)
        assert [row for part in parts for row in part] == expected


def test_the_laws_of_kernels() -> None:
    rng = np.random.default_rng(2)
    check_kernel(kernel(), models(*map(tuple, rng.normal(size=(30, 3)))), by=["user", "state"])
