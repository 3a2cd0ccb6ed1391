"""Builds the set that the hold model learns from."""
