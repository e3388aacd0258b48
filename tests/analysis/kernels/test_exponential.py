from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from backbone.analysis.kernels import exponential
from backbone.analysis.kernels.compiled import Floats, compiled
from backbone.analysis.kernels.exponential import exp, softplus


@compiled
def exps(x: Floats, result: Floats) -> None:
    for i in range(len(x)):
        result[i] = exp(x[i])


@compiled
def softpluses(x: Floats, result: Floats) -> None:
    for i in range(len(x)):
        result[i] = softplus(x[i])


def ulps(found: Floats, expected: Any) -> float:
    return float(np.abs((found - expected) / np.spacing(expected.astype(np.float64))).max())


def test_exp_is_within_one_unit_in_the_last_place() -> None:
    x = np.concatenate([np.linspace(-708, 708, 400_003), np.linspace(-1, 1, 100_001), [0.0, 1e-300, -1e-20]])
    result = np.empty_like(x)
    exps(x, result)
    assert ulps(result, np.exp(x.astype(np.longdouble))) < 1.0


def test_exp_is_limited_to_its_ends_outside() -> None:
    x = np.array([-np.inf, -1e300, -708.0, 708.0, 1e300, np.inf])
    result = np.empty_like(x)
    exps(x, result)
    assert result.tolist() == [result[2]] * 3 + [result[3]] * 3
    assert 0 < result[0] < 1e-307 and 1e307 < result[5] < np.inf


def test_softplus_keeps_small_results_and_large_ones() -> None:
    x = np.concatenate([np.linspace(-700, 700, 100_001), np.linspace(-2, 2, 10_001)])
    result = np.empty_like(x)
    softpluses(x, result)
    long = x.astype(np.longdouble)
    expected = np.maximum(long, 0) + np.log1p(np.exp(-np.abs(long)))
    assert ulps(result, expected) < 4.0


def test_loops_become_vector_instructions() -> None:
    spec = importlib.util.spec_from_file_location("not_kept", exponential.__file__)
    assert spec is not None and spec.loader is not None
    fresh: Any = importlib.util.module_from_spec(spec)  # what is loaded from disk can't be looked into
    spec.loader.exec_module(fresh)
    for function in (fresh.exp, fresh.softplus):

        def loop(x: Floats, result: Floats, function: Any = function) -> None:
            for i in range(len(x)):
                result[i] = function(x[i])

        fast: Any = compiled(loop)
        fast(np.zeros(8), np.zeros(8))
        assert "x double>" in "".join(fast.inspect_llvm().values())
