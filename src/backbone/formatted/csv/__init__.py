"""CSV files: records and fields are counted here, and the database reads what is certain."""
