"""The rows that models are fitted on: which columns mean what, and how a kernel is to see them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Number
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from backbone.analysis.column_kinds import can_be_key, is_float, is_integer, is_number, is_text, sql_float
from backbone.analysis.group_task import KernelTask, map_groups
from backbone.analysis.groups import Groups, Kernel, undivided
from backbone.engines.relation import Relation
from backbone.engines.rows import Rows
from backbone.engines.sql.functions import SqlFunctions
from backbone.quoting import quote_identifier, quote_literal

if TYPE_CHECKING:
    from backbone.analysis.kernels.prior import Prior

# What kernels call the columns; the features keep their names.
KEY, LABEL, TARGET, WEIGHT, FOLD = "_key_", "_label", "_target", "_weight", "_fold"
RESERVED = re.compile(rf"{KEY}\d+|{LABEL}|{TARGET}|{WEIGHT}|{FOLD}", re.IGNORECASE)
MOST_CLASSES = 1_000
RESULTS = (  # columns of a table of models, which no key may be called
    *("status", "n_rows", "n_missing", "n_negative", "n_positive", "class_counts", "classes", "inputs"),
    *("intercept", "iterations", "log_loss", "mean_squared_error", "model", "score", "error", "strength"),
    *("accuracy", "auc", "r2"),  # and of one of their quality
)


@dataclass(frozen=True)
class Training:
    """Rows that an engine holds, and the parts that their columns play.

    Parameters
    ----------
    rows : with columns that are called as kernels call them, the label of a class apart.
    names : the key's columns as the user calls them; `by` as they are called in `rows`.
    target : LABEL, or TARGET where it is a number already.
    classes : of a classifier, the labels in order; the kernel sees a label's position. None for a number.
    flags : those of the features that are true or false.
    others : further columns of numbers that a kernel is to see.
    rows_without_key : those with a null in a key column, which belong to no group and are left out.
    """

    rows: Rows
    names: tuple[str, ...]
    features: tuple[str, ...]
    target: str
    weight: str | None
    classes: tuple[Any, ...] | None
    others: tuple[str, ...] = ()
    flags: frozenset[str] = frozenset()
    rows_without_key: int = 0

    @property
    def by(self) -> tuple[str, ...]:
        return tuple(f"{KEY}{i}" for i in range(len(self.names)))

    @property
    def values(self) -> dict[str, str]:
        """What a kernel is given, as SQL: doubles, NaN for what is missing."""
        nan = self.rows.engine.functions.nan()
        found = {name: _double(name, nan) for name in self.features}
        if self.classes is None:
            found[TARGET] = _double(self.target, nan)
        else:
            cases = " ".join(
                f"when {quote_identifier(self.target)} = $class_{i} then cast({i} as double)"
                for i in range(len(self.classes))
            )
            found[TARGET] = f"case {cases} else {nan} end"
        if self.weight is not None:
            found[WEIGHT] = _double(self.weight, nan)
        return found | {name: quote_identifier(name) for name in self.others}

    @property
    def parameters(self) -> dict[str, Any]:
        return {f"class_{i}": label for i, label in enumerate(self.classes or ())}

    def map_groups(
        self,
        kernel: Kernel,
        by: Sequence[str] | None = None,
        parts: Callable[[Groups], Iterable[Groups]] = undivided,
        select: str = "*",
        to_file: bool = False,
    ) -> Relation:
        """Run a kernel over the groups, or over all rows as one; returns the staged result."""
        used = self.by if by is None else tuple(by)
        columns = [*used, *self.features, self.target, *([self.weight] if self.weight else []), *self.others]
        listed = ", ".join(map(quote_identifier, dict.fromkeys(columns)))
        sql = f"select {listed} from ({self.rows.sql}) as t"
        task = KernelTask(kernel, used, self.values, parts=parts)
        return map_groups(self.rows.engine, sql, task, self.parameters, select=select, to_file=to_file)

    def models(
        self,
        kernel: Kernel,
        prior: Prior | None = None,
        parts: Callable[[Groups], Iterable[Groups]] = undivided,
        *,
        to_file: bool,
    ) -> Relation:
        """Fit every group; returns the staged models, with what they are made of: classes, pull, inputs."""
        facts = [] if prior is None else [f"cast({prior.strength!r} as double) as strength"]
        if self.classes is not None:
            labels = json.dumps(list(self.classes), default=str, ensure_ascii=False)
            facts.append(f"{quote_literal(labels)} as classes")
        versions = ", ".join(f"{name}@{version}" for name, version in sorted(self.rows.versions.items()))
        facts.append(f"{quote_literal(versions) if versions else 'cast(null as varchar)'} as inputs")
        columns = kernel.schema(pa.schema([(name, pa.null()) for name in self.by])).names
        select = ", ".join([self.called(columns), *facts])
        return self.map_groups(kernel, parts=parts, select=select, to_file=to_file)

    def called(self, columns: Sequence[str]) -> str:
        """SQL of columns of a result, keys called as the user calls them."""
        names = dict(zip(self.by, self.names, strict=True))
        return ", ".join(f"{quote_identifier(c)} as {quote_identifier(names.get(c, c))}" for c in columns)


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
    named = [*by, *features, target, *([weight] if weight is not None else [])]
    if not by:
        raise ValueError("by= names no column; name those that identify a group")
    if twice := sorted({name for name in named if named.count(name) > 1}):
        raise ValueError(f"expected each column in one part; {', '.join(twice)} has two of by, features, …")
    types = _types(rows, named)
    if taken := sorted(
        name
        for name in by  # SQL knows no upper and lower case
        if name.lower() in RESULTS or name.lower().startswith(("coef_", "mean_", "scale_"))
    ):
        raise ValueError(
            f"the table of models has columns of its own called {', '.join(taken)}; rename the key"
        )
    if strange := sorted(name for name in by if not can_be_key(types[name])):
        raise ValueError(f"expected keys that can be ordered; {strange[0]} is {types[strange[0]]}")
    if reserved := sorted(name for name in features if RESERVED.fullmatch(name)):
        raise ValueError(f"a feature can't be called {', '.join(reserved)}, as kernels call other columns so")
    _refuse_no_numbers(types, [name for name in named[len(by) :] if name != target or not classifies])
    missing = " or ".join(_lacks(name, types[name], rows.engine.functions) for name in by)
    without = _count(rows, missing) if _may_lack(rows, by, types) else 0
    if weight is not None and (negative := _count(rows, f"{quote_identifier(weight)} < 0")):
        raise ValueError(f"expected weights of 0 or more in {weight!r}, found {negative} negative ones")
    found = _classes(rows, target, types[target], classes) if classifies else None
    called = [
        *keys_sql(by, types),
        *map(quote_identifier, features),
        f"{quote_identifier(target)} as {LABEL}",
        *([f"{quote_identifier(weight)} as {WEIGHT}"] if weight is not None else []),
    ]
    where = f" where not ({missing})" if without else ""
    used = replace(rows, sql=f"select {', '.join(called)} from ({rows.sql}) as t{where}")
    return Training(
        used,
        tuple(by),
        tuple(features),
        LABEL,
        WEIGHT if weight is not None else None,
        found,
        flags=frozenset(name for name in features if pa.types.is_boolean(types[name])),
        rows_without_key=without,
    )


def read_rows(
    rows: Rows,
    by: tuple[str, ...],
    features: tuple[str, ...],
    target: str | None,
    weight: str | None,
    classes: tuple[Any, ...] | None,
) -> pa.Table:
    """Rows to score, in their order: the key as it is called, and doubles as kernels see them.

    Raises
    ------
    ValueError
        When a column is missing or of the wrong kind.
    """
    judged = [name for name in (target, weight) if name is not None]
    types = _types(rows, [*by, *features, *judged])
    _refuse_no_numbers(types, [*features, *(name for name in judged if name != target or classes is None)])
    if target is not None and classes is not None:
        _refuse_other_labels(target, types[target], classes)
    given = Training(rows, by, features, target or LABEL, weight, classes)
    values = {name: sql for name, sql in given.values.items() if target is not None or name != TARGET}
    named = (f"{sql} as {quote_identifier(name)}" for name, sql in values.items())
    sql = f"select {', '.join([*keys_sql(by, types), *named])} from ({rows.sql}) as t"
    read = rows.engine.stream(sql, given.parameters).read_all().combine_chunks()
    return read.rename_columns(dict(zip(given.by, by, strict=True)))


def _types(rows: Rows, named: Sequence[str]) -> dict[str, pa.DataType]:
    """The type of every column; all that are named have to be there, under names that SQL can tell apart."""
    types = {field.name: field.type for field in rows.engine.describe(rows.sql)}
    there, wanted = {name.lower(): name for name in types}, dict[str, str]()
    for name in named:
        if (like := wanted.setdefault(name.lower(), name)) != name:
            raise ValueError(
                "expected names that differ by more than upper and lower case, as SQL takes others for the "
                f"same; found {like!r} and {name!r}; rename one"
            )
        if name not in types and (like := there.get(name.lower(), name)) != name:
            raise ValueError(
                f"expected the column {name!r}, found {like!r}, which SQL takes for the same; "
                f"write {like!r}, or rename one where the data has both"
            )
    if unknown := [name for name in named if name not in types]:
        raise ValueError(
            f"expected the columns {', '.join(named)}; found {', '.join(types)} without {unknown}"
        )
    return types


def _refuse_no_numbers(types: Mapping[str, pa.DataType], names: Sequence[str]) -> None:
    for name in names:
        if not _is_number(types[name]):
            raise ValueError(
                f"expected numbers in {name!r}, found {types[name]}; make it one or several numbers"
            )


def _refuse_other_labels(target: str, kind: pa.DataType, classes: Sequence[Any]) -> None:
    """Refuse a target that can't be compared with the labels of the fit."""
    for label in classes:
        alike = _is_text(kind) if isinstance(label, str) else _is_number(kind)
        if not alike and isinstance(label, str | Number):
            raise ValueError(
                f"expected {target!r} to hold labels such as {label!r}, found {kind}; make them the same type"
            )


