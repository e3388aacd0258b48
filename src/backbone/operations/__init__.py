"""Run history and state, queryable as `operations.*`."""
