"""`[[sources.x.when]]`: how some files of a source are written otherwise than the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CHANGEABLE = (
    "format", "columns", "encoding", "delimiter", "quote", "escape", "header", "skip", "skip_until",
    "comment", "footer", "skip_empty_records", "header_rows", "trim", "timezone",
    "date_format", "datetime_format", "epoch", "decimal_separator", "thousands_separator", "null",
    "null_in_quotes", "from_path", "column", "unpivot",
)  # fmt: skip
"""The settings that may differ from file to file: those of how a file is written."""
NOT_BOTH = ("epoch", "datetime_format")


def refuse_unusable_when(when: Mapping[str, Any]) -> None:
    """Refuse a section without a pattern, or with a setting that is the same for all files.

    Raises
    ------
    ValueError
        With what is wrong.
    """
    path = when.get("path")
    if not isinstance(path, str) or not path.strip():
        raise ValueError(f'path: expected the pattern of some files, such as "2019*", found {path!r}')
    others = [key for key in when if key != "path" and key not in CHANGEABLE]
    if others:
        raise ValueError(
            f"{others[0]}: expected a setting of how files are written ({', '.join(CHANGEABLE)})"
        )
    if len(when) == 1:
        raise ValueError(f"path: expected a setting beside it, found {path!r} alone")


def changed_settings(source: Mapping[str, Any], when: Mapping[str, Any]) -> dict[str, Any]:
    """A source's settings for the files of a section; `columns` and `column` change field by field.

    Examples
    --------
    >>> changed_settings(
    ...     {"skip": 1, "columns": {"m2": "M2", "id": "ID"}}, {"path": "2019*", "columns": {"m2": "m2"}}
    ... )
    {'skip': 1, 'columns': {'m2': 'm2', 'id': 'ID'}}
    """
    own = {key: value for key, value in when.items() if key != "path"}
    result = _over(source, own)
    if own.get("header") is False and "columns" not in own:
        result.pop("columns", None)
    unpivot = own.get("unpivot")
    if isinstance(unpivot, Mapping) and "columns" in result:  # no column is read for its fields
        made = {unpivot.get("name"), unpivot.get("value")}
        source = {**source, "columns": {f: name for f, name in source["columns"].items() if f not in made}}
        result["columns"] = source["columns"]
    for key in ("columns", "column"):
        if key in source and isinstance(own.get(key), Mapping):
            result[key] = {**source[key], **own[key]}
    if "column" in source and isinstance(own.get("column"), Mapping):
        for field, column in own["column"].items():
            if isinstance(column, Mapping):
                result["column"][field] = _over(source["column"].get(field, {}), column)
    return result


def _over(settings: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with others in their place; one of two that exclude each other takes the other's place."""
    replaced = NOT_BOTH if any(key in own for key in NOT_BOTH) else ()
    return {key: value for key, value in settings.items() if key not in replaced} | dict(own)
