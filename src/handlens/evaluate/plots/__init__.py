"""Figures of measurements: curves, angles, comparisons, contact sheets."""
