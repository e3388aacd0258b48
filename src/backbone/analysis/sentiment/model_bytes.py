"""The parts of a sentiment model as bytes and back, without ever running what the bytes hold."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

from backbone.analysis.sentiment.rated_reviews import WHERE
from backbone.analysis.skops_archive import canonical
from backbone.errors import StepFailed

FORMAT = "backbone sentiment 1"

# What a stored model may consist of, and the skops nodes that may build it. None of them runs code.
TRUSTED_TYPES = frozenset(
    {
        "builtins.dict",
        "builtins.list",
        "builtins.str",
        "builtins.tuple",
        "numpy.float64",
        "numpy.int64",
        "numpy.ndarray",
        "sklearn.feature_extraction.text.TfidfTransformer",
        "sklearn.linear_model._logistic.LogisticRegression",
    }
)
TRUSTED_NODES = frozenset(
    {"DictNode", "JsonNode", "ListNode", "NdArrayNode", "ObjectNode", "TupleNode", "TypeNode"}
)


def write_parts(parts: dict[str, Any]) -> bytes:
    """A skops archive of a model's parts; equal parts give equal bytes."""
    import skops.io

    return canonical(skops.io.dumps({"format": FORMAT, **parts}))


def read_parts(data: bytes) -> dict[str, Any]:
    """The parts that `write_parts` wrote.

    Every type named in the bytes has to be on the list of this module before any of it is loaded.

    Raises
    ------
    StepFailed
        When the bytes aren't a skops archive, name any other type, or are damaged.

    Examples
    --------
    >>> read_parts(write_parts({"about": "a model"}))["about"]
    'a model'
    """
    import skops.io

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            strange = sorted(set(_strange(json.loads(archive.read("schema.json")))))
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError) as error:
        raise _refused("expected a model in skops bytes, found something else") from error
    if strange:
        raise _refused(f"expected a model of known types, found {', '.join(strange)}")
    try:
        with warnings.catch_warnings(action="ignore"):
            parts: dict[str, Any] = skops.io.loads(data, trusted=[])
        if parts["format"] != FORMAT:
            raise ValueError(f"format {parts['format']}")
    except Exception as error:  # a damaged archive fails in as many ways as it has bytes
        raise damaged(error) from error
    return parts


def damaged(error: Exception) -> StepFailed:
    """What to say of a model that is of known types and yet can't be used."""
    import sklearn

    problem = f"expected a whole model that scikit-learn {sklearn.__version__} can use"
    return _refused(f"{problem}, found a damaged or foreign one ({error})")


def _refused(problem: str) -> StepFailed:
    return StepFailed(WHERE, problem, "Nothing of it was loaded.", "train the model again")


def _strange(node: Any) -> Iterator[str]:
    """The types and loaders named anywhere in a skops schema that this module doesn't write."""
    if isinstance(node, dict):
        if "__loader__" in node and node["__loader__"] not in TRUSTED_NODES:
            yield str(node["__loader__"])
        if "__class__" in node:
            name = f"{node.get('__module__')}.{node['__class__']}"
            if name not in TRUSTED_TYPES:
                yield name
    if isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _strange(child)
