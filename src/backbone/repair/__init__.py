"""Mend what `backbone check` finds, as far as it can be made again from what is left."""
