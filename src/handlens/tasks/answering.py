"""The table of how models of each kind answer a frame; a new kind is one more file and one more entry."""

from handlens.card import ModelCard
from handlens.tasks import combined, contact, hands, segment, touch
from handlens.tasks.base import Answering

ANSWERING: dict[str, Answering] = {
    entry.kind: entry
    for entry in (
        touch.ANSWERING,
        hands.ANSWERING,
        segment.ANSWERING,
        contact.ANSWERING,
        combined.ANSWERING,
        hands.LANDMARKS_ANSWERING,
    )
}


def answering(card: ModelCard) -> Answering:
    """Return how a model with this card answers."""
    return ANSWERING[card.kind]
