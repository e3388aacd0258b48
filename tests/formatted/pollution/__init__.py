"""Clean CSV files of several shapes, every way to damage them, and what became of each damaged file."""
