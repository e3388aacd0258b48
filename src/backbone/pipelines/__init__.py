"""Whole pipelines, from delivered files to the tables and models made of them."""
