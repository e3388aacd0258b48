"""A contract: the canonical schema of a formatted table, written as a Pydantic model and compiled to SQL.

The engine checks a billion rows against it and Python checks none. So a contract can say what SQL can
check, and anything else in it is an error when it is read.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from typing import Annotated, Literal  # noqa: F401 - the examples' contracts name them

from pydantic import BaseModel, ConfigDict
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, SchemaError

from backbone.contracts.column import Column, Rule
from backbone.contracts.conversion import accepts, failures_sql, ok_sql, read_sql, value_sql
from backbone.contracts.field_names import refuse_aliases, refuse_unusable_names
from backbone.contracts.field_place import FieldPlace
from backbone.contracts.field_rules import braced, each_mark, limits_of, rule_of
from backbone.contracts.field_type import sql_type_of, unwrap
from backbone.contracts.notation import Notation
from backbone.errors import ContractError
from backbone.quoting import quote_identifier, quote_literal

__all__ = [
    "Column",
    "Contract",
    "Key",
    "Notation",
    "Rule",
    "accepts",
    "columns",
    "failures_sql",
    "fingerprint",
    "keys",
    "ok_sql",
    "quote_identifier",
    "quote_literal",
    "read_sql",
    "value_sql",
]

FORMAT_VERSION = 3
"""Part of every fingerprint; raised when the same contract begins to give other rows."""

_CHANGING_SETTINGS = (
    "str_strip_whitespace",
    "str_to_lower",
    "str_to_upper",
    "str_min_length",
    "str_max_length",
)


class Contract(BaseModel):
    """Base class of every contract; the docstring of a subclass is the meaning of the table.

    Examples
    --------
    >>> class Review(Contract):
    ...     'A review of a film.'
    ...     review_id: Annotated[str, Key]
    ...     rating: Literal[1, 2, 3] | None = None
    >>> for column in columns(Review):
    ...     print(column.name, column.sql_type, [rule.text for rule in column.rules])
    review_id VARCHAR []
    rating BIGINT ['rating in (1, 2, 3)']
    """

    # Pydantic's own validators are built where they are used; SQL checks the rows.
    model_config = ConfigDict(protected_namespaces=(), defer_build=True)


class Key:
    """Marks a field that identifies a row, as in `review_id: Annotated[str, Key]`."""


@cache
def columns(contract: type[Contract]) -> tuple[Column, ...]:
    """The columns of a contract, in the order of its fields.

    Bounds of times without an offset are in UTC. A `pattern` is searched for in the value, in RE2's dialect.

    Raises
    ------
    ContractError
        When a contract holds what SQL can't check, or contradicts itself.

    Examples
    --------
    >>> class Purchase(Contract):
    ...     quantity: int
    ...     note: str | None = None
    >>> [(column.name, column.nullable, column.optional) for column in columns(Purchase)]
    [('quantity', False, False), ('note', True, True)]
    """
    if not contract.__pydantic_fields_complete__:
        with suppress(SchemaError, PydanticUserError):
            contract.model_rebuild(raise_errors=False)
    if not contract.__pydantic_fields_complete__:
        raise ContractError(
            contract.__name__,
            "a type that it names is not known where the contract stands",
            next_step="define the contract, and what its annotations name, at the top of a module",
        )
    refuse_unusable_names(contract, Contract)
    refuse_aliases(contract)
    _refuse_python_checks(contract)
    if not contract.model_fields:
        raise ContractError(contract.__name__, "a contract without fields", next_step="give it a field")
    result = tuple(_column(contract, name, field) for name, field in contract.model_fields.items())
    seen: dict[str, str] = {}
    for column in result:
        if (twin := seen.setdefault(column.name.lower(), column.name)) != column.name:
            raise ContractError(
                f"{contract.__name__}.{column.name}",
                f"SQL takes it for the same column as {twin!r}",
                next_step="rename one of the two; case does not count",
            )
    return result


def keys(contract: type[Contract]) -> tuple[str, ...]:
    """The names of the columns that identify a row; empty when rows may repeat.

    Examples
    --------
    >>> class Review(Contract):
    ...     review_id: Annotated[str, Key]
    ...     text: str
    >>> keys(Review)
    ('review_id',)
    """
    return tuple(column.name for column in columns(contract) if column.key)


def fingerprint(contract: type[Contract], notation: Notation | None = None) -> str:
    """SHA-256 of everything that changes the formatted rows; descriptions are no part of it.

    Examples
    --------
    >>> class Purchase(Contract):
    ...     quantity: int
    >>> fingerprint(Purchase) == fingerprint(Purchase, Notation(timezone="Europe/Lisbon"))
    False
    """
    described = [{**asdict(column), "description": ""} for column in columns(contract)]
    written = asdict(notation or Notation())
    if written["epoch"] is None:  # a later one, which changes no fingerprint where it is not set
        del written["epoch"]
    facts = [FORMAT_VERSION, described, written]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _refuse_python_checks(contract: type[Contract]) -> None:
    decorators = contract.__pydantic_decorators__
    found: list[str] = []
    for kind in ("validators", "field_validators", "root_validators", "model_validators"):
        found += getattr(decorators, kind, {})
    if found:
        raise ContractError(
            contract.__name__,
            f"expected rules that SQL can check, found the validator {', '.join(found)}",
            next_step="write it as Field(ge=…, pattern=…) or the like, or check it in a step",
        )
    for setting in _CHANGING_SETTINGS:
        if contract.model_config.get(setting):
            raise ContractError(
                contract.__name__,
                f"model_config sets {setting}, which has no SQL",
                next_step="remove it; put a rule on each field, change values in a step",
            )


def _column(contract: type[Contract], name: str, field: FieldInfo) -> Column:
    place = FieldPlace(contract.__name__, name)
    if not name:
        raise place.error("a column without a name", "name the field")
    annotation, nullable, inner = unwrap(place, field.annotation)
    marks = [mark for metadata in (*inner, *field.metadata) for mark in each_mark(metadata)]
    key = any(mark is Key or isinstance(mark, Key) for mark in marks)
    limits = [
        limit
        for mark in marks
        if mark is not Key and not isinstance(mark, Key)
        for limit in limits_of(place, mark)
    ]
    sql_type, choices, nullable_choice = sql_type_of(place, annotation, dict(limits))
    nullable = nullable or nullable_choice
    if key and nullable:
        raise place.error("a key that may be null identifies nothing", "remove `| None` or `Key`")
    optional = not field.is_required()
    if optional and not (nullable and field.default is None and field.default_factory is None):
        found = "a default_factory" if field.default is PydanticUndefined else f"{field.default!r}"
        raise place.error(
            f"expected no default, or None for a field that may be null, found {found}",
            "remove the default; fill values in a step",
        )
    rules = [Rule(f"{name} is finite", "isfinite({value})")] if sql_type == "DOUBLE" else []
    if choices:
        literals = ", ".join(quote_literal(item) if isinstance(item, str) else str(item) for item in choices)
        rules.append(Rule(f"{name} in ({literals})", "{value} in (" + braced(literals) + ")"))
    rules += [
        rule_of(place, sql_type, limit, bound)
        for limit, bound in limits
        if limit not in {"max_digits", "decimal_places"}
    ]
    return Column(name, sql_type, nullable, optional, key, field.description or "", tuple(rules))
