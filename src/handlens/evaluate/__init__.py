"""Measures any predictor on any labelled set, the same way for every model; it must not know what runs behind it."""
