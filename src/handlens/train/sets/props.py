"""Beards and things that are no hands, put on a face under construction: what a touch model must not fall for.

It must not know hands, nets or files.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from handlens.train.augment.basic import motion_blur, noise
from recipes.shared.composite import Scene
from recipes.shared.face_regions import NUMBER, OVAL, face_axes


def add_beard(rng: Generator, scene: Scene) -> None:
    """Grow a beard, moustache or stubble of any colour on the lower face, in place: beards are not hands."""
    _, _, height = face_axes(scene.points)
    lower = np.isin(scene.parts, [NUMBER["chin"]]).astype(np.float32)
    jaw = np.isin(scene.parts, [NUMBER["cheek"]]).astype(np.float32)
    down, _, _ = face_axes(scene.points)
    ys, xs = np.mgrid[: lower.shape[0], : lower.shape[1]].astype(np.float32)
    along = (xs - scene.points[1, 0]) * down[0] + (ys - scene.points[1, 1]) * down[1]
    area = np.maximum(lower, jaw * (along > rng.uniform(0.02, 0.2) * height))
    if rng.random() < 0.6:
        lips = scene.points[[61, 291, 2, 0]]
        upper = np.zeros_like(area)
        cv2.fillConvexPoly(upper, cv2.convexHull(np.round(lips).astype(np.int32)), (1.0,))
        area = np.maximum(area, upper)
    area = np.asarray(cv2.GaussianBlur(area, (0, 0), max(0.8, 0.025 * height)), np.float32)
    strands = motion_blur(rng, np.ascontiguousarray(noise(rng, *area.shape)[..., 0]), max(2.0, 0.04 * height)) * 2.5
    colour = (
        rng.uniform(0.1, 1.0) * np.array([150, 110, 75]) if rng.random() < 0.75 else np.full(3, rng.uniform(90, 220))
    )
    hair = np.clip(colour + strands[..., None] * rng.uniform(5, 22), 0, 255)
    strength = area * float(rng.uniform(0.35, 0.95)) * np.clip(0.8 + 0.3 * strands, 0.2, 1)
    scene.image = (scene.image * (1 - strength[..., None]) + hair * strength[..., None]).astype(np.float32)


def add_object(rng: Generator, scene: Scene) -> None:
    """Put a thing that is no hand over or beside the face, in place: phone, cup, stick, cloth, ball, paper."""
    _, _, height = face_axes(scene.points)
    mask = np.zeros(scene.image.shape[:2], np.float32)
    spot = scene.points[list(OVAL)].mean(0) + rng.normal(0, 0.55, 2) * height
    angle, a = rng.uniform(0, 180), rng.uniform(0.12, 0.5) * height
    b = a * rng.uniform(0.2, 1.0)
    centre = (float(spot[0]), float(spot[1]))
    if rng.random() < 0.5:
        corners = cv2.boxPoints((centre, (2 * a, 2 * b), angle))
        cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), (1.0,))
    else:
        cv2.ellipse(
            mask, (round(centre[0]), round(centre[1])), (max(1, round(a)), max(1, round(b))), angle, 0, 360, (1.0,), -1
        )
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.8), np.float32)[..., None]
    skin = (
        scene.image[scene.parts > 0].mean(0)
        if rng.random() < 0.4 and (scene.parts > 0).any()
        else rng.uniform(0, 255, 3)
    )
    shade = cv2.resize(
        rng.uniform(0.6, 1.35, (3, 3)).astype(np.float32), mask.shape[1::-1], interpolation=cv2.INTER_CUBIC
    )
    thing = np.clip(skin * shade[..., None] + 5 * noise(rng, *shade.shape), 0, 255)
    scene.image = (scene.image * (1 - mask) + thing * mask).astype(np.float32)
    scene.hand = scene.hand * (1 - mask[..., 0])
    scene.hidden = np.maximum(scene.hidden, mask[..., 0])
