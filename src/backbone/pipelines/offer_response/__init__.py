"""Offers: how often, and how long apart, each user is best asked to buy."""
