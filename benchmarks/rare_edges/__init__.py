"""Rare edges: the product beside what is done today, from connections or hourly counts to alerts.

Each contestant is a script, `python -m benchmarks.rare_edges.NAME FILE OUT`, and prints the seconds of its
parts as one line of JSON (`benchmarks/per_group/phases.py`).
"""
