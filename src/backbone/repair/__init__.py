"""Find what is not as it was written, and mend what can be made again from what is left."""
