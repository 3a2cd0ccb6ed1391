"""The verbs that are promised and do not exist yet; each says so in one sentence and must do nothing else."""

import typer

from handlens.errors import NotYet

_NOW = "For now 'handlens predict' and 'handlens watch' use the models that ship with the package."


def train(context: typer.Context) -> None:
    """Train a network on your own pictures (comes later)."""
    raise NotYet(f"'handlens train' does not exist yet: training comes with a later release. {_NOW}")


def evaluate(context: typer.Context) -> None:
    """Measure a model on labelled pictures (comes later)."""
    raise NotYet(f"'handlens evaluate' does not exist yet: measuring comes with a later release. {_NOW}")


def export(context: typer.Context) -> None:
    """Write a trained network as an .onnx file (comes later)."""
    raise NotYet(f"'handlens export' does not exist yet: it comes with training in a later release. {_NOW}")
