"""Formats of labelled sets, one file for each."""
