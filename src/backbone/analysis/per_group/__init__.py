"""A model for every group: fitted many at a time, kept as rows, scored anywhere."""
