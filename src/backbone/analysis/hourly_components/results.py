"""The tables of a fit, inside the engine; each is made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

from backbone.analysis.group_task import KernelTask, map_groups
from backbone.analysis.groups import Kernel, one_by_one
from backbone.analysis.hourly_components.components_kernel import ComponentsKernel, restored
from backbone.analysis.hourly_components.counting import Counts
from backbone.analysis.hourly_components.drivers_kernel import DriversKernel
from backbone.analysis.hourly_components.embedding import DIMENSIONS, added, chosen_by, turned
from backbone.analysis.hourly_components.loadings_kernel import LoadingsKernel
from backbone.analysis.hourly_components.summary import components_table, hours_table
from backbone.analysis.kernels.compiled import Floats
from backbone.contracts.contract import quote_identifier
from backbone.engines.relation import Relation
from backbone.engines.rows import Rows

ORDER = {
    "hours": "t.hour",
    "components": "t.hour, t.rank",
    "scores": "t.hour, t.code",
    "outliers": "t.hour, round(t.score, 9) desc, t.code",
    "outlier_days": "t.hour, t.code, t.position",
    "counts": "t.hour, t.code, t.day",
    "loadings": "t.hour, t.code",
    "embedding": "t.code",
}
BY_SHARE = "t.hour, round(t.share, 9) desc, t.code"  # outliers, where they are the top ones


class Results:
    """The tables of a fit.

    Parameters
    ----------
    explained : as for `principal`.
    observed : whether only the days with events in an hour are its observations.
    threshold, top : which scores are outliers; the threshold is not used where `top` is given.
    versions : those of the tables that the events come from.
    """

    def __init__(
        self,
        counts: Counts,
        *,
        explained: float,
        observed: bool,
        threshold: float,
        top: int | None,
        versions: Mapping[str, int],
    ) -> None:
        self._counts, self._engine, self._versions = counts, counts.engine, versions
        self._threshold, self._top = threshold, top
        self._calendar = None if observed else counts.days
        self._staged = {"cells": counts.cells, "users": counts.users}
        self._tables: dict[str, pa.Table] = {}
        found = self._mapped("found", ComponentsKernel(self._calendar, explained))
        hours = f"select hour, found from {found} where found is not null order by hour"
        self._hours = restored(self._engine.stream(hours).read_all())

    def rows(self, name: str) -> Rows:
        """A table that stays inside the engine, in any order; dropping it drops them all."""
        if name not in ORDER:
            raise ValueError(f"expected one of {', '.join(ORDER)}; found {name!r}")
        sql = self._select(name)
        return Rows(self._engine, sql, self._versions, tuple(self._staged.values()))

    def table(self, name: str) -> pa.Table:
        """A table in memory, in order."""
        if name not in self._tables:
            order = ORDER[name] if name != "outliers" or self._top is None else BY_SHARE
            ordered = f"{self._select(name)} order by {order}"
            self._tables[name] = self._engine.stream(ordered).read_all()
        return self._tables[name]

    def _select(self, name: str) -> str:
        if name in ("hours", "components"):
            return f"select * from {self._once(name, partial(self._put, name))} as t"
        day = "t.day" if self._counts.weekdays else "cast('1970-01-01' as date) + t.day as day"
        events = "cast(t.events as bigint) as events" if self._counts.are_integers else "t.events"
        if name == "counts":
            source, columns = str(self._staged["cells"]), f"{day}, {events}"
        elif name == "scores":
            source = str(self._staged["found"])
            columns = f"t.days, {events}, t.score, t.relative, t.share, t.component"
        elif name == "loadings":
            source, columns = str(self._mapped("loadings", LoadingsKernel(self._hours))), "t.loadings"
        elif name == "outlier_days":
            source, columns = str(self._drivers()), f"t.position, {day}, {events}, t.part"
        elif name == "embedding":
            places = ", ".join(f"t.x{number + 1}" for number in range(DIMENSIONS))
            source, columns = str(self._once(name, self._embed)), f"t.hours, {places}"
        else:
            columns = f"t.score, t.relative, t.share, t.component, {day}, {events}, t.usual"
            source = (
                f"(select l.*, d.day, d.events, d.usual from {self._outliers()} as l "
                f"join {self._drivers()} as d on l.hour = d.hour and l.code = d.code where d.position = 1)"
            )
        users = self._staged["users"]
        hour = "" if name == "embedding" else "t.hour, "
        return (
            f'select {hour}u.name as "user", {columns} '
            f"from {source} as t join {users} as u on t.code = u.code"
        )

    def _embed(self) -> Relation:
        """Everybody's place; the loadings are made for the few by whom dimensions are chosen."""
        cells, users = self._staged["cells"], self._staged["users"]
        n = self._engine.fetch(f"select count(*) from {users}")[0][0]
        every = -(-n // chosen_by(self._hours)) or 1
        code = self._engine.functions.divided("code", every)
        few = f"select hour, {code} as code, day, events from {cells} where code % {every} = 0"
        chosen = self._mapped("chosen", LoadingsKernel(self._hours), few)
        directions = turned(self._hours, self._entries(chosen), -(-n // every))
        places = self._mapped("places", LoadingsKernel(directions))
        return self._engine.put(added(self._entries(places), n))

    def _entries(self, staged: Relation) -> Iterator[tuple[int, npt.NDArray[np.int32], Floats]]:
        """Hour, codes and entries of its users, part by part as they lie: in the order of the hours."""
        for batch in self._engine.stream(f"select hour, code, loadings from {staged}"):
            hour = batch.column(0).to_numpy()
            for part in np.split(np.arange(len(hour)), np.flatnonzero(np.diff(hour)) + 1):
                if len(part):
                    its = batch.slice(part[0], len(part))
                    entries = its.column(2).flatten().to_numpy()
                    yield int(hour[part[0]]), its.column(1).to_numpy(), entries.reshape(len(part), -1)

    def _outliers(self) -> Relation:
        """The scores that are outliers."""
        scores = self._staged["found"]
        if self._top is None:
            sql = f"select * from {scores} where score > $threshold"
        else:  # what is equal but for rounding is equal
            sql = (
                f"select * from (select *, row_number() over (partition by hour "
                f"order by round(share, 9) desc, code) as place from {scores} where score > 0) as s "
                f"where place <= $top"
            )
        limits = {"threshold": self._threshold, "top": self._top}
        columns = "hour, code, score, relative, share, component"
        return self._once(
            "outliers", lambda: self._engine.stage(f"select {columns} from ({sql}) as s", limits)
        )

    def _drivers(self) -> Relation:
        outliers = self._outliers()
        sql = (
            f"select c.* from {self._staged['cells']} as c join {outliers} as o "
            f"on c.hour = o.hour and c.code = o.code"
        )
        return self._mapped("outlier_days", DriversKernel(self._hours, self._calendar), sql)

    def _mapped(self, name: str, kernel: Kernel, cells: str | None = None) -> Relation:
        """The staged result of a kernel over the cells of every hour."""
        sql = cells or f"select * from {self._staged['cells']}"
        values = {name: quote_identifier(name) for name in ("code", "day", "events")}
        if name not in self._staged:
            # Hours are worked on in parallel already; threads within LAPACK would get into each other's way.
            with threadpool_limits(1, user_api="blas"):
                task = KernelTask(kernel, ["hour"], values, ["code", "day"], one_by_one)
                self._staged[name] = map_groups(self._engine, sql, task)
        return self._staged[name]

    def _once(self, name: str, make: Callable[[], Relation]) -> Relation:
        """The staged table of a name, made unless it is there."""
        if name not in self._staged:
            self._staged[name] = make()
        return self._staged[name]

    def _put(self, name: str) -> Relation:
        quiet = 0 if self._calendar is None else len(self._calendar)
        table = hours_table(self._hours, quiet) if name == "hours" else components_table(self._hours)
        return self._engine.put(table)
