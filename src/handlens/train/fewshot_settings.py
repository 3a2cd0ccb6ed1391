"""Whether a few pictures are to teach a small head, and all that can be set then; it must not know how that is done."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handlens.data.dataset import LabelledSet
from handlens.data.formats.detect_format import open_set
from handlens.errors import InputError, unknown
from handlens.io.atomic import Draft
from handlens.train.config import read_toml
from handlens.train.fewshot.features import HAND, SILHOUETTE, WHOLE, Say

NAME, TASK = "few", "gesture"
SMALLEST, ALL = 20, 600
"""Pictures of the smallest class, and of all, up to which a head is learned unless something else is asked for."""
FREE = {"data", "seed", "shown"}
"""Settings that say nothing about a network."""


@dataclass(frozen=True)
class FewSettings:
    """All that can be set. start: a shipped model or an .onnx to learn on, "": by the pictures. shown: "hand" or
    "whole", what the model looks at, "": by the pictures."""

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
        with Draft(path) as draft:
            draft.write(self.to_toml().encode())


def few_settings(
    task: str, given: Mapping[str, Any], config: Path | None, out: Path | None, few: bool | None, say: Say
) -> tuple[FewSettings, LabelledSet] | None:
    """The settings and the set, or None where a network is to be trained.

    few: as the user said. None: a head is learned for gestures where nothing about a network is said, and the set is
    not split, has at most 20 pictures of its smallest class and at most 600 in all.

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
    found = open_set(settings.data, "classify")
    if few:
        return settings, found.split("train") if "train" in found.splits else found
    tally = np.bincount([int(picture.labels[0]) for picture in found], minlength=len(found.names))
    if found.splits or tally.min() > SMALLEST or len(found) > ALL:
        return None
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
