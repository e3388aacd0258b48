"""Find the row of one group in a table of models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def group_row(models: pa.Table, by: Sequence[str], key: Any) -> dict[str, Any]:
    """The row of the group with a key.

    Parameters
    ----------
    by : the columns that identify a group.
    key : a value, or a tuple of values where several columns identify a group.

    Raises
    ------
    KeyError
        When there is no such group.

    Examples
    --------
    >>> models = pa.table({"user": [1, 2], "status": ["fitted", "single_class"]})
    >>> group_row(models, ["user"], 2)
    {'user': 2, 'status': 'single_class'}
    """
    parts = key if isinstance(key, tuple) and len(by) > 1 else (key,)
    if len(parts) != len(by):
        raise KeyError(f"expected a key of {len(by)} parts ({', '.join(by)}), found {key!r}")
    matches: Any = None
    for name, part in zip(by, parts, strict=True):
        column = models.column(name)
        try:
            wanted = pa.scalar(part, type=column.type)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            raise KeyError(key) from None
        if wanted.as_py() != part:  # 1.5 is no key of whole numbers
            raise KeyError(key)
        same = pc.equal(column, wanted)
        matches = same if matches is None else pc.and_(matches, same)
    found: list[dict[str, Any]] = models.filter(matches).to_pylist()
    if not found:
        raise KeyError(key)
    return found[0]
