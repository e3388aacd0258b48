"""The rows that models are fitted on: which columns mean what, and how a kernel is to see them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from backbone.analysis.groups import Kernel, map_chunks
from backbone.contract import quote_identifier
from backbone.engines.held import fresh
from backbone.engines.rows import Rows

TARGET, WEIGHT = "_target", "_weight"  # what a kernel calls them; the features keep their names
NUMBER = re.compile(r"^(BOOLEAN|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL.*)$")
MOST_CLASSES = 1_000
RESULTS = (  # columns of a table of models, which no key may be called
    *("status", "n_rows", "n_missing", "n_negative", "n_positive", "class_counts", "classes", "inputs"),
    *("intercept", "iterations", "log_loss", "mean_squared_error", "model", "score", "error", "strength"),
)
Work = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


@dataclass(frozen=True)
class Training:
    """Rows that an engine holds, and the parts that their columns play.

    Parameters
    ----------
    classes : of a classifier, the labels in order; the kernel sees a label's position. None for a number.
    others : further columns of numbers that a kernel is to see.
    rows_without_key : those with a null in a key column, which belong to no group and are left out.
    """

    rows: Rows
    by: tuple[str, ...]
    features: tuple[str, ...]
    target: str
    weight: str | None
    classes: tuple[Any, ...] | None
    others: tuple[str, ...] = ()
    rows_without_key: int = 0

    @property
    def values(self) -> dict[str, str]:
        """What a kernel is given, as SQL: doubles, NaN for what is missing."""
        found = {name: _double(name) for name in self.features}
        if self.classes is None:
            found[TARGET] = _double(self.target)
        else:
            cases = " ".join(
                f"when {quote_identifier(self.target)} = $class_{i} then {i}.0"
                for i in range(len(self.classes))
            )
            found[TARGET] = f"cast(case {cases} else 'nan' end as double)" if cases else _MISSING
        if self.weight is not None:
            found[WEIGHT] = _double(self.weight)
        return found | {name: quote_identifier(name) for name in self.others}

    @property
    def parameters(self) -> dict[str, Any]:
        return {f"class_{i}": label for i, label in enumerate(self.classes or ())}

    def map_groups(self, kernel: Kernel, by: Sequence[str] | None = None) -> str:
        """Run a kernel over the groups, or over all rows as one; returns the staged result."""
        used = self.by if by is None else tuple(by)
        return self.stage(self.work(kernel, used), used)

    def work(self, kernel: Kernel, by: Sequence[str]) -> Work:
        """What the engine is to do with the rows that it hands over group by group."""
        return partial(map_chunks, kernel, by=by, threads=self.rows.engine.threads, **self.room(by))

    def room(self, by: Sequence[str]) -> dict[str, Any]:
        """Where a group goes that is larger than a chunk, and who is told of it; all rows are always many."""
        return {"scratch": self.rows.engine.scratch} | ({"large": _told} if by else {})

    def stage(self, work: Work, by: Sequence[str]) -> str:
        """Stage what is made of the rows, group by group; returns the name of the staged table."""
        staged = fresh("groups")
        parts = [*by, *self.features, self.target, *([self.weight] if self.weight else []), *self.others]
        complete = (
            [f"{quote_identifier(key)} is not null" for key in self.by] if self.rows_without_key else []
        )
        where = f" where {' and '.join(complete)}" if complete else ""
        listed = ", ".join(map(quote_identifier, dict.fromkeys(parts)))
        sql = f"select {listed} from ({self.rows.sql}) as t{where}"
        self.rows.engine.map_groups(staged, sql, by, self.values, work, parameters=self.parameters)
        return staged


def described(
    rows: Rows,
    by: Sequence[str],
    features: Sequence[str],
    target: str,
    weight: str | None,
    *,
    classes: Sequence[Any] | None,
    classifies: bool,
) -> Training:
    """Look at the rows before any model is fitted.

    Raises
    ------
    ValueError
        When a column is missing or holds no numbers, a weight is negative, or a class is unknown.
    """
    types = dict(rows.engine.columns(rows.sql))
    named = [*by, *features, target, *([weight] if weight is not None else [])]
    if unknown := [name for name in named if name not in types]:
        raise ValueError(
            f"expected the columns {', '.join(named)}; found {', '.join(types)} without {unknown}"
        )
    if not by:
        raise ValueError("by= names no column; name those that identify a group")
    if twice := sorted({name for name in named if named.count(name) > 1}):
        raise ValueError(f"expected each column in one part; {', '.join(twice)} has two of by, features, …")
    if taken := sorted(
        name for name in by if name in RESULTS or name.startswith(("coef_", "mean_", "scale_"))
    ):
        raise ValueError(
            f"the table of models has columns of its own called {', '.join(taken)}; rename the key"
        )
    numbers = [*features, *([weight] if weight is not None else []), *([] if classifies else [target])]
    for name in numbers:
        if not NUMBER.match(types[name]):
            raise ValueError(
                f"expected numbers in {name!r}, found {types[name]}; make it one or several numbers"
            )
    missing = " or ".join(f"{quote_identifier(key)} is null" for key in by)
    light = f"count(*) filter (where {quote_identifier(weight)} < 0)" if weight is not None else "0"
    without, negative = rows.engine.fetch(
        f"select count(*) filter (where {missing}), {light} from ({rows.sql}) as t"
    )[0]
    if negative:
        raise ValueError(f"expected weights of 0 or more in {weight!r}, found {negative} negative ones")
    found = _classes(rows, target, classes) if classifies else None
    return Training(rows, tuple(by), tuple(features), target, weight, found, rows_without_key=without)


def _classes(rows: Rows, target: str, given: Sequence[Any] | None) -> tuple[Any, ...]:
    """The labels of a target, in order."""
    name = quote_identifier(target)
    found = [
        row[0]
        for row in rows.engine.fetch(
            f"select distinct {name} from ({rows.sql}) as t where {name} is not null order by 1 "
            f"limit {MOST_CLASSES + 1}"
        )
        if row[0] == row[0]
    ]
    if given is not None:
        if strange := [label for label in found if label not in given]:
            raise ValueError(f"expected {target!r} to hold {list(given)}, found {strange[:5]} too")
        return tuple(given)
    if len(found) > MOST_CLASSES:
        raise ValueError(f"{target!r} has over {MOST_CLASSES} different values; is it a class, or a number?")
    if len(found) > 1:
        return tuple(found)
    if not found or (not isinstance(found[0], str) and found[0] in (0, 1)):
        return (False, True) if found and isinstance(found[0], bool) else (0, 1)
    raise ValueError(
        f"{target!r} holds one value only, {found[0]!r}; say which there are: PerGroup(…, classes=[…, …])"
    )


_MISSING = "cast('nan' as double)"


def _double(name: str) -> str:
    return f"coalesce(cast({quote_identifier(name)} as double), {_MISSING})"


def _told(rows: int) -> None:
    import logging

    logging.getLogger("backbone").warning(
        "a group of %s rows is larger than a chunk: it is worked on from disk, by one core", f"{rows:,}"
    )
