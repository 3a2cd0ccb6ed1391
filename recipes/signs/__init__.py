"""Builds the sets of the silhouette and sign models."""
