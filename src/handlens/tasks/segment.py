"""Which pixels are hand and which are face: a mask model asked about a frame; it must not know files or drawing."""

from handlens.kinds import segment
from handlens.preprocess import prepare
from handlens.tasks.base import Answer, Answering, Question, score_threshold


def mask_of(question: Question) -> Answer:
    """Return the mask without the parts that are less sure than the card's threshold "score", or the user's."""
    runner, min_score = question.runner, question.min_score
    tensor, geometry = prepare(question.frame.image, runner.card)
    mask = segment.decode(runner.run(tensor), runner.card, geometry)
    least = runner.card.threshold("score", 0.0)
    own = mask.surer(least) if least > 0 else mask
    if min_score is None:
        return own, None
    return mask.surer(min_score) if min_score > 0 else mask, own


ANSWERING = Answering("segment", mask_of, score_threshold)
