"""The kinds of answers that are trained, by name: one object each; they must not know runs, loops or settings."""

from handlens.train.kinds.base import TrainingKind
from handlens.train.kinds.classify import Classify
from handlens.train.kinds.contact import ContactKind
from handlens.train.kinds.detect import Detect
from handlens.train.kinds.segment import Segment

TRAINING_KINDS: dict[str, TrainingKind] = {kind.name: kind for kind in (Detect(), Classify(), Segment(), ContactKind())}
