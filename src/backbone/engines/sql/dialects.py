"""The dialects that SQL is translated to, each by its name in SQLGlot."""

from __future__ import annotations

from typing import Literal

Dialect = Literal["duckdb", "spark", "postgres"]
