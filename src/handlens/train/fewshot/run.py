"""Gestures of one's own from a few pictures of each: a small head on what a shipped model sees; it needs no torch.

    RUN/config.toml  few.onnx  report.txt  report.json  left-out.jpg  left-out-*.png

It must not know how pictures are shown to the model, how the head is learned, or how its file is written.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from handlens.card import ModelCard
from handlens.data.dataset import LabelledSet
from handlens.errors import InputError, NotYet, unknown
from handlens.evaluate.plots import curves as plots
from handlens.evaluate.write import made_folder
from handlens.io.atomic import AtomicFile
from handlens.preprocess import to_tensor
from handlens.report import Report
from handlens.runner import OnnxRunner
from handlens.train.config import read_toml
from handlens.train.fewshot.features import HAND, SILHOUETTE, WHOLE, Say, Subjects, read_subjects, views_of
from handlens.train.fewshot.graph import EMBEDDING, write_model
from handlens.train.fewshot.head import LeftOut, Views, fit_head, leave_out
from handlens.train.fewshot.report import answers_of, report_of, write_report
from handlens.train.loader.silhouettes import are_silhouettes
from handlens.train.opened import OpenedSets
from handlens.train.same_run import CONFIG, refuse_other_settings
from handlens.weights import DETECTOR, resolve

NAME, TASK = "few", "gesture"
SMALLEST, ALL = 20, 600
"""Pictures of the smallest class, and of all, up to which a head is learned unless something else is asked for."""
FREE = {"data", "seed", "shown"}
"""Settings that say nothing about a network."""


@dataclass(frozen=True)
class FewSettings:
    """All that can be set.

    Attributes:
        start: A shipped model or an .onnx to learn on, "": by the pictures.
        shown: "hand" or "whole", what the model looks at, "": by the pictures.
    """

    data: str
    task: str = TASK
    few: bool = True
    start: str = ""
    shown: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.shown not in ("", HAND, WHOLE, SILHOUETTE):
            raise InputError(unknown("value of 'shown'", self.shown, (HAND, WHOLE)))

    def to_toml(self) -> str:
        """Return the text of a config file that says exactly this."""
        return "".join(f"{key} = {json.dumps(value)}\n" for key, value in dataclasses.asdict(self).items())

    def save(self, path: Path) -> None:
        """Write the config file."""
        with AtomicFile(path) as draft:
            draft.write(self.to_toml().encode())


def few_settings(
    task: str,
    given: Mapping[str, Any],
    config: Path | None,
    out: Path | None,
    few: bool | None,
    say: Say,
    opened: OpenedSets | None = None,
) -> tuple[FewSettings, LabelledSet] | None:
    """Return the settings and the set, or None where a network is to be trained.

    Args:
        few: As the user said. None: a head is learned for gestures where nothing about a network is said, and the set
            is not split, has at most 20 pictures of its smallest class and at most 600 in all.
        opened: Sets that are open.

    Raises:
        InputError: a setting that this way of learning does not know, or the set cannot be read.
    """
    keys = {**(read_toml(config) if config else {}), **given}
    few = keys.pop("few", None) if few is None else few
    keys.pop("few", None)
    running = out is not None and (out / "last.ckpt").exists()
    network = task != TASK or running or "data" not in keys or set(keys) - FREE
    if few is False or (few is None and network):
        return None
    if task != TASK:
        raise InputError(f"--few learns gestures, not '{task}': type 'handlens train gesture --few ...'.")
    if running:
        raise InputError(f"'{out}' holds the run of a network: give another --out, or go on with it without --few.")
    settings = _checked(keys)
    found = (opened or OpenedSets())(settings.data, "classify")
    if few:
        return settings, found.split("train") if "train" in found.splits else found
    tally = np.bincount([int(picture.labels[0]) for picture in found], minlength=len(found.names))
    if found.splits or tally.min() > SMALLEST or len(found) > ALL:
        return None
    _check_classes(found)
    say(
        f"{len(found)} pictures, {tally.min()} in the smallest class: too few for a network, enough for a small head on"
        " what a shipped model sees; --no-few trains a network all the same"
    )
    return settings, found


def _checked(keys: Mapping[str, Any]) -> FewSettings:
    known = {field.name: field.type for field in dataclasses.fields(FewSettings)}
    for key, value in keys.items():
        if key not in known:
            raise InputError(
                f"--few trains no network and has no setting '{key}': it knows {', '.join(sorted(known))}; --no-few"
                " trains one."
            )
        if type(value).__name__ != known[key]:
            raise InputError(f"the setting '{key}' needs a value of type {known[key]}, got {value!r}.")
    if not keys.get("data"):
        raise InputError("there is nothing to train on: give a labelled set with --data PATH.")
    return FewSettings(**keys)


BASES = {True: ("gestures", "digits"), False: ("hands", "signs")}
"""Shipped models to learn on, for silhouettes and for photographs; the first one that is there."""


KINDS = ("classify", "landmarks")
"""Kinds of models that look at one hand."""
OF_LANDMARKS = {"holds", "things"}
"""Options of a model of landmarks that say nothing of one that classifies."""


class Progress(Protocol):
    """Told of pieces of work as they are done."""

    def begin(self, name: str, total: int | None) -> None:
        """Return some work of so many pieces begins."""
        ...

    def count(self) -> None:
        """One piece is done."""
        ...


def few_run(
    settings: FewSettings, found: LabelledSet, out: Path | None, bar: Progress, say: Say, fresh: bool = False
) -> Path:
    """Learn, measure by leaving pictures out, and write the run; return the model.

    Args:
        fresh: Write over a run that was made with other settings.

    Raises:
        InputError: a run with other settings is there, fewer than two classes, a class without a picture that can be
            used, or a wrong model to learn on.
        ModelError: no such model, or the written file differs from what was learned.
        NotYet: the shipped model does not exist yet.
        OutputError: the run cannot be written.
    """
    began = time.monotonic()
    _check_classes(found)
    plots.require()
    path, base = open_base(settings.start, found)
    out = out or Path("runs") / f"{settings.task}-{NAME}"
    if not fresh and (out / f"{NAME}.onnx").exists() and (out / CONFIG).exists():
        chosen_here = [key for key in ("start", "shown") if not getattr(settings, key)]
        refuse_other_settings(out, settings.to_toml(), free=chosen_here)
    out = made_folder(out)
    say(f"learning {', '.join(found.names)} on the model '{base.card.name}'; everything goes to '{out}'")
    bar.begin("reading", len(found))
    subjects = _subjects(settings, found, path, base, bar, say)
    bar.begin("looking", len(subjects.pictures))
    views = views_of(subjects, base, len(found.names), settings.seed, bar.count)
    bar.begin("leaving out", None)
    left = leave_out(views, bar.count)
    (head,) = fit_head(views, left.mirrors | ~views.mirrored, (left.strength,))
    answers = answers_of(left, views.label, found.names)
    report = report_of(answers, _notes(left, views))
    card = _card(base.card, found, subjects.shown, report)
    plain = [subject.plain for subject in subjects.pictures]
    batch = to_tensor(plain[:16], base.card)
    model = write_model(path, head.cooled(left.temperature), card, batch, out / f"{NAME}.onnx")
    write_report(report, answers, plain, NAME, str(found.root), out)
    used = dataclasses.replace(settings, start=settings.start or base.card.name, shown=subjects.shown)
    used.save(out / CONFIG)
    say(str(report))
    say(f"the model is '{model}', made in {time.monotonic() - began:.0f} s: try it with")
    say(f"'handlens predict PICTURES --model {model}'")
    return model


def open_base(start: str, found: LabelledSet) -> tuple[Path, OnnxRunner]:
    """Return the file of the model to learn on, and the model; one of silhouettes for silhouettes only.

    Args:
        start: A name or an .onnx; "": a shipped one, by the pictures.

    Raises:
        InputError: it is not a classifier, tells no embedding, or is for silhouettes and the pictures are none.
        ModelError: there is no such model.
        NotYet: the shipped model does not exist yet.
    """
    shapes = are_silhouettes(found)
    path = resolve(start) if start else _shipped(shapes)
    runner = OnnxRunner(path)
    card = runner.card
    if card.kind not in KINDS or card.resize == "fit":
        raise InputError(
            f"'{path}' is made to {card.kind}: gestures are learned on a model that classifies hands, or tells their"
            " landmarks."
        )
    outputs = runner.run(np.zeros((1, 3, *card.size), np.float32))
    if outputs.get(EMBEDDING, np.zeros(0)).ndim != 2:
        raise InputError(
            f"'{path}' tells no embedding, so nothing new can be learned on it: give a shipped classifier, or one that"
            " this version has exported ('handlens export RUN --out FILE.onnx')."
        )
    if not _colour(card) and not shapes:
        raise InputError(f"the model '{card.name}' knows silhouettes, but the pictures of '{found.root}' are none.")
    return path, runner


def _check_classes(found: LabelledSet) -> None:
    if len(found.names) < 2:
        raise InputError(f"there is only the class '{found.names[0]}': telling classes apart needs at least two.")
    there = {int(picture.labels[0]) for picture in found}
    empty = [name for number, name in enumerate(found.names) if number not in there]
    if empty:
        raise InputError(f"the class '{empty[0]}' of '{found.root}' has no picture: put some in, or remove its folder.")


def _shipped(shapes: bool) -> Path:
    for name in BASES[shapes]:
        try:
            return resolve(name)
        except NotYet:
            continue
    raise NotYet(
        f"a few pictures are learned on the shipped model '{BASES[shapes][0]}', which does not exist yet: give a"
        " classifier with --few --start FILE.onnx, or train a network with --no-few."
    )


def _subjects(
    settings: FewSettings, found: LabelledSet, path: Path, base: OnnxRunner, bar: Progress, say: Say
) -> Subjects:
    """Return the pictures as the model is shown them; what is odd about them is said."""
    card, detector, shown = classifying(base.card), None, WHOLE
    if _colour(card):
        detector, shown = OnnxRunner(resolve(card.parts.get("detector", DETECTOR), path.parent)), settings.shown
    subjects = read_subjects(found, card, detector, shown, say, bar.count)
    there = {int(subject.labelled.labels[0]) for subject in subjects.pictures}
    missing = [name for number, name in enumerate(found.names) if number not in there]
    if missing:
        raise InputError(f"of the class '{missing[0]}' of '{found.root}' no picture can be used.")
    alike = defaultdict(list)
    for subject in subjects.pictures:
        alike[subject.copy].append(subject.labelled)
    for first, *others in alike.values():
        for other in others:
            one, two = (found.names[int(each.labels[0])] for each in (first, other))
            if one != two:
                say(f"'{first.path}' ({one}) and '{other.path}' ({two}) are the same picture: one of them is wrong.")
    copies = sum(len(group) - 1 for group in alike.values())
    if copies:
        say(f"{copies} pictures are copies of others: they teach nothing new, and are left out together.")
    return subjects


def _colour(card: ModelCard) -> bool:
    return not (card.options.get("silhouette") or card.options.get("grey"))


def classifying(card: ModelCard) -> ModelCard:
    """Return the card of what is learned on a model: it classifies, also hands that fill the picture, whose proportions
    it keeps."""
    if card.kind == "classify":
        return card
    options = {name: value for name, value in card.options.items() if name not in OF_LANDMARKS}
    options["closeup"] = 1.0
    return dataclasses.replace(card, kind="classify", resize="letterbox", options=options)


def _notes(left: LeftOut, views: Views) -> tuple[str, ...]:
    folds = "each picture by itself" if left.folds == len(set(views.group_key.tolist())) else f"in {left.folds} folds"
    mirrored = "with" if left.mirrors else "without"
    return (
        f"left out {folds}; penalty {left.strength:g}, {mirrored} mirrored views, temperature {left.temperature:.2f}:"
        " all three were chosen by these very answers.",
        "pictures of one person on one day are alike: with other people and in other light expect less.",
    )


def _card(base: ModelCard, found: LabelledSet, shown: str, report: Report) -> ModelCard:
    base = classifying(base)
    options = dict(base.options)
    options.pop("whole", None)
    if shown == WHOLE:
        options["whole"] = 1.0
    accuracy = report["accuracy"]
    stands = f"on the model '{base.name}', version {base.version}: pictures of the user: {found.root.name}"
    return dataclasses.replace(
        base, name=NAME, task=TASK, names=found.names, thresholds={}, calibration={}, options=options,
        parts={"detector": base.parts.get("detector", DETECTOR)} if shown == HAND else {},
        data=(*base.data, stands), licence=f"{base.licence}; the head: that of the user",
        scores={"accuracy, left out": accuracy.value, "pictures": float(accuracy.n)} if accuracy.n else {},
    )  # fmt: skip
