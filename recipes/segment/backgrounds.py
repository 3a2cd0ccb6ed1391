"""Grounds without hands and faces, of every colour and grain: what a segmenter must leave alone; knows no nets."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Float = NDArray[np.float32]
SKINS = np.array([(240, 205, 180), (225, 175, 145), (195, 140, 105), (150, 100, 70), (95, 60, 45)], np.float32)


def texture(rng: Generator, side: int) -> U8:
    """(side, side, 3): marble, leaves, bricks, stripes or patches, a third of them in colours of skin, sharp or not."""
    painters = (_marble, _leaves, _bricks, _stripes, _patches)
    image: NDArray[np.floating[Any]] = painters[int(rng.integers(len(painters)))](rng, side)
    if rng.random() < 0.35:  # two of them, one showing through the other
        other = painters[int(rng.integers(len(painters)))](rng, side)
        share = _cloud(rng, side)[..., None]
        image = image * share + other * (1 - share)
    light = 1 + 0.6 * (_cloud(rng, side)[..., None] - 0.5)
    image = image * light + rng.normal(0, rng.uniform(0, 9), image.shape)
    if rng.random() < 0.5:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.5, 4.0))), np.float64)
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def recoloured(rng: Generator, image: U8) -> U8:
    """Return the same picture in other colours: turned around the circle of hues, or its channels mixed."""
    if rng.random() < 0.5:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + int(rng.integers(180))) % 180
        return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)
    mix = rng.dirichlet((0.6, 0.6, 0.6), 3).astype(np.float32)
    return np.asarray(np.clip(image.astype(np.float32) @ mix.T, 0, 255), np.uint8)


def _colour(rng: Generator) -> Float:
    if rng.random() < 0.33:
        return np.asarray(SKINS[int(rng.integers(len(SKINS)))] + rng.normal(0, 14, 3), np.float32)
    return np.asarray(rng.uniform(0, 255, 3), np.float32)


def _cloud(rng: Generator, side: int) -> Float:
    """(side, side) noise of several finenesses, 0 to 1."""
    total = np.zeros((side, side), np.float32)
    first = int(rng.integers(2, 7))
    for octave in range(5):
        cells = min(side, first * 2**octave)
        grid = rng.random((cells, cells), np.float32)
        total += cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC) * 0.6**octave
    return np.asarray((total - total.min()) / (np.ptp(total) + 1e-6), np.float32)


def _marble(rng: Generator, side: int) -> Float:
    level = _cloud(rng, side)
    if rng.random() < 0.5:
        level = 0.5 + 0.5 * np.sin(level * rng.uniform(5, 40))
    first, second = _colour(rng), _colour(rng)
    return np.asarray(first + (second - first) * level[..., None], np.float32)


def _leaves(rng: Generator, side: int) -> Float:
    image = np.empty((side, side, 3), np.float32)
    image[:] = _colour(rng) * 0.5
    colours = [_colour(rng) for _ in range(3)]
    size = rng.uniform(0.02, 0.12) * side
    for _ in range(int(rng.integers(60, 400))):
        axes = (max(1, round(size * rng.uniform(0.5, 1.6))), max(1, round(size * rng.uniform(0.15, 0.6))))
        colour = colours[int(rng.integers(3))] * rng.uniform(0.5, 1.3)
        place = tuple(int(v) for v in rng.integers(0, side, 2))
        cv2.ellipse(image, place, axes, float(rng.uniform(0, 180)), 0, 360, colour.tolist(), -1, cv2.LINE_AA)
    return image


def _bricks(rng: Generator, side: int) -> Float:
    image = np.empty((side, side, 3), np.float32)
    image[:] = _colour(rng)
    colour, high = _colour(rng), int(rng.integers(8, 50))
    wide, gap = int(high * rng.uniform(1.0, 3.0)), max(1, high // 8)
    for row, top in enumerate(range(-high, side, high)):
        for left in range(-wide + (row % 2) * wide // 2, side, wide):
            tone = colour * rng.uniform(0.75, 1.15) + rng.normal(0, 8, 3)
            cv2.rectangle(image, (left + gap, top + gap), (left + wide, top + high), tone.tolist(), -1)
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), float(rng.uniform(-45, 45)), float(rng.uniform(1.5, 2.5)))
    return np.asarray(cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REFLECT), np.float32)


def _stripes(rng: Generator, side: int) -> Float:
    ys, xs = np.mgrid[:side, :side].astype(np.float32)
    turn, wave = rng.uniform(0, np.pi), rng.uniform(6, 90)
    along = xs * np.cos(turn) + ys * np.sin(turn) + 12 * _cloud(rng, side)
    level = np.clip(np.sin(along * 2 * np.pi / wave) * rng.uniform(1, 8), -1, 1) / 2 + 0.5
    first, second = _colour(rng), _colour(rng)
    return np.asarray(first + (second - first) * level[..., None], np.float32)


def _patches(rng: Generator, side: int) -> Float:
    """Overlapping polygons and rods, some as long and thin as fingers."""
    image = np.empty((side, side, 3), np.float32)
    image[:] = _colour(rng)
    for _ in range(int(rng.integers(4, 40))):
        middle, reach = rng.uniform(0, side, 2), rng.uniform(0.04, 0.4) * side
        colour = _colour(rng).tolist()
        if rng.random() < 0.4:
            turn = rng.uniform(0, 2 * np.pi)
            step = np.array([np.cos(turn), np.sin(turn)]) * reach
            ends = [tuple(int(v) for v in middle + way * step) for way in (-1, 1)]
            cv2.line(image, ends[0], ends[1], colour, max(1, int(rng.uniform(0.01, 0.08) * side)), cv2.LINE_AA)
        else:
            points = middle + rng.normal(0, reach / 1.5, (int(rng.integers(3, 8)), 2))
            cv2.fillPoly(image, [np.round(points).astype(np.int32)], colour, cv2.LINE_AA)
    return image
