"""Hands cut out of pictures on plain grounds, with the points that can touch; knows nothing of faces or nets."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from handlens.synth.hand_model import draw_hand
from recipes.shared.own_pickle import read_own, write_own
from recipes.shared.source_data import cut_out, read_rgb, read_rows

LONGEST = 176


@dataclass(frozen=True, eq=False)
class Cutout:
    """A hand on transparent ground.

    Attributes:
        rgb: (h, w, 3) uint8.
        alpha: (h, w) uint8.
        palm, tips: (2,) and (k, 2) pixels.
        arm: Unit vector from the palm to the forearm.
        wrist, wrist_width: (2,) pixels and pixels: where the cut-out ends.
        length: Farthest tip to wrist; pixels.
        reach: Farthest tip from the palm, against the palm's radius: below 2.2 for a fist, above 3 for an open hand.
        joints: (21, 2) pixels, or None where no teacher was sure.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    palm: NDArray[np.float32]
    tips: NDArray[np.float32]
    arm: NDArray[np.float32]
    wrist: NDArray[np.float32]
    wrist_width: float
    length: float
    source: str
    reach: float = 3.0
    joints: NDArray[np.float32] | None = None


def describe(
    rgb: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    source: str,
    arm: tuple[float, float] | None = None,
    longest: int = LONGEST,
    joints: NDArray[np.float32] | None = None,
) -> Cutout | None:
    """Trim a hand (mask 0/255) to its box and find palm, tips and forearm; None when it is not a usable blob.

    The palm is the deepest point of the mask; the forearm leaves where the mask meets the picture's edge, unless `arm`
    says where; tips are corners of the outline's hull that lie far from the palm on the other side.

    Args:
        longest: Its longer side is made at most so many pixels.
        joints: (21, 2) pixels of `rgb`, of a teacher; used when nearly all lie in the mask.
    """
    blob = _largest_blob(mask)
    if blob is None:
        return None
    solid, (x, y, w, h) = blob
    edge = np.zeros_like(solid)
    edge[0], edge[-1], edge[:, 0], edge[:, -1] = solid[0], solid[-1], solid[:, 0], solid[:, -1]
    ys, xs = np.nonzero(edge)
    touching = np.array([xs.mean(), ys.mean()], np.float32) - (x, y) if len(xs) > 6 else None
    scale = min(1.0, longest / max(w, h))
    new = (max(1, round(w * scale)), max(1, round(h * scale)))
    rgb = np.asarray(cv2.resize(rgb[y : y + h, x : x + w], new, interpolation=cv2.INTER_AREA), np.uint8)
    alpha = cv2.resize(solid[y : y + h, x : x + w] * 255, new, interpolation=cv2.INTER_AREA)
    depth = cv2.distanceTransform(np.pad((alpha > 127).astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    py, px = np.unravel_index(int(depth.argmax()), depth.shape)
    palm, radius = np.array([px, py], np.float32), float(depth.max())
    if arm is not None:
        direction = np.asarray(arm, np.float32)
    elif touching is not None:
        direction = touching * scale - palm
    else:
        return None
    direction = direction / (np.hypot(*direction) + 1e-6)
    outline, _ = cv2.findContours((alpha > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = max(outline, key=cv2.contourArea)[:, 0].astype(np.float32)
    tips, far = _hull_tips(points, palm, direction, radius)
    if not len(tips):
        return None
    if joints is not None:
        joints = _inside((joints - np.array([x, y], np.float32)) * scale, np.asarray(alpha, np.uint8))
    if joints is not None:
        tips = np.concatenate((joints[[4, 8, 12, 16, 20]], joints[[8, 12]], tips[:: max(1, len(tips) // 4)]))
    reach = points @ direction
    end = reach.max()
    rim = points[reach > end - 0.12 * (end - reach.min())]
    side = np.array([-direction[1], direction[0]], np.float32)
    across = rim @ side
    wrist = direction * (end - 1) + side * (across.max() + across.min()) / 2
    return Cutout(
        rgb, np.asarray(alpha, np.uint8), palm, tips, direction, wrist.astype(np.float32),
        float(across.max() - across.min()), float(end - reach.min()), source, far, joints,
    )  # fmt: skip


def _hull_tips(
    points: NDArray[np.float32], palm: NDArray[np.float32], direction: NDArray[np.float32], radius: float
) -> tuple[NDArray[np.float32], float]:
    """Return corners of an outline's hull that lie far from the palm, away from the forearm, and how far in radii."""
    hull = np.asarray(cv2.convexHull(points)[:, 0], np.float32)
    away = hull - palm
    distance = np.hypot(away[:, 0], away[:, 1])
    before = (away @ direction) / np.maximum(distance, 1e-6) < 0.35
    if not before.any():
        return hull[:0], 0.0
    tips = hull[before & (distance > 1.25 * radius)]
    return tips if len(tips) else hull[before], float(distance[before].max()) / max(1.0, radius)


def _largest_blob(mask: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[int, int, int, int]] | None:
    """Return the largest connected part (0/1) of a mask (0/255) and its box x, y, w, h; None where it is too small."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats((mask > 127).astype(np.uint8))
    if count < 2:
        return None
    best = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    x, y, w, h, area = (int(v) for v in stats[best])
    if area < 600 or min(w, h) < 24:
        return None
    return (parts == best).astype(np.uint8), (x, y, w, h)


def _inside(joints: NDArray[np.float32], alpha: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Return the joints when at least 19 of 21 lie in the mask widened by 4 pixels, else None."""
    wide = cv2.dilate(alpha, np.ones((9, 9), np.uint8))
    x, y = np.round(joints).astype(int).T
    on = (x >= 0) & (y >= 0) & (x < alpha.shape[1]) & (y < alpha.shape[0])
    return joints.astype(np.float32) if (wide[y[on], x[on]] > 127).sum() >= 19 else None


def _alone(hand: Cutout) -> bool:
    """Whether nothing but the forearm sticks out of the hand that its joints span: no face was cut out with it."""
    if hand.joints is None:
        return False
    ys, xs = np.nonzero(hand.alpha > 127)
    points, side = np.stack((xs, ys), 1), np.array([-hand.arm[1], hand.arm[0]])
    room = 0.3 * max(np.ptp(hand.joints, axis=0))
    across, joint = points @ side, hand.joints @ side
    beyond = max(joint.min() - across.min(), across.max() - joint.max())
    before = (hand.joints @ hand.arm).min() - (points @ hand.arm).min()
    return bool(max(beyond, before) < room)


def taught_joints(data: Path) -> dict[str, NDArray[np.float32]]:
    """Joints (21, 2) of every file with one hand that the teacher is sure of; {} without hand_landmarks.npz."""
    path = data / "hand_landmarks.npz"
    if not path.exists():
        return {}
    with np.load(path) as pack:
        files, row = pack["files"], pack["row"]
        sure = (pack["score"] > 0.85) & (np.bincount(row, minlength=len(files))[row] == 1)
        return {
            str(files[r]): p[:, :2].astype(np.float32) for r, p in zip(row[sure], pack["landmarks"][sure], strict=True)
        }


def plain_ground_mask(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mask (0/255) of a hand on a plain light ground, by Otsu's threshold on redness and darkness."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    value = lab[:, :, 1] * 1.5 + lab[:, :, 2] - 0.4 * lab[:, :, 0]
    value = cv2.GaussianBlur(value, (0, 0), 1.0)
    scaled = cv2.normalize(value, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)  # type: ignore[call-overload]
    _, mask = cv2.threshold(scaled, 0, 255, cv2.THRESH_OTSU)
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)


def read_cutouts(data: Path) -> list[Cutout]:
    """Every usable hand of `hands_white`, `hgr1`, `massey_black`, `sign_digits` and half of `asl_photos`."""
    out: list[Cutout | None] = []
    taught = taught_joints(data)
    for row in read_rows(data / "segmentation" / "labels.csv"):
        if row["source"] in ("hands_white", "hgr1"):
            rgb = read_rgb(data / "segmentation" / "images" / row["image"])
            marks = cv2.imread(str(data / "segmentation" / "masks" / row["mask"]), cv2.IMREAD_GRAYSCALE)
            joints = taught.get(f"segmentation/images/{row['image']}")
            out.append(describe(rgb, np.asarray((marks == 1) * 255, np.uint8), row["source"], joints=joints))
    for number, row in enumerate(read_rows(data / "gestures" / "photos" / "labels.csv")):
        path = data / "gestures" / "photos" / "images" / row["file"]
        joints = taught.get(f"gestures/photos/images/{row['file']}")
        if row["source"] == "massey_black":
            rgb = read_rgb(path)
            mask = np.asarray((rgb.max(2) > 26) * 255, np.uint8)
            mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
            out.append(describe(rgb, mask, "massey_black", (0.0, 1.0), joints=joints))
        elif row["source"] == "sign_digits":
            rgb = read_rgb(path)
            mask = plain_ground_mask(rgb)
            share = float((mask > 0).mean())
            ring = np.concatenate((mask[:40, 0], mask[:40, -1], mask[0]))
            if 0.1 < share < 0.5 and float((ring > 0).mean()) < 0.05:
                out.append(describe(rgb, mask, "sign_digits", joints=joints))
        elif row["source"] == "asl_photos" and joints is not None and number % 2 == 0:
            rgb = read_rgb(path)
            cut = cut_out(rgb)
            hand = None if cut is None else describe(rgb, cut, "asl_photos", joints=joints)
            out.append(hand if hand is not None and _alone(hand) else None)
    return [c for c in out if c is not None]


COUNT = 2400
SIZE = 192


def rendered_cutouts(cache: Path, count: int = COUNT, seed: int = 0) -> list[Cutout]:
    """`count` rendered hands in random poses, views and skins; drawn once (60 ms each), then read from `cache`."""
    stored = cache / f"rendered-{count}-{seed}.pickle"
    if not stored.exists():
        rng = np.random.default_rng(seed)
        hands = [render_one(rng) for _ in track(range(count), "rendering hands")]
        write_own([h for h in hands if h is not None], stored)
    out: list[Cutout] = read_own(stored)
    return out


def render_one(rng: np.random.Generator) -> Cutout | None:
    """One rendered hand with its true finger tips; None where the picture holds no usable blob."""
    drawn = draw_hand(rng, SIZE)
    mask = np.asarray(drawn.alpha * 255, np.uint8)
    found = describe(drawn.rgb, mask, "rendered")
    if found is None:
        return None
    ys, xs = np.nonzero(mask > 127)
    scale = found.alpha.shape[1] / max(1.0, float(xs.max() - xs.min() + 1))
    corner = np.array([xs.min(), ys.min()], np.float32)
    true = (drawn.tips - corner) * scale
    middle = (np.asarray(drawn.palm, np.float32) - corner) * scale
    away = true - middle
    tips = np.concatenate((true[np.hypot(away[:, 0], away[:, 1]) > 1], found.tips[:: max(1, len(found.tips) // 4)]))
    return dataclasses.replace(found, tips=tips.astype(np.float32), palm=middle.astype(np.float32))
