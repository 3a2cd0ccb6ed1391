"""Photographed hands laid over things, as if they held them, and over grounds where things only lie about.

A closed hand seen from outside hides the middle of what it holds: the thing goes behind the cut-out hand and through
the middle of its palm. It knows no files, labels or nets.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
GRIPPING = frozenset("0AESTMNOCXGQ")
"""Signs whose hands are closed far enough to hold something."""


def thing(rng: Generator, size: int, at: tuple[float, float], reach: float, texture: U8) -> tuple[U8, F32]:
    """Return a thing around a point: (size, size, 3) colours and (size, size) how much it covers, 0 to 1.

    A bar, a bottle, a can, a card or a ball, about `reach` pixels thick or long; its colour is plain, striped, or taken
    from `texture` (size, size, 3), and it is lit from one side like something round.
    """
    kind = str(rng.choice(["bar", "bottle", "box", "ball"], p=[0.35, 0.25, 0.25, 0.15]))
    angle = float(rng.uniform(0, np.pi))
    thick = reach * {"bar": rng.uniform(0.08, 0.3), "bottle": rng.uniform(0.35, 0.6), "box": rng.uniform(0.4, 0.9),
                     "ball": rng.uniform(0.5, 0.9)}[kind]  # fmt: skip
    long = {"bar": rng.uniform(0.8, 2.5), "bottle": rng.uniform(0.7, 1.3), "box": rng.uniform(0.5, 1.1),
            "ball": 0.0}[kind] * reach  # fmt: skip
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    centre = np.array(at) + along * float(rng.uniform(-0.5, 0.5)) * long + rng.normal(0, 0.06, 2) * reach
    ys, xs = np.mgrid[:size, :size].astype(np.float32)
    u = (xs - centre[0]) * along[0] + (ys - centre[1]) * along[1]
    v = (xs - centre[0]) * across[0] + (ys - centre[1]) * across[1]
    half = np.full_like(v, thick / 2)
    if kind == "bottle" and rng.random() < 0.6:  # a neck
        half = np.where(u > 0.25 * long, thick * 0.2, half)
    if kind == "ball":
        cover = thick / 2 - np.hypot(u, v * float(rng.uniform(0.8, 1.2)))
    else:
        cover = np.minimum(half - np.abs(v), max(long, thick) / 2 - np.abs(u))
    soft = np.clip(cover / float(rng.uniform(0.7, 1.5)) + 0.5, 0, 1).astype(np.float32)
    if rng.random() < 0.15:
        soft *= float(rng.uniform(0.5, 0.85))  # glass
    colour = np.broadcast_to(rng.uniform(10, 250, 3), (size, size, 3)).astype(np.float32)
    how = rng.random()
    if how < 0.35:
        colour = texture.astype(np.float32)
    elif how < 0.5:
        stripes = (np.sin(u * float(rng.uniform(0.1, 0.8)) + float(rng.uniform(0, 6))) > 0)[..., None]
        colour = np.where(stripes, colour, rng.uniform(10, 250, 3)).astype(np.float32)
    light = 1 + float(rng.uniform(0, 0.45)) * np.clip(v / np.maximum(half, 1), -1, 1) * float(rng.choice([-1, 1]))
    return np.clip(colour * light[..., None], 0, 255).astype(np.uint8), soft


def palm_of(alpha: U8) -> tuple[float, float, float]:
    """x, y of the deepest point of a hand's mask and its depth, pixels."""
    depth = cv2.distanceTransform(np.pad((alpha > 127).astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(x), float(y), float(depth.max())


def laid(rng: Generator, hand: U8, alpha: U8, ground: U8, texture: U8, holds: bool) -> U8:
    """Return a hand (s, s, 3) with its mask (s, s) on a ground (s, s, 3): over a thing that it holds.

    Or with none under it.

    Without, half of the grounds have a thing somewhere else, so that things alone mean nothing.
    """
    size = len(alpha)
    below = ground.astype(np.float32)
    x, y, radius = palm_of(alpha)
    around = [(x, y)] if holds else []
    if not holds and rng.random() < 0.5:
        far = [
            (float(px), float(py)) for px, py in rng.uniform(0, size, (6, 2)) if np.hypot(px - x, py - y) > 3.2 * radius
        ]
        around = far[:1]
    over = (cv2.GaussianBlur(alpha, (0, 0), float(rng.uniform(0.4, 1.0))).astype(np.float32) / 255)[..., None]
    for at in around:
        colour, cover = thing(rng, size, at, 4.2 * radius if holds else 3.0 * radius, texture)
        below = below * (1 - cover[..., None]) + colour * cover[..., None]
    if rng.random() < 0.6:  # the hand's shadow on what is under it
        shift = rng.integers(-4, 5, 2).tolist()
        shade = cv2.GaussianBlur(np.roll(over[..., 0], shift, (0, 1)), (0, 0), float(rng.uniform(1.5, 4)))
        below = below * (1 - float(rng.uniform(0.15, 0.6)) * shade[..., None])
    out = below * (1 - over) + hand * over
    if holds and rng.random() < 0.3:  # a thing that also covers part of the hand, held from behind
        colour, cover = thing(rng, size, (x, y - 1.2 * radius), 2.4 * radius, texture)
        keep = cover[..., None] * float(rng.choice([0, 1]))
        out = out * (1 - keep) + colour * keep
    return np.clip(out, 0, 255).astype(np.uint8)
