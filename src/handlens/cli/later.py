"""The verbs that are promised and do not exist yet; each says so in one sentence and must do nothing else."""

import typer

from handlens.errors import NotYet

_NOW = "For now 'handlens predict' and 'handlens watch' use the models that ship with the package."


def evaluate(context: typer.Context) -> None:
    """Measure a model on labelled pictures (comes later)."""
    raise NotYet(f"'handlens evaluate' does not exist yet: measuring comes with a later release. {_NOW}")
