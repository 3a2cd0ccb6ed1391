"""Builds the sets that the segment model learns from and is measured on."""
