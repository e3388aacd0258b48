"""Every candidate scored for every user by the user's model, and ranked: what `offer_score.sql` says.

In the order of users and candidates, which leaves nothing to be sorted: a window function would sort nine
rows for each user twice, once to rank them and once to write them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backbone import StepContext

if TYPE_CHECKING:
    from backbone import Rows

MODELS, CANDIDATES = "exploitation.offer_model", "formatted.candidate_offer"
FEATURES = ("asktimes", "askbackoffdays")
# Equally likely ones rank the cheaper way first: fewer sendings, and of as many the longer pause.
CANDIDATES_IN_ORDER = f"""
select asktimes, askbackoffdays, row_number() over (order by asktimes, askbackoffdays desc) as preference
from {CANDIDATES} order by asktimes, askbackoffdays
"""


def score_offers(context: StepContext) -> Rows:
    """One row per user and candidate: how likely the user buys, and the candidate's rank for the user."""
    import numpy as np

    from backbone import CandidateKernel, KernelTask, Rows, map_groups

    candidates = context.query(CANDIDATES_IN_ORDER).read_all()
    preferred = np.argsort(candidates["preference"].to_numpy()).tolist()
    kernel = CandidateKernel(candidates.select(FEATURES), FEATURES, preferred, carried=["status"])
    models = context.rows(MODELS)
    numbers = ("intercept", *(f"coef_{name}" for name in FEATURES))
    values = {name: f"coalesce({name}, cast('nan' as double))" for name in numbers}
    by = ["userid", "status"]
    task = KernelTask(kernel, by, values, parts=kernel.parts)
    staged = map_groups(models.engine, models.sql, task, to_file=True)
    return Rows.of(models.engine, staged, models.versions)
