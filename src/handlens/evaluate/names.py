"""Labels of a set and of a model brought together by name, and only by name; it must not know pictures or numbers."""

from collections.abc import Sequence

from handlens.data.dataset import LabelledSet
from handlens.errors import InputError
from handlens.predictor import Predictor

UNTOUCHED = ("face", "hand")
"""Labels that are no touch; every other label of a touch model is a touched region."""
IGNORE = 255


def known_names(predictor: Predictor) -> tuple[str, ...]:
    """Return the labels that the model's answers may carry; a contact model passes on those of its detector."""
    if predictor.card.kind != "contact":
        return predictor.card.names
    return tuple(dict.fromkeys((*predictor.parts["detector"].card.names, *predictor.card.names)))


def used_names(found: LabelledSet) -> tuple[str, ...]:
    """Return the labels of the set that some picture carries, in the set's order; all of them for masks."""
    if found.kind == "segment":
        return found.names
    used = {int(label) for picture in found for label in picture.labels}
    return tuple(name for number, name in enumerate(found.names) if number in used)


def require_known(model: str, known: Sequence[str], asked: Sequence[str]) -> None:
    """Hold the labels of a set against those of a model that must know each of them.

    Raises:
        InputError: the model does not know one.
    """
    missing = [name for name in asked if name not in known]
    if missing:
        raise misfit(model, known, asked)


def misfit(model: str, known: Sequence[str], asked: Sequence[str]) -> InputError:
    """Return the sentence for a set and a model whose labels do not fit."""
    strange = [name for name in asked if name not in known]
    return InputError(
        f"the set has the labels {', '.join(asked) or '(none)'}, but the model '{model}' knows {', '.join(known)}: "
        f"say which is which, for example --map '{(strange or ['LABEL'])[0]}={known[0]}'."
    )
