"""What a network's arrays mean, one file for each kind of answer; the kinds must not know tasks, files or how nets run.

A graph ends in the canonical arrays of its kind. `decode` turns them into values in source pixels, `encode` is its
inverse, and a round-trip test holds the two together. A new kind is one more file here, its name in `card.KINDS`, and
one entry in each table of the layers above: `tasks.answering`, `evaluate.judges`, `train`.
"""

from typing import Any

from handlens.card import ModelCard
from handlens.kinds.base import Kind
from handlens.kinds.classify import Classify
from handlens.kinds.combined import Combined
from handlens.kinds.contact import Contact
from handlens.kinds.detect import Detect
from handlens.kinds.landmarks import Landmarks
from handlens.kinds.segment import Segment

KINDS: dict[str, Kind[Any]] = {
    kind.name: kind for kind in (Detect(), Classify(), Segment(), Contact(), Combined(), Landmarks())
}


def kind_of(card: ModelCard) -> Kind[Any]:
    """Return the kind of answer that a card names."""
    return KINDS[card.kind]
