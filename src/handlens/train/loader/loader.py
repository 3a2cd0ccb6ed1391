"""Labelled sets as batches of training samples, the same whatever the number of workers; knows no net or loss."""

from __future__ import annotations

import multiprocessing.util
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from handlens.card import ModelCard
from handlens.data.dataset import LabelledSet
from handlens.errors import HandlensError, InputError
from handlens.preprocess import PAD
from handlens.train.augment.config import PICTURES, SHAPES, AugmentConfig
from handlens.train.kinds import TRAINING_KINDS
from handlens.train.kinds.base import SampleOptions, TrainingKind
from handlens.train.loader.pictures import Reading, ResizedPictures, running_odds
from handlens.types import IGNORE

SKIPPED = "skipped"
"""The key under which a sample or batch says which pictures could not be read."""


def collate(samples: Sequence[dict[str, Any]] | HandlensError) -> dict[str, Any] | HandlensError:
    """One batch of the samples; an error stays one.

    Pictures of several sizes get grey, masks 255, at the right and bottom up to the largest. Boxes (k, 5) become rows
    (m, 6) that start with the picture's number in the batch.
    """
    if isinstance(samples, HandlensError):
        return samples
    batch: dict[str, Any] = {}
    for key in (key for key in samples[0] if key != SKIPPED):
        values = [sample[key] for sample in samples]
        if key == "boxes":
            rows = [torch.cat((torch.full((len(v), 1), float(i)), v), 1) for i, v in enumerate(values)]
            batch[key] = torch.cat(rows)
        elif key in ("image", "mask"):
            batch[key] = _stacked(values, PAD if key == "image" else IGNORE)
        else:
            batch[key] = torch.stack(values)
    skipped = [sentence for sample in samples for sentence in sample.get(SKIPPED, ())]
    return {**batch, SKIPPED: skipped} if skipped else batch


def _stacked(values: Sequence[Tensor], fill: int) -> Tensor:
    if len({value.shape for value in values}) == 1:
        return torch.stack(list(values))
    height, width = (max(value.shape[side] for value in values) for side in (-2, -1))
    out = values[0].new_full((len(values), *values[0].shape[:-2], height, width), fill)
    for place, value in zip(out, values, strict=True):
        place[..., : value.shape[-2], : value.shape[-1]] = value
    return out


Key = tuple[int, int]
"""(epoch, index): all a sample depends on but the seed; index + length is the same picture, changed in another way."""


class Samples(Dataset[dict[str, Any]]):
    """The training samples of a labelled set, by (epoch, index).

    Args:
        found: The training part.
        card: Size and resize rule.
        augment: The changes; `AugmentConfig()` leaves each picture exactly as `preprocess.resize` makes it.
        epochs: How many there will be, for `AugmentConfig.closing`.
        channels, angle: Of classifiers, see `classify_sample`.
        balance: Draw the pictures of an epoch, and of a mosaic, by 1 / sqrt(pictures of the same group) instead of each
            once.
        even: Of a classifier, draw them so that all classes come equally often.
        ring: Labels that turn with the picture, see `turned_labels.truth_after`.
        cache: Keep the resized pictures in memory if they fit in 1 GB; a line on stderr says so when they do not.
        kind: What the net is taught, by itself what the set is of.

    Raises:
        InputError: no pictures, a label without a name, a picture without its one label, a mosaic for another kind.
    """

    def __init__(
        self,
        found: LabelledSet,
        card: ModelCard,
        augment: AugmentConfig,
        seed: int = 0,
        *,
        epochs: int | None = None,
        channels: int = 3,
        angle: bool = False,
        ring: Sequence[int] = (),
        balance: bool = False,
        even: bool = False,
        cache: bool = False,
        kind: TrainingKind | None = None,
    ) -> None:
        kind = kind or TRAINING_KINDS[found.kind]
        _check(found, card, augment, seed, kind)
        units, canvas = kind.units(found, card)
        if not len(units):
            raise InputError(f"'{found.root}' has no pictures to train on: no face is found in any of them.")
        even = even and units.label_kind.one_label
        self.augment, self.seed, self.epochs = augment, seed, epochs
        self.odds = running_odds(units, balance, even) if balance or even else None
        self.pictures = ResizedPictures(units, canvas)
        self._make = kind.maker(found, card, SampleOptions(channels, angle, ring))
        if cache and not self.pictures.keep():
            print("the resized pictures need more than 1 GB, so they are not kept in memory", file=sys.stderr)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        """Return the sample; the same for the same key, in any process.

        Raises:
            InputError: a mask contradicts its picture, or hardly any picture can be read.
        """
        epoch, index = key
        reading = Reading(self.pictures, self.odds)
        rng = np.random.default_rng([self.seed, epoch, index])
        sample = self._make(rng, self.augment.at(epoch, self.epochs), reading, index % len(self))
        return {**sample, SKIPPED: reading.skipped} if reading.skipped else sample

    def __getitems__(self, keys: Sequence[Key]) -> list[dict[str, Any]] | HandlensError:
        """Return the samples of one batch, or what is wrong with one.

        a raised error would come out of a worker as a trace.
        """
        try:
            return [self[key] for key in keys]
        except HandlensError as error:
            return error


