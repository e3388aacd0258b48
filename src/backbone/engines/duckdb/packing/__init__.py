"""Rows packed into 64-bit numbers, so that they are sorted and handed over fast."""
