"""Offers to users whose true coefficients are known, and SQL over such tables."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa

FEATURES = ["asktimes", "askbackoffdays"]


def offers(users: int, rows_each: float, seed: int = 0, spread: float = 1.0) -> pa.Table:
    """Shuffled rows of users whose coefficients vary by `spread` around common ones."""
    rng = np.random.default_rng(seed)
    sizes = 1 + rng.poisson(rows_each - 1, users)
    user = np.repeat(np.arange(users), sizes)
    true = np.array([-0.5, 0.4, -0.2]) + spread * rng.normal(size=(users, 3)) * np.array([1.0, 0.3, 0.15])
    asks, days = rng.integers(1, 10, len(user)), rng.integers(1, 11, len(user))
    score = true[user, 0] + true[user, 1] * (asks - 5) + true[user, 2] * (days - 5)
    bought = rng.random(len(user)) < 1 / (1 + np.exp(-score))
    order = rng.permutation(len(user))
    return pa.table(
        {
            "userid": user[order] * 7 + 1,
            "asktimes": asks[order],
            "askbackoffdays": days[order],
            "bought_offer": bought[order].astype(np.int64),
            "weight": rng.integers(1, 4, len(user))[order].astype(np.float64),
        }
    )


def queried(sql: str, **tables: pa.Table) -> pa.Table:
    """The result of a query over named tables."""
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.sql(sql).to_arrow_table()
