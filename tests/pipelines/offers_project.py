"""Small projects that run `offer_response`, and the rows of the seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from backbone.operations.query import open_tables
from conftest import Trial

TABLES = ("offer_model", "offer_model_quality", "offer_model_quality_overall", "offer_score", "best_offer")

SEED_OFFERS = """\
offerid,userid,asktimes,askbackoffdays,bought_offer
1,1,2,1,0
2,1,2,3,0
3,1,4,7,1
4,1,4,7,1
5,1,6,7,1
6,2,2,7,0
7,2,2,7,0
8,2,4,7,0
9,2,4,7,0
10,2,6,7,1
"""
SEED_CANDIDATES = "asktimes,askbackoffdays\n" + "".join(f"{n},{n}\n" for n in range(1, 10))


def project(root: Path, settings: str = "") -> Trial:
    """A project that runs the pipeline, with a section of settings for it."""
    trial = Trial(root, source="offer", event_time=None)
    return set_up(trial, settings)


def set_up(trial: Trial, settings: str) -> Trial:
    trial.write(
        trial.root / "backbone.toml",
        '[project]\npipelines = ["backbone.pipelines.offer_response"]\n[engine]\nthreads = 2\n'
        f"[pipelines.offer_response]\n{settings}\n",
    )
    return trial


def deliver_seed(trial: Trial) -> Trial:
    trial.drop(SEED_OFFERS, "offers.csv")
    trial.write(trial.root / "landing/temporal/candidate_offer/candidates.csv", SEED_CANDIDATES)
    return trial


def table(trial: Trial, sql: str) -> pa.Table:
    found = trial.open()
    with found.database("question") as database:
        open_tables(found.lake, database)
        return database.stream(sql).read_all()


def contents(trial: Trial) -> dict[str, list[tuple[Any, ...]]]:
    return {name: trial.rows(f"select * from exploitation.{name} order by all") for name in TABLES}
