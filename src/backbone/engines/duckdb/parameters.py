"""Which of some parameters a text names."""

from __future__ import annotations

import re
from typing import Any

from backbone.engines.protocol import Parameters


def used_of(sql: str, parameters: Parameters | None) -> dict[str, Any] | None:
    """Those parameters that a text names, as DuckDB accepts no others."""
    unquoted = re.sub(r"\"[^\"]*\"|'[^']*'", "", sql) if parameters else ""
    found = {n: value for n, value in (parameters or {}).items() if re.search(rf"\${n}\b", unquoted)}
    return found or None
