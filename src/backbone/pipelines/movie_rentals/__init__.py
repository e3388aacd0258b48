"""Film rentals: what each customer buys, rents and says about it, day by day (or hour by hour)."""
