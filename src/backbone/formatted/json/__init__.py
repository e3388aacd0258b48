"""JSON files, read by their bytes: every top-level token as it is written."""
