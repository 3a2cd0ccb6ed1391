"""Whether what training needs is installed; it must not import it."""

from collections.abc import Sequence
from importlib.util import find_spec

from handlens.errors import InputError

NEEDED = ("torch", "lightning", "onnx")


def need_training(what: str, needed: Sequence[str] = NEEDED) -> None:
    """Return when torch and what goes with it are there, or the packages `needed` alone.

    Raises:
        InputError: they are not; `what` is the word for what cannot be done then.
    """
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise InputError(f"{what} needs {missing[0]}, which is not installed: type pip install 'handlens[train]'.")