def keys_sql(by: Sequence[str], types: Mapping[str, pa.DataType]) -> list[str]:
    """The columns of a key as kernels call them; -0.0 becomes 0.0, which it equals."""
    return [
        f"cast({quote_identifier(name)} + 0.0 as {sql_float(types[name])}) as {KEY}{i}"
        if is_float(types[name])
        else f"{quote_identifier(name)} as {KEY}{i}"
        for i, name in enumerate(by)
    ]


def _lacks(name: str, kind: pa.DataType, sql: SqlFunctions) -> str:
    """SQL of whether a row has nothing in a column of the key; NaN is nothing."""
    column = quote_identifier(name)
    return f"{column} is null" + (f" or {sql.is_nan(column)}" if is_float(kind) else "")


def _may_lack(rows: Rows, by: Sequence[str], types: Mapping[str, pa.DataType]) -> bool:
    """Whether a row may lack a part of its key: told by counts, which Parquet files keep."""
    counts = ", ".join(f"count({quote_identifier(name)})" for name in by)
    every, *present = rows.engine.fetch(f"select count(*), {counts} from ({rows.sql}) as t")[0]
    return any(is_float(types[name]) for name in by) or any(n < every for n in present)


def _count(rows: Rows, condition: str) -> int:
    return int(rows.engine.fetch(f"select count(*) from ({rows.sql}) as t where {condition}")[0][0])


