"""Checks of our networks against the original code of the published systems, with the same weights."""
