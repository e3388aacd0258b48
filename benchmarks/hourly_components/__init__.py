"""Principal components of every hour's activity: the product, what is used today, and what counting costs.

Each contestant is a script, `python -m benchmarks.hourly_components.NAME FILE OUT`. It prints the seconds of
its parts as one line of JSON (`benchmarks/per_group/phases.py`) and leaves what it found in `OUT/facts.json`.
"""
