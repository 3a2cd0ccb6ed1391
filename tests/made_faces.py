"""A face mesh and a cut-out hand, drawn for the tests of composites."""

import cv2
import numpy as np

from recipes.shared.cutouts import Cutout, describe
from recipes.shared.source_data import CROP_SIZE, Face


def mesh(centre: tuple[float, float], height: float) -> np.ndarray:
    """A face mesh whose named points lie where a frontal face has them; the others crowd the middle."""
    from recipes.shared import face_regions as faceparts

    points = np.tile(np.array([0.0, 0.1]), (468, 1)) + np.random.default_rng(0).normal(0, 0.02, (468, 2))
    for i, name in enumerate(faceparts.OVAL):
        angle = 2 * np.pi * i / len(faceparts.OVAL)
        points[name] = (0.38 * np.sin(angle), -0.5 * np.cos(angle))
    for side, eye in zip((-1, 1), faceparts.EYES, strict=True):
        for k, name in enumerate(eye):
            points[name] = (side * 0.17 + 0.07 * np.cos(k), -0.1 + 0.04 * np.sin(k))
    for k, name in enumerate(faceparts.NOSE):
        points[name] = (0.06 * np.cos(k), 0.08 + 0.1 * np.sin(k))
    for k, name in enumerate(faceparts.LIPS):
        points[name] = (0.13 * np.cos(k), 0.26 + 0.035 * np.sin(k))
    points[faceparts.LIP_BOTTOM], points[61], points[291] = (0, 0.3), (-0.13, 0.26), (0.13, 0.26)
    points[105], points[334], points[faceparts.NOSE_TIP] = (-0.17, -0.17), (0.17, -0.17), (0, 0.1)
    return (points * height + centre).astype(np.float32)


def face(label: str = "portrait", person: str = "a", hands: tuple[tuple[float, ...], ...] = ()) -> Face:
    image = np.full((CROP_SIZE, CROP_SIZE, 3), 90, np.uint8)
    cv2.ellipse(image, (120, 120), (31, 40), 0, 0, 360, (205, 160, 130), -1)
    regions = ("chin",) if label == "touch" else ()
    return Face(
        image, mesh((120, 120), 80), np.array([88, 80, 152, 160], np.float32),
        np.asarray(hands, np.float32).reshape(-1, 4), label, regions, person, True, 1.0, "made",
    )  # fmt: skip


def hand() -> Cutout:
    rgb = np.full((120, 90, 3), 255, np.uint8)
    mask = np.zeros((120, 90), np.uint8)
    cv2.rectangle(mask, (25, 55), (65, 119), (255,), -1)
    for x in (28, 38, 48, 58):
        cv2.rectangle(mask, (x - 3, 8), (x + 3, 60), (255,), -1)
    rgb[mask > 0] = (200, 150, 120)
    found = describe(rgb, mask, "hands_white")
    assert found is not None
    return found
