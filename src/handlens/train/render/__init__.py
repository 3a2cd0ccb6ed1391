"""Renders posed hands, heads and scenes with the truth about touch, in numpy and OpenCV; it must not know torch."""
