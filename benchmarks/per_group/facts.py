"""Print what a contestant stored, as JSON: `facts.py OUT`.

That is either `models.parquet` with pickled models, and `scores.parquet` where it scored; or Delta tables,
one with the models' coefficients as columns, and one with probabilities where it scored. Users who gave the
same answer each time are left out: the peers have no model for them.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from deltalake import DeltaTable

COEFFICIENTS = ["intercept", "coef_asktimes", "coef_askbackoffdays"]


def main(out: Path) -> None:
    with duckdb.connect() as database:
        is_pickled = (out / "models.parquet").exists()
        scored = (_read_pickled if is_pickled else _read_delta)(database, out)
        means = ", ".join(f"avg({name})" for name in COEFFICIENTS)
        users, models, *found = _row(
            database, f"select (select count(*) from stored), count(*), {means} from model"
        )
        facts: dict[str, Any] = {"users": users, "models": models}
        facts["mean"] = dict(zip(COEFFICIENTS, found, strict=True))
        if scored:
            query = "select count(*), avg(probability) from score where userid in (select userid from model)"
            facts["scores"], facts["mean"]["probability"] = _row(database, query)
    print(json.dumps(facts))


def _read_pickled(database: duckdb.DuckDBPyConnection, out: Path) -> bool:
    database.execute(f"create view stored as from '{out / 'models.parquet'}{_all(out / 'models.parquet')}'")
    pickled = database.execute("select userid, model from stored where model is not null").fetchall()
    models = [(userid, pickle.loads(model)) for userid, model in pickled]
    rows = np.array([[userid, *model.intercept_, *model.coef_[0]] for userid, model in models])
    database.register("model", pa.table(list(rows.T), names=["userid", *COEFFICIENTS]))
    scores = out / "scores.parquet"
    if scores.exists():
        database.execute(f"create view score as from '{scores}'")
    return scores.exists()


def _all(path: Path) -> str:
    """Spark writes a folder."""
    return "/*.parquet" if path.is_dir() else ""


def _read_delta(database: duckdb.DuckDBPyConnection, out: Path) -> bool:
    scored = False
    for log in out.rglob("_delta_log"):
        table = DeltaTable(str(log.parent))
        files = [uri.removeprefix("file://") for uri in table.file_uris()]
        columns = {field.name for field in table.schema().fields}
        if {"userid", "status", *COEFFICIENTS} <= columns:
            database.execute(f"create view stored as from read_parquet({files!r})")
            database.execute("create view model as from stored where status = 'fitted'")
        elif {"userid", "probability"} <= columns:
            database.execute(f"create view score as from read_parquet({files!r})")
            scored = True
    return scored


def _row(database: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = database.execute(query).fetchone()
    assert row is not None
    return row


if __name__ == "__main__":
    main(Path(sys.argv[1]))
