"""Principal components of users' activity, hour by hour: who drives the variance, and on which days."""
