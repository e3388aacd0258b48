"""Names that a field of a contract can't have: Pydantic makes no column of them, or the zones use them."""

from __future__ import annotations

import inspect
import re
import sys
from typing import Any, ClassVar, get_origin

from pydantic import BaseModel

from backbone.errors import ContractError

_MAP = "map it in backbone.toml: [sources.NAME] columns ="
RESERVED_NAMES = frozenset({"window_start", "window_date", "_batch", "_row", "_line"})


def refuse_unusable_names(contract: type[BaseModel], base: type[BaseModel]) -> None:
    """Check that every annotation in a contract, and in the classes between it and `base`, is a column.

    Raises
    ------
    ContractError
        For a name that begins with an underscore, that every model has as an attribute, or that is reserved;
        constants are marked by `ClassVar`.
    """
    found: dict[str, tuple[str, Any]] = {}
    for owner in reversed(contract.__mro__):
        if owner not in base.__mro__:
            private = f"_{owner.__name__.lstrip('_')}__"  # how Python writes `__x` in a class
            for written, annotation in _annotations(owner).items():
                shown = f"__{written.removeprefix(private)}" if written.startswith(private) else written
                found[written] = shown, annotation
    for written, (name, annotation) in found.items():
        if written == "model_config" or _is_class_var(annotation):
            continue
        if hasattr(base, name):
            raise _error(contract, name, "every Pydantic model has an attribute of this name")
        if written not in contract.model_fields:
            raise _error(contract, name, _why_no_column(name))
    for name in contract.model_fields:
        if name.lower() in RESERVED_NAMES:
            raise _error(contract, name, _why_no_column(name))


def refuse_aliases(contract: type[BaseModel]) -> None:
    """Check that no field has another name in the file: the settings of the source say so instead.

    Raises
    ------
    ContractError
        For an alias by which Pydantic would read a field, or settings that make one.
    """
    if contract.model_config.get("alias_generator"):
        raise ContractError(
            contract.__name__,
            "model_config sets alias_generator, and the columns of a file are not found by aliases",
            next_step=f'remove it, and {_MAP} {{ field = "name in the file" }}',
        )
    for name, field in contract.model_fields.items():
        alias = field.alias if field.validation_alias is None else field.validation_alias
        if alias is None or alias == name:
            continue
        in_file = f'"{alias}"' if isinstance(alias, str) else '"name in the file"'
        raise ContractError(
            f"{contract.__name__}.{name}",
            f"found the alias {alias!r}, and the columns of a file are not found by aliases",
            next_step=f"remove it, and {_MAP} {{ {name} = {in_file} }}",
        )


def _why_no_column(name: str) -> str:
    if name.lower() in ("window_start", "window_date"):
        return "this name is reserved for windowed tables"
    if name.lower() in RESERVED_NAMES:
        return "this name is reserved for where a row came from"
    if name.startswith("_"):
        return "a name that begins with an underscore is private to Pydantic, and makes no column"
    return "Pydantic makes no column of it"


def _error(contract: type[BaseModel], name: str, problem: str) -> ContractError:
    other = name.strip("_")
    if other == name or not other.isidentifier() or other in contract.model_fields or other in RESERVED_NAMES:
        other = f"{other}_value" if f"{other}_value".isidentifier() else "value"
    return ContractError(
        f"{contract.__name__}.{name}",
        problem,
        next_step=f'call the field {other}, and {_MAP} {{ {other} = "{name}" }} (a constant is a ClassVar)',
    )


def _annotations(owner: type) -> dict[str, Any]:
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(owner, format=annotationlib.Format.FORWARDREF)
    return inspect.get_annotations(owner)


def _is_class_var(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return re.match(r"(\w+\.)*ClassVar\b", annotation) is not None
    return annotation is ClassVar or get_origin(annotation) is ClassVar
