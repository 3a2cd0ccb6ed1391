"""Rendered people with labels, in numpy and OpenCV, without torch."""
