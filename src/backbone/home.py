"""The folder of a project that holds what is Backbone's own: its lock, its log, scratch files and caches."""

from __future__ import annotations

from pathlib import Path

HOME = Path(".backbone")