class Order(Sampler[Key]):
    """The keys of an epoch, in an order that (seed, epoch) alone decides; each of several devices takes its share."""

    def __init__(self, samples: Samples, shuffle: bool, epoch_size: int | None) -> None:
        self.samples, self.shuffle, self.epoch_size, self.epoch = samples, shuffle, epoch_size, 0

    def set_epoch(self, epoch: int) -> None:
        """Go to that epoch, counted from 0."""
        self.epoch = epoch

    def __len__(self) -> int:
        return (self.epoch_size or len(self.samples)) // _devices()[1]

    def __iter__(self) -> Iterator[Key]:
        rank, devices = _devices()
        mine = self._indices()[: len(self) * devices][rank::devices]
        return iter([(self.epoch, int(index)) for index in mine])

    def _indices(self) -> list[int]:
        """Numbers of pictures; the k-th repetition of one is k times the set's length higher."""
        count, size, odds = len(self.samples), self.epoch_size or len(self.samples), self.samples.odds
        if not self.shuffle:
            return list(range(size))
        rng = np.random.default_rng([self.samples.seed, self.epoch, 0, 1])  # no sample has this stream
        if odds is None:
            every = [rng.permutation(count) + k * count for k in range(-(-size // count))]
            return [int(index) for index in np.concatenate(every)[:size]]
        seen: Counter[int] = Counter()
        out = []
        for index in np.searchsorted(odds, rng.random(size) * odds[-1], side="right").tolist():
            out.append(index + seen[index] * count)
            seen[index] += 1
        return out


class Batches:
    """The batches of `samples`, epoch after epoch, from worker processes that live as long as this object.

    Args:
        batch: Samples in each.
        workers: Processes, 0 = none; the batches are the same for any number.
        shuffle: False for measuring: the set's own order, the last batch smaller; True leaves a last smaller batch out,
            unless it is the only one.
        epoch_size: Samples in an epoch, None: as many as there are pictures.
        on_skip: Told once of each picture that cannot be read; without it a line on stderr.
    """

    def __init__(
        self,
        samples: Samples,
        batch: int,
        workers: int = 0,
        shuffle: bool = True,
        epoch_size: int | None = None,
        on_skip: Callable[[str], None] | None = None,
    ) -> None:
        self.sampler = Order(samples, shuffle, epoch_size)
        self._on_skip = on_skip or (lambda sentence: print(f"skipped: {sentence}", file=sys.stderr))
        self._reported: set[str] = set()
        if workers:
            multiprocessing.util.get_temp_dir()  # of this process, which removes it; each worker would leave one behind
        with _unadvised():
            self._loader = DataLoader(
                samples,
                batch,
                sampler=self.sampler,
                num_workers=workers,
                collate_fn=collate,
                drop_last=shuffle and len(self.sampler) > batch,
                worker_init_fn=_start_worker,
                persistent_workers=workers > 0,
                prefetch_factor=4 if workers else None,
                pin_memory=torch.cuda.is_available(),
            )

    def __len__(self) -> int:
        return len(self._loader)

    def epoch(self, epoch: int) -> Iterator[dict[str, Tensor]]:
        """Yield the batches of that epoch, counted from 0: always the same ones.

        Raises:
            InputError: as `Samples`.
        """
        self.sampler.set_epoch(epoch)
        yield from self

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        with _unadvised():
            batches = iter(self._loader)
        for batch in batches:
            if isinstance(batch, HandlensError):
                try:
                    raise batch
                finally:  # an error whose trace refers to it keeps the workers, and ending them then takes 5 s
                    del batch
            for sentence in batch.pop(SKIPPED, ()):
                if sentence not in self._reported:
                    self._reported.add(sentence)
                    self._on_skip(sentence)
            yield batch


def _check(found: LabelledSet, card: ModelCard, augment: AugmentConfig, seed: int, kind: TrainingKind) -> None:
    if seed < 0:
        raise InputError(f"the seed must be 0 or more, got {seed}.")
    if not len(found):
        raise InputError(f"'{found.root}' has no pictures to train on.")
    if not kind.mosaics and (augment.mosaic or augment.mixup):
        raise InputError(f"augment: mosaic and mixup are for detectors; set both to 0 to train '{kind.name}'.")
    shapes = card.options.get("silhouette") == 1.0
    idle = [name for name in (PICTURES if shapes else SHAPES) if getattr(augment, name)]
    if idle:
        whose = "nothing to the shape of a hand, which is all this net sees" if shapes else "something to shapes only"
        raise InputError(f"augment: '{idle[0]}' does {whose}; set it to 0 to train '{card.name}'.")
    kind.check_pictures(found)
    for picture in found:
        wrong = picture.labels[(picture.labels < 0) | (picture.labels >= len(found.names))]
        if len(wrong):
            raise InputError(
                f"'{picture.path}' has the class {wrong[0]}, but the names {', '.join(found.names)} allow 0 to"
                f" {len(found.names) - 1}: see 'handlens data check {found.root}'."
            )


@contextmanager
def _unadvised() -> Iterator[None]:
    """Without torch's advice to take fewer workers than were asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _devices() -> tuple[int, int]:
    """Return (number of this device, how many there are) of a training on several."""
    there = torch.distributed.is_available() and torch.distributed.is_initialized()
    return (torch.distributed.get_rank(), torch.distributed.get_world_size()) if there else (0, 1)


def _start_worker(number: int) -> None:
    """One thread in each worker: the net has the others, and a forked thread pool would hang."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
