"""Backbone: `product.py FILE OUT kernel|engine|events`.

`kernel` is the work alone, from cells in memory to components and everybody's scores in memory, as
scikit-learn goes from a matrix in memory. `engine` is the same between tables in the engine, as a fit does
it. `events` is a whole fit of a file of events: they are counted (`count`), then as before (`pca`).
"""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

from backbone import HourlyComponents
from backbone.analysis.groups import map_chunks, one_by_one
from backbone.analysis.hourly_components.components_kernel import ComponentsKernel, restored
from backbone.analysis.hourly_components.counting import Counts, count, timed
from backbone.analysis.hourly_components.results import Results
from backbone.engines import own_engine
from backbone.engines.as_rows import as_rows
from backbone.engines.relation import Relation
from benchmarks.hourly_components.data import FIRST_DAY
from benchmarks.hourly_components.hours import EXPLAINED, THRESHOLD, days_of, keep, quickest, summarised
from benchmarks.per_group.phases import Phases


def main(file: Path, out: Path, work: str, memory: str) -> None:
    out.mkdir(parents=True)
    phases = Phases()
    with phases("warm_up"):
        compile_kernels()
    {"kernel": in_memory, "engine": in_engine, "events": from_events}[work](file, out, memory, phases)
    phases.print()


def compile_kernels() -> None:
    """Fit a little activity of both kinds, so that what is compiled is loaded."""
    user = np.repeat(np.arange(40), 20) % 30
    time = (FIRST_DAY + np.arange(800) % 7).astype("datetime64[D]").astype("datetime64[us]")
    HourlyComponents().fit(pa.table({"user": user, "time": time}))


def in_memory(file: Path, out: Path, memory: str, phases: Phases) -> None:
    days = days_of(file)
    with phases("load"):
        cells = parquet.read_table(file).combine_chunks().to_batches(max_chunksize=1_000_000)
    kernel = ComponentsKernel(np.arange(FIRST_DAY, FIRST_DAY + days, dtype=np.int32), EXPLAINED)
    with own_engine(memory) as engine, threadpool_limits(1, user_api="blas"):
        work = partial(map_chunks, kernel, cells, ["hour"], threads=engine.threads, parts=one_by_one)
        phases.seconds["pca"], batches = quickest(lambda: list(work()))
    _keep(out, pa.Table.from_batches(batches))


def in_engine(file: Path, out: Path, memory: str, phases: Phases) -> None:
    days = days_of(file)
    first = date(1970, 1, 1) + timedelta(days=FIRST_DAY)
    with own_engine(memory) as engine:
        with phases("load"):
            cells = engine.stage(f"select * from {engine.put(file)}")
            users = engine.stage(f"select distinct code, cast(code as varchar) as name from {cells}")
        counts = Counts(engine, cells, users, first, first + timedelta(days=days), False, True, 0)

        def work() -> Relation:
            *_, found = _results(counts).rows("scores").staged
            if made:
                engine.drop(made.pop())
            made.append(found)
            return found

        made: list[Relation] = []
        phases.seconds["pca"], found = quickest(work)
        _keep(out, engine.stream(f"select * from {found}").read_all())


def from_events(file: Path, out: Path, memory: str, phases: Phases) -> None:
    with as_rows(file, ["user", "time"], memory, None) as rows:
        with phases("count"):
            counts = count(timed(rows, "user", "time", None, "UTC"), weekdays=False, start=None, end=None)
        with phases("pca"):
            _results(counts)
        found = rows.engine.fetch(f"select count(*), sum(events), max(events) from {counts.cells}")[0]
    keep(out, {"counts": [float(number) for number in found]})


def _results(counts: Counts) -> Results:
    return Results(counts, explained=EXPLAINED, observed=False, threshold=THRESHOLD, top=None, versions={})


def _keep(out: Path, rows: pa.Table) -> None:
    """Keep what the kernel's rows tell of each hour."""
    hours, facts = restored(rows.filter(pc.is_valid(rows["found"]))), {}
    for hour, found in sorted(hours.items()):
        scores = rows.filter(pc.equal(rows["hour"], hour))["score"].to_numpy()
        facts[hour] = summarised(found.squares / (found.days - 1), scores)
    keep(out, facts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("work", choices=("kernel", "engine", "events"))
    parser.add_argument("--memory", default="3GB")
    given = parser.parse_args()
    main(given.file, given.out, given.work, given.memory)
