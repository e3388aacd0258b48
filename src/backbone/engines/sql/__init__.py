"""The portable SQL of models: what is allowed, what it reads, and how each engine says it."""
