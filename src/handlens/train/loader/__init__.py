"""Labelled pictures as batches of training samples."""
