"""Count events per hour, user and day; users become numbers, in the order of their names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.analysis.column_kinds import is_float, is_integer, is_number
from backbone.analysis.group_task import KernelTask, map_groups
from backbone.analysis.hourly_components.count_kernel import CountKernel
from backbone.analysis.hourly_components.tally import MOST, fits, tally
from backbone.engines.protocol import Engine, Parameters
from backbone.engines.relation import Relation
from backbone.engines.rows import Rows
from backbone.engines.sql.functions import SqlFunctions
from backbone.quoting import quote_identifier
from backbone.timezones import is_utc

EXACT = 2.0**53  # below it all whole numbers are floating-point numbers
LARGEST = 1e100  # the sum of the squares of what adds up to no more is finite
EPOCH, EPOCH_SQL = date(1970, 1, 1), "cast('1970-01-01' as date)"
Days: TypeAlias = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Amounts:
    """What is to be counted.

    Parameters
    ----------
    sql : a SELECT of `name` (of the user), `day` (a date), `hour` and `amount`; a row with a null in one of
        them can't be counted.
    kind : the type of the amounts; None where each row is one event. An amount of 0 is nothing.
    """

    engine: Engine
    sql: str
    kind: pa.DataType | None


@dataclass(frozen=True)
class Counts:
    """Events per hour, user and day; staged in this order.

    Parameters
    ----------
    cells : the staged table of `hour` (0 to 23), `code` (of the user), `day` (as Arrow numbers dates, or 1
        for Monday to 7 for Sunday) and `events`, INTEGER or DOUBLE; where nothing happened there is no row.
    users : the staged table of `code` (from 0, in the order of the names) and `name`; of those in the cells.
    start, end : the range of dates, half open; None where there are no events to tell it by.
    weekdays : whether dates are folded into the days of the week.
    are_integers : whether the events are whole numbers.
    left_out : rows without a user, a time or a weight.
    """

    engine: Engine
    cells: Relation
    users: Relation
    start: date | None
    end: date | None
    weekdays: bool
    are_integers: bool
    left_out: int

    @property
    def days(self) -> Days:
        """Shape (days,): all days of the range, as Arrow numbers dates, or its weekdays; in order."""
        if self.start is None or self.end is None:
            return np.empty(0, dtype=np.int32)
        first = _day(self.start)
        dates = np.arange(first, first + (self.end - self.start).days, dtype=np.int32)
        return np.unique((dates + 3) % 7 + 1) if self.weekdays else dates  # 1970 began on a Thursday


def timed(rows: Rows, user: str, time: str, weight: str | None, timezone: str) -> Amounts:
    """Events at instants, on the days and hours of a time zone.

    Raises
    ------
    ValueError
        When a column is missing or of the wrong kind.
    """
    types = _types(rows, user, time, *([weight] if weight is not None else []))
    if not pa.types.is_timestamp(types[time]):
        raise ValueError(f"expected instants in {time!r}, found {types[time]}; cast it to a timestamp")
    instant = quote_identifier(time)
    functions = rows.engine.functions
    if types[time].tz is not None and types[time].unit == "ns":  # which DuckDB can't tell the microseconds of
        instant = f"cast({instant} as timestamptz)"
    at = functions.epoch_us(instant)  # null for infinity too
    if is_utc(timezone):
        local = functions.utc_time(at)  # a tenth of the cost of a conversion through ICU
    else:
        local = functions.local_time(functions.instant_of(at), timezone)
    amount = "1" if weight is None else _amount(weight, types, functions)
    clocked = (
        f"select {quote_identifier(user)} as name, {local} as local, {amount} as amount "
        f"from ({rows.sql}) as t"
    )
    columns = "name, cast(local as date) as day, extract(hour from local) as hour, amount"
    sql = f"select {columns} from ({clocked}) as c"
    return Amounts(rows.engine, sql, None if weight is None else types[weight])


def counted(rows: Rows, user: str, day: str, hour: str, events: str) -> Amounts:
    """Events that are counted already.

    Raises
    ------
    ValueError
        When a column is missing or of the wrong kind.
    """
    types = _types(rows, user, day, hour, events)
    if not pa.types.is_date(types[day]):
        raise ValueError(f"expected dates in {day!r}, found {types[day]}; cast it to a date")
    if not is_integer(types[hour]):
        raise ValueError(f"expected hours from 0 to 23 in {hour!r}, found {types[hour]}")
    date, functions = quote_identifier(day), rows.engine.functions
    sql = (
        f"select {quote_identifier(user)} as name, "
        f"case when {functions.is_finite_date(date)} then {date} end as day, "
        f"{quote_identifier(hour)} as hour, {_amount(events, types, functions)} as amount "
        f"from ({rows.sql}) as t"
    )
    return Amounts(rows.engine, sql, types[events])


def _types(rows: Rows, *named: str) -> dict[str, pa.DataType]:
    types = {field.name: field.type for field in rows.engine.describe(rows.sql)}
    if unknown := [name for name in named if name not in types]:
        raise ValueError(
            f"expected the columns {', '.join(named)}; found {', '.join(types)} without {unknown}"
        )
    return types


def _amount(column: str, types: dict[str, pa.DataType], functions: SqlFunctions) -> str:
    if not is_number(types[column]):
        raise ValueError(f"expected numbers in {column!r}, found {types[column]}")
    name = quote_identifier(column)
    return f"case when {functions.is_finite(name)} then {name} end" if is_float(types[column]) else name


def count(amounts: Amounts, *, weekdays: bool, start: date | None, end: date | None) -> Counts:
    """Add up the amounts of every cell of the range; without `start` or `end`, of all days with events.

    An amount of 0 is nothing: it makes no cell, no user and no day, and is not told as left out either.

    Users become numbers. So where there are not many more cells than rows each has a place where its rows
    are counted; elsewhere rows are sorted first.

    Raises
    ------
    ValueError
        When an amount is negative, an hour is not from 0 to 23, a day has none after it, or amounts add up to
        more than can be computed with.
    """
    engine, weighted = amounts.engine, amounts.kind is not None
    are_integers = amounts.kind is None or is_integer(amounts.kind)
    complete = "name is not null and day is not null and hour is not null and amount is not null"
    bounds = (" and day >= $start" if start else "") + (" and day < $end" if end else "")
    taken = f"{complete} and amount > 0{bounds}"
    bounds_of_days = {"start": start, "end": end}
    added = f"sum(least(cast(amount as double), {10 * LARGEST}))" if weighted else "count(*)"
    n, complete_rows, least_hour, most_hour, least, taken_rows, first, last, total = engine.fetch(
        f"select count(*), count(*) filter (where {complete}), min(hour) filter (where {complete}), "
        f"max(hour) filter (where {complete}), min(amount) filter (where {complete}), "
        f"count(*) filter (where {taken}), min(day) filter (where {taken}), max(day) filter (where {taken}), "
        f"{added} filter (where {taken}) from ({amounts.sql}) as r",
        bounds_of_days,
    )[0]
    if complete_rows and not 0 <= least_hour <= most_hour <= 23:
        raise ValueError(f"expected hours from 0 to 23, found those from {least_hour} to {most_hour}")
    if complete_rows and least < 0:
        raise ValueError(f"expected amounts of 0 or more, found {least}; leave such rows out")
    for found in (first, last):  # what is no date of Python's comes as a text
        if found is not None and (not isinstance(found, date) or found == date.max):
            raise ValueError(
                f"expected days from {date.min} to before {date.max}, found {found}; leave such rows out, or "
                "give start and end"
            )
    if total is not None and total > LARGEST:
        raise ValueError(f"expected amounts that add up to at most {LARGEST:g}; count in a larger unit")
    where = "" if taken_rows == n else f" where {taken}"
    users = engine.stage(
        f"select cast(row_number() over (order by name) - 1 as integer) as code, name "
        f"from (select distinct name from ({amounts.sql}) as r{where}) as n",
        bounds_of_days,
    )
    day = (
        f"cast({engine.functions.iso_weekday('day')} as integer)"
        if weekdays
        else f"cast(day - {EPOCH_SQL} as integer)"
    )
    coded = (
        f"select cast(hour as smallint) as hour, code, {day} as day{', amount' if weighted else ''} "
        f"from (select * from ({amounts.sql}) as a{where}) as r join {users} as u on r.name = u.name"
    )
    many = users.rows or 0
    least_day, days = (1, 7) if weekdays else _span(first, last)
    if are_integers and (total or 0) < MOST and fits(many, days, taken_rows):
        amount = ", cast(amount as integer) as amount" if weighted else ""
        rows = engine.stream(f"select hour, code, day{amount} from ({coded}) as c", bounds_of_days)
        cells = engine.put(tally(rows, many, least_day, days, weighted))
    else:
        cells = _sorted_cells(engine, coded, bounds_of_days, weighted)
    if weighted and are_integers and total is not None and total >= EXACT:
        _check_exact(engine, cells)
    after_last = None if last is None else last + timedelta(days=1)
    left_out = n - complete_rows
    return Counts(engine, cells, users, start or first, end or after_last, weekdays, are_integers, left_out)


def _day(day: date) -> int:
    """As Arrow numbers dates."""
    return (day - EPOCH).days


def _span(first: date | None, last: date | None) -> tuple[int, int]:
    """The first day as Arrow numbers dates, and how many there are to the last."""
    return (0, 0) if first is None or last is None else (_day(first), (last - first).days + 1)


def _sorted_cells(engine: Engine, coded: str, parameters: Parameters, weighted: bool) -> Relation:
    """The staged cells of rows that are sorted, and added up as they pass by.

    It costs half of what `group by` does where most cells hold few events, and no more where they hold many.
    """
    rows = engine.stage(coded, parameters)
    values = {"code": "code", "day": "day"} | ({"amount": "cast(amount as double)"} if weighted else {})
    kernel, order = CountKernel(weighted), ["code", "day", *(["amount"] if weighted else [])]
    cells = map_groups(engine, f"select * from {rows}", KernelTask(kernel, ["hour"], values, order))
    engine.drop(rows)
    return cells


def _check_exact(engine: Engine, cells: Relation) -> None:
    """Refuse whole amounts of a user in an hour whose sum may not be exact."""
    most = engine.fetch(
        f"select max(total) from (select sum(events) as total from {cells} group by hour, code) as t"
    )[0][0]
    if most >= EXACT:
        raise ValueError(
            f"expected whole amounts that add up to less than 2**53 of each user in an hour of the day, "
            f"found {most:g}, where not every number is exact; count in a larger unit"
        )
