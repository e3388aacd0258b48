"""Users whose activity is erratic, by the hour of the day."""
