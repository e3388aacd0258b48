"""Parquet files that are read many at a time."""
