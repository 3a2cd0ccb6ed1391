"""Gestures of one's own from a few pictures, on a shipped model."""
