"""DuckDB, in this process: the engine Backbone comes with."""
