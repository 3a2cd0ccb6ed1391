"""Labelled sets: formats in and out, and the verbs that build, check, split and change them; no networks here."""