def _distinct(rows: Rows, target: str, kind: pa.DataType) -> list[Any]:
    """The finite values of a column, in order; MOST_CLASSES + 1 of more than that."""
    name = quote_identifier(target)
    if is_integer(kind) or pa.types.is_boolean(
        kind
    ):  # two neighbours have nothing between them, and Parquet files keep both ends
        least, most = rows.engine.fetch(f"select min({name}), max({name}) from ({rows.sql}) as t")[0]
        if least is None or most - least <= 1:
            return [] if least is None else sorted({least, most})
    listed = rows.engine.fetch(
        f"select distinct {name} from ({rows.sql}) as t where {name} is not null order by 1 "
        f"limit {MOST_CLASSES + 1}"
    )
    return [row[0] for row in listed if not isinstance(row[0], float) or math.isfinite(row[0])]


def _classes(rows: Rows, target: str, kind: pa.DataType, given: Sequence[Any] | None) -> tuple[Any, ...]:
    """The labels of a target, in order."""
    found = _distinct(rows, target, kind)
    if given is not None:
        if len(set(given)) < len(given):
            raise ValueError(f"expected different classes, found {list(given)}")
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


def _double(name: str, nan: str) -> str:
    return f"coalesce(cast({quote_identifier(name)} as double), {nan})"


def _is_number(kind: pa.DataType) -> bool:
    return is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)


def _is_text(kind: pa.DataType) -> bool:
    return is_text(kind) or pa.types.is_null(kind)
