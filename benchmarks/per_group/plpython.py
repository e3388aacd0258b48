"""Seed 001 in PostgreSQL: a model per user trained and used by PL/Python: `plpython.py FILE OUT [SESSIONS]`.

One statement packs each user's rows into arrays, one trains and stores the pickled models as `bytea`, one
scores each user's candidates, all nine in one call. PostgreSQL runs such a statement in one process;
Greenplum, for which they were written, in one for each segment. With more SESSIONS each trains and scores
its share of the users, as segments do. (A parallel plan would import scikit-learn in new workers for each
statement.)

The server is up and its sessions have imported scikit-learn before the clock starts; loading the offers is
timed apart.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
from adbc_driver_postgresql import dbapi
from pyarrow import parquet

from benchmarks.per_group.data import CANDIDATES
from benchmarks.per_group.phases import Phases, skip
from benchmarks.per_group.postgres import programs, server

VERSION = """
create function python_version() returns text language plpython3u as $$
import sys
return "%d.%d" % sys.version_info[:2]
$$
"""
TRAIN = """
create function logreg_train(features integer[][], targets integer[]) returns bytea language plpython3u as $$
import pickle
from sklearn.linear_model import LogisticRegression
if min(targets) == max(targets):
    return None
return pickle.dumps(LogisticRegression().fit(features, targets), protocol=pickle.HIGHEST_PROTOCOL)
$$
"""
SCORE = """
create function logreg_score(model bytea, features integer[][]) returns float8[] language plpython3u as $$
import pickle
if model is None:
    return None
return pickle.loads(model).predict_proba(features)[:, 1].tolist()
$$
"""
WARM_UP = """
select logreg_score(logreg_train(array[array[1, 1], array[2, 2]], array[0, 1]), array[array[1, 1]])
"""
OFFERS = """
create unlogged table offer
    (offerid integer, userid integer, asktimes integer, askbackoffdays integer, bought_offer integer)
"""
CANDIDATE_OFFERS = "create unlogged table candidate_offer (asktimes integer, askbackoffdays integer)"
PACK = """
create unlogged table training_set as
select userid, array_agg(array[asktimes, askbackoffdays]) as features, array_agg(bought_offer) as results
from offer group by userid
"""
MODELS = "create unlogged table trained_model_by_user (userid integer, model bytea)"
FIT = """
insert into trained_model_by_user
select userid, logreg_train(features, results) from training_set where userid % {sessions} = {session}
"""
SCORES = """
create unlogged table offer_score
    (userid integer, asktimes integer, askbackoffdays integer, probability float8)
"""
SCORE_ALL = """
insert into offer_score
select userid, c.features[i][1], c.features[i][2], probability
from trained_model_by_user
cross join (
    select array_agg(array[asktimes, askbackoffdays] order by asktimes) as features from candidate_offer
) as c
cross join lateral unnest(logreg_score(model, c.features)) with ordinality as _(probability, i)
where userid % {sessions} = {session}
"""


def main(file: Path, out: Path, sessions: int) -> None:
    found = programs()
    if found is None:
        skip("there is no PostgreSQL with PL/Python (Debian: postgresql-15, postgresql-plpython3-15)")
        return
    out.mkdir(parents=True)
    phases = Phases()
    with ExitStack() as stack, ThreadPoolExecutor(sessions) as threads:
        with phases("warm_up"):
            address = stack.enter_context(server(found))
            connections = [
                stack.enter_context(dbapi.connect(address, autocommit=True)) for _ in range(sessions)
            ]
            first = connections[0]
            for statement in ("create extension plpython3u", VERSION, TRAIN, SCORE):
                _run(first, statement)
            version, ours = _rows(first, "select python_version() as v")["v"][0].as_py(), sys.version_info
            if version != f"{ours[0]}.{ours[1]}":
                skip(f"PL/Python is Python {version}, the packages are of {ours[0]}.{ours[1]}")
                return
            for connection in connections:
                _run(connection, WARM_UP)
        with phases("load"):
            _run(first, OFFERS)
            _copy(first, "offer", file)
            _run(first, CANDIDATE_OFFERS)
            _copy(first, "candidate_offer", file.with_name(CANDIDATES))
            _run(first, "analyze")

        def in_sessions(statement: str) -> None:
            shares = [statement.format(sessions=sessions, session=session) for session in range(sessions)]
            list(threads.map(_run, connections, shares))

        with phases("pack"):
            _run(first, PACK)
        with phases("fit"):
            _run(first, MODELS)
            in_sessions(FIT)
        with phases("score"):
            _run(first, SCORES)
            in_sessions(SCORE_ALL)
        stored = _rows(first, "select userid, model from trained_model_by_user")
        scored = _rows(first, "select * from offer_score")
    parquet.write_table(stored, out / "models.parquet")
    parquet.write_table(scored, out / "scores.parquet")
    phases.print()


def _run(connection: Any, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _rows(connection: Any, query: str) -> pa.Table:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetch_arrow_table()


def _copy(connection: Any, table: str, file: Path) -> None:
    """With the server's binary COPY."""
    with parquet.ParquetFile(file) as source, connection.cursor() as cursor:
        batches = pa.RecordBatchReader.from_batches(source.schema_arrow, source.iter_batches())
        cursor.adbc_ingest(table, batches, mode="append")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
