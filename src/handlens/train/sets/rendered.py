"""A cache of rendered hands as cut-outs: poses that the photographed ones lack; knows nothing of faces or nets."""

from __future__ import annotations

import dataclasses
import os
import pickle
from pathlib import Path

import numpy as np
from rich.progress import track

from handlens.synth.hand_model import render_hand
from recipes.shared.cutouts import Cutout, describe

COUNT = 2400
SIZE = 192


def rendered_cutouts(cache: Path, count: int = COUNT, seed: int = 0) -> list[Cutout]:
    """`count` rendered hands in random poses, views and skins; drawn once (60 ms each), then read from `cache`."""
    stored = cache / f"rendered-{count}-{seed}.pickle"
    if not stored.exists():
        rng = np.random.default_rng(seed)
        hands = [render_one(rng) for _ in track(range(count), "rendering hands")]
        cache.mkdir(parents=True, exist_ok=True)
        temporary = stored.with_suffix(".tmp")
        with temporary.open("wb") as file:
            pickle.dump([h for h in hands if h is not None], file)
        os.replace(temporary, stored)
    with stored.open("rb") as file:
        out: list[Cutout] = pickle.load(file)
    return out


def render_one(rng: np.random.Generator) -> Cutout | None:
    """One rendered hand with its true finger tips; None where the picture holds no usable blob."""
    rgb, alpha, tips, palm = render_hand(rng, SIZE)
    mask = np.asarray(alpha * 255, np.uint8)
    found = describe(rgb, mask, "rendered")
    if found is None:
        return None
    ys, xs = np.nonzero(mask > 127)
    scale = found.alpha.shape[1] / max(1.0, float(xs.max() - xs.min() + 1))
    corner = np.array([xs.min(), ys.min()], np.float32)
    true = (tips - corner) * scale
    middle = (np.asarray(palm, np.float32) - corner) * scale
    away = true - middle
    tips = np.concatenate((true[np.hypot(away[:, 0], away[:, 1]) > 1], found.tips[:: max(1, len(found.tips) // 4)]))
    return dataclasses.replace(found, tips=tips.astype(np.float32), palm=middle.astype(np.float32))
