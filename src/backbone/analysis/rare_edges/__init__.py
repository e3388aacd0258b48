"""Edges of a graph that suddenly carry far more than expected, watched hour by hour."""
