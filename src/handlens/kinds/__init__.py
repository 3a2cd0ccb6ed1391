"""What a network's arrays mean, one file for each kind of answer; the kinds must not know tasks, files or how nets run.

A graph ends in the canonical arrays of its kind. `decode` turns them into values in source pixels, `encode` is its
inverse, and a round-trip test holds the two together.
"""

from handlens.errors import ModelError
from handlens.types import Floats

OUTPUTS: dict[str, tuple[str, ...]] = {
    "detect": ("boxes", "scores"),
    "classify": ("probabilities",),
    "segment": ("probabilities",),
    "contact": ("hand", "regions", "touch_logit", "region_scores"),
    "combined": ("mask", "box", "probabilities", "found"),
}


def expect(name: str, array: Floats, shape: tuple[int | None, ...]) -> Floats:
    """Return the array if it has that shape (None: any length); a network that answers otherwise is a wrong model.

    Raises:
        ModelError: another shape.
    """
    fits = array.ndim == len(shape) and all(w is None or w == g for w, g in zip(shape, array.shape, strict=True))
    if not fits:
        want = "(" + ", ".join("n" if side is None else str(side) for side in shape) + ")"
        raise ModelError(f"the model's output '{name}' should have the shape {want}, but has {array.shape}.")
    return array
