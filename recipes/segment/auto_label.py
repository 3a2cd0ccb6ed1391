"""Marks hands and faces of a real picture where segmenters are sure and what is known of it agrees; all else is 255.

It must not know files or sources.
"""

from __future__ import annotations

import cv2
import numpy as np

from handlens.boxes import square
from handlens.predictor import Predictor
from handlens.preprocess import Geometry, crop_box, prepare, to_tensor
from handlens.runner import Runner
from handlens.tasks.contact import CROP_SCALE
from handlens.types import IGNORE
from recipes.segment.build_set import HAND, OVER
from recipes.segment.portraits import FACE, U8, Floats

SURE, UNSURE = 0.75, 0.3
BOXED = 0.12
"""The least share of a marked box that must be seen as hand; a box with less was not understood."""


def predicted_maps(runner: Runner, image: U8, faces: Floats) -> Floats:
    """(classes, H, W): the mean of what is said of the whole picture and of each face from near, and mirrored."""
    tensor, way = prepare(image, runner.card)
    total = _laid(_mirrored(runner, tensor), way)
    count = np.ones(image.shape[:2], np.float32)
    for box in square(faces, 2.6)[:3] if len(faces) else ():
        crop, near = crop_box(image, box, runner.card.size)
        x1, y1 = (max(0, int(np.ceil(v))) for v in box[:2])
        x2, y2 = int(box[2]), int(box[3])
        seen = _laid(_mirrored(runner, to_tensor([crop], runner.card)), near)
        total[:, y1:y2, x1:x2] += seen[:, y1:y2, x1:x2]
        count[y1:y2, x1:x2] += 1
    return np.asarray(total / count, np.float32)


def seconded(maps: Floats, touch: Predictor, image: U8, faces: Floats) -> Floats:
    """Return the same maps, the probability of a hand around each face being the mean with that of the touch model."""
    hand = maps[HAND] + maps[OVER]
    for box in square(faces, touch.card.options.get("crop_scale", CROP_SCALE))[:3] if len(faces) else ():
        crop, way = crop_box(image, box, touch.card.size)
        tensor = to_tensor([crop], touch.card)
        plain = touch.runner.run(tensor)["hand"][0]
        turned = touch.runner.run(np.ascontiguousarray(tensor[..., ::-1]))["hand"][0][..., ::-1]
        x1, y1 = (max(0, int(np.ceil(v))) for v in box[:2])
        x2, y2 = int(box[2]), int(box[3])
        predicted = _laid((plain + turned) / 2, way)[0, y1:y2, x1:x2]
        hand[y1:y2, x1:x2] = (hand[y1:y2, x1:x2] + predicted) / 2
    before = np.clip(maps[HAND] + maps[OVER], 1e-4, 1 - 1e-4)
    out = maps * ((1 - hand) / (1 - before))
    for number in (HAND, OVER):
        out[number] = maps[number] * (hand / before)
    return np.asarray(out, np.float32)


def hand_mask(maps: Floats, boxes: Floats, known: U8, label: str) -> U8:
    """Return the mask of a picture of which a segmenter says `maps` (4, H, W).

    Args:
        boxes: (n, 4) hands marked by the source, if it marked any.
        known: Marks from the faces' outlines.
        label: As in `touch/`, without contact no hand lies over a face unless the label says so.
    """
    hand = maps[HAND] + maps[OVER]
    mask = np.full(known.shape, IGNORE, np.uint8)
    mask[maps[0] > SURE] = 0
    mask[(maps[FACE] > SURE) & (known != 0)] = FACE
    mask[(known == FACE) & (hand < UNSURE)] = FACE
    sure = hand > SURE
    mask[sure] = np.where((known == FACE) | (maps[OVER] > maps[HAND]), OVER, HAND)[sure]
    if label in ("no_touch",):
        mask[(known == FACE) & sure] = IGNORE
    if len(boxes):
        _held_to_boxes(mask, hand, boxes)
    return mask


def _held_to_boxes(mask: U8, hand: Floats, boxes: Floats) -> None:
    """In place: blobs of hand that no box shares may be another hand or a mistake; boxes without hand are not known."""
    inside = np.zeros(mask.shape, np.uint8)
    for box in boxes:
        x1, y1, x2, y2 = (max(0, int(v)) for v in box)
        inside[y1:y2, x1:x2] = 1
        if (hand[y1:y2, x1:x2] > 0.5).mean() < BOXED if x2 > x1 and y2 > y1 else False:
            mask[y1:y2, x1:x2] = IGNORE
    likely = np.asarray(hand > 0.5, np.uint8)
    count, parts = cv2.connectedComponents(likely, connectivity=8)
    for number in range(1, count):
        blob = parts == number
        if not inside[blob].any():
            mask[blob] = IGNORE


def single(hand: Floats) -> U8 | None:
    """Return the mask of a picture with one hand, (H, W) probabilities; None where no hand is sure."""
    likely, sure = np.asarray(hand > 0.5, np.uint8), hand > SURE
    _, parts, stats, _ = cv2.connectedComponentsWithStats(likely, connectivity=8)
    amount = np.bincount(parts[sure], minlength=len(stats))
    amount[0] = 0
    best = int(amount.argmax())
    if amount[best] < 0.02 * hand.size:
        return None
    mask = np.full(hand.shape, IGNORE, np.uint8)
    mask[hand < UNSURE] = 0
    mask[(parts == best) & sure] = HAND
    return mask


def _mirrored(runner: Runner, tensor: Floats) -> Floats:
    plain = runner.run(tensor)["probabilities"]
    turned = runner.run(np.ascontiguousarray(tensor[..., ::-1]))["probabilities"][..., ::-1]
    return np.asarray((plain + turned)[0] / 2, np.float32)


def _laid(maps: Floats, way: Geometry) -> Floats:
    """(classes, H, W): the maps laid over the whole source picture."""
    per_x, per_y = maps.shape[2] / way.net_width, maps.shape[1] / way.net_height
    scale_x, scale_y = way.scale_x * per_x, way.scale_y * per_y
    matrix = np.array([[scale_x, 0, 0.5 * scale_x + way.pad_x * per_x - 0.5],
                       [0, scale_y, 0.5 * scale_y + way.pad_y * per_y - 0.5]])  # fmt: skip
    size, how = (way.width, way.height), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = [cv2.warpAffine(one, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE) for one in maps]
    return np.asarray(np.stack(moved), np.float32)
