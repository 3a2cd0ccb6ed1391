"""Labelled sets of rendered people whose hands are at, before or beside their faces; it knows no network, no torch."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.new_folder import new_folder
from handlens.data.split import split_families
from handlens.data.write import write_beside
from handlens.errors import HandlensError, InputError, unknown
from handlens.synth.labelled_scene import MASKS, SCHEMES, Drawn, Task, draw_task

EACH = 4
"""Pictures of one person, who is in one split only."""
SHARES = (0.75, 0.15, 0.1)
"""Of train, val and test."""


def stage_set(
    dest: Path,
    count: int,
    seed: int = 0,
    size: int = 480,
    labels: str = "regions",
    workers: int = 1,
    on_picture: Callable[[], None] = lambda: None,
) -> LabelledSet:
    """Draw `count` pictures and write them as a YOLO set, with a mask for each in masks/.

    The set is split by person, 0.75 / 0.15 / 0.1. The same arguments give the same set, whatever the workers.

    Args:
        dest: a new folder; it appears whole or not at all.
        count: number of pictures. seed: of all that is random. size: side of the square pictures in pixels.
        labels: regions: face, hand and each touched region; facetouch: the face where it is touched; three: the touched
            regions as forehead, cheek and chin (`labelled_scene.SCHEMES` says which is which).
        workers: processes that draw; 1 draws here.
        on_picture: called for each picture.

    Raises:
        InputError: unknown labels, or fewer than three pictures.
        HandlensError: a worker was ended by the system.
        OutputError: `dest` exists and is not empty, or cannot be written.
    """
    if labels not in SCHEMES:
        raise InputError(unknown("labels", labels, SCHEMES))
    names = class_names(labels)
    tasks = plan_tasks(count, seed, size, labels)
    with new_folder(dest) as folder, contextlib.closing(_drawn(tasks, workers)) as shots:
        drafts = folder / ".drawn"
        drafts.mkdir()
        pictures = []
        for task, drawn in zip(tasks, shots, strict=True):
            place = drafts / f"{task.name}.jpg"
            place.write_bytes(drawn.image)
            place.with_suffix(".png").write_bytes(drawn.mask)
            rows = np.array([names.index(name) for name in drawn.names], np.int64)
            pictures.append(Labelled(place, size, size, drawn.boxes, rows, group=f"person{task.person:04d}"))
            on_picture()
        found = _split(LabelledSet("detect", names, tuple(pictures), dest), tasks, seed)
        for picture in found:
            (folder / "masks" / picture.split).mkdir(parents=True, exist_ok=True)
            mask = picture.path.with_suffix(".png")
            mask.rename(folder / "masks" / picture.split / mask.name)
        (folder / "names.txt").write_text("".join(f"{name}\n" for name in MASKS), encoding="utf-8")
        write_beside(found, folder, dest.resolve().name)
    return found


def _split(found: LabelledSet, tasks: list[Task], seed: int) -> LabelledSet:
    people = np.array([task.person for task in tasks], np.int64)
    tally = np.stack([np.bincount(picture.labels, minlength=len(found.names)) for picture in found])
    splits = split_families(people, tally, SHARES, seed)
    return found.having([replace(one, split=split) for one, split in zip(found, splits, strict=True)])


def class_names(labels: str) -> tuple[str, ...]:
    """Return the label names of one kind of labels, in their order."""
    regions = tuple(dict.fromkeys(SCHEMES[labels].values()))
    return ("face", "hand", *regions) if labels == "regions" else regions


def plan_tasks(count: int, seed: int, size: int, labels: str) -> list[Task]:
    """Return the tasks of all pictures: up to four of one person, but at least ten people where there is room."""
    each = min(EACH, max(1, count // 10))
    return [Task(seed, number // each, number % each, size, labels) for number in range(count)]


def _drawn(tasks: list[Task], workers: int) -> Generator[Drawn, None, None]:
    if workers <= 1:
        yield from map(draw_task, tasks)
        return
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _be_a_worker)
    try:
        yield from pool.map(draw_task, tasks)
    except BrokenProcessPool as error:
        raise HandlensError("a process that draws was ended from outside: is there memory for --workers?") from error
    except BaseException:  # Ctrl-C: what is half drawn is not waited for
        for worker in set(multiprocessing.active_children()) - before:
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _be_a_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who gives out the work
    cv2.setNumThreads(1)
