"""Labelled pictures and any predictor -> measured numbers with intervals; it must not know how models run."""
