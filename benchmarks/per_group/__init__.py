"""One model per user: the product beside what is done today, from a Parquet file to stored models.

Each contestant is a script, `python -m benchmarks.per_group.NAME FILE OUT`, and prints the seconds of its
parts as one line of JSON (`phases.py`).
"""
