"""The console script: it sees to signals first, since loading the rest takes a while."""

from __future__ import annotations

from backbone.commands.signals import ended_by_signals


def main() -> None:
    """Run the command that the arguments name."""
    with ended_by_signals():
        from backbone.commands.cli import app

        app()
