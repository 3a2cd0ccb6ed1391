"""Trains, assembles and measures the touch model."""
