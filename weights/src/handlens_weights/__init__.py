"""Weights of the models that ship with handlens, to train on from: `handlens train segment --start segment`.

The package is data alone. handlens finds it by its name and checks every file against `sha256.json`.
"""
