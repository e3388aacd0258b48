"""Zones as folders of Delta tables: read a version, publish, maintain."""
