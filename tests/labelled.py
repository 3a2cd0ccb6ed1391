"""Labelled sets made on the spot for tests of their formats."""

from pathlib import Path

import numpy as np
from media import quadrants, save_picture

from handlens.data.dataset import Labelled, LabelledSet

NAMES = ("cheek", "left chin", "nase ü")


def put_picture(path: Path, size: tuple[int, int] = (64, 48)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return save_picture(path, quadrants(*size))


def boxed_set(root: Path, split: bool = True) -> LabelledSet:
    """Four pictures, one without boxes, with spaces and letters of other scripts, groups and (or no) splits."""
    rng = np.random.default_rng(3)
    pictures = []
    for number, (name, size) in enumerate(
        [("a.jpg", (64, 48)), ("b c.png", (333, 217)), ("手.jpg", (48, 64)), ("none.jpg", (64, 48))]
    ):
        path = put_picture(root / "pictures" / name, size)
        corners = np.sort(rng.uniform(0, 1, (number if number < 3 else 0, 2, 2)), axis=1)
        boxes = (corners * size).reshape(-1, 4).astype(np.float32)
        labels = np.arange(len(boxes)) % len(NAMES)
        where = ("train", "train", "val", "test")[number] if split else ""
        pictures.append(Labelled(path, *size, boxes, labels, split=where, group=("anna", "", "ben", "")[number]))
    return LabelledSet("detect", NAMES, tuple(pictures), root)


def assert_same(found: LabelledSet, wanted: LabelledSet, exact: float = 0.01) -> None:
    """Compare two sets of boxes: names, pictures with their bytes, splits, groups, labels, boxes within `exact` px."""
    assert found.names == wanted.names
    pairs = zip(sorted(found, key=lambda p: p.name), sorted(wanted, key=lambda p: p.name), strict=True)
    for got, want in pairs:
        assert (got.name, got.width, got.height) == (want.name, want.width, want.height)
        assert (got.split, got.group) == (want.split, want.group)
        assert got.labels.tolist() == want.labels.tolist()
        np.testing.assert_allclose(got.boxes, want.boxes, atol=exact)
        assert got.path.read_bytes() == want.path.read_bytes()
