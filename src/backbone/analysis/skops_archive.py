"""Archives that skops wrote, made equal where what they hold is equal."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

# Nodes of which it can't matter whether two places hold the same object: that is left to chance by Python.
IMMUTABLE = ("FunctionNode", "JsonNode", "TupleNode", "TypeNode")


def canonical(data: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A skops archive without the clock time and the memory addresses that it was written with.

    skops names objects and files by address or at random; here they are numbered as they appear.

    Parameters
    ----------
    compression : `zipfile.ZIP_DEFLATED` makes it up to ten times smaller; its bytes may then differ between
        machines, where zlib does.
    """
    numbers: dict[str, int] = {}

    def number(name: object) -> int:
        return numbers.setdefault(str(name), len(numbers) + 1)

    def renamed(file: str) -> str:
        name, _, kind = file.rpartition(".")
        return f"{number(name)}.{kind}"

    def numbered(node: Any) -> Any:
        if isinstance(node, list):
            return [numbered(child) for child in node]
        if not isinstance(node, dict):
            return node
        node = {name: numbered(child) for name, child in node.items()}
        if isinstance(node.get("file"), str):
            node["file"] = renamed(node["file"])
        if node.get("__loader__") in IMMUTABLE:
            node.pop("__id__", None)
        elif isinstance(node.get("__id__"), int):
            node["__id__"] = number(node["__id__"])
        return node

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    schema = json.dumps(numbered(json.loads(contents.pop("schema.json"))), separators=(",", ":"))
    files = sorted((renamed(name), content) for name, content in contents.items())
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in [*files, ("schema.json", schema.encode())]:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return target.getvalue()
