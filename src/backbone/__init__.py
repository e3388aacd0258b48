"""Backbone: files and tables into trusted tables, trusted tables into models."""
