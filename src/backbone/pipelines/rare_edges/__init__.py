"""Connections between programs, hosts or people: edges that suddenly carry far more than expected."""
