"""Draws the demo clip that ships with the package."""
