"""Contracts: the canonical schema of a formatted table, and the texts that its values are written as."""
