"""How strongly training pictures are changed: a frozen set of numbers and the named sets; knows no pixels or labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any

from handlens.errors import InputError, unknown
from handlens.train.fields import Doc, check

FILLS = ("grey", "black", "edge")
CHANCES = ("mosaic", "mixup", "flip", "upside", "grey", "blur", "noise", "jpeg", "erase", "bites", "cut", "arm")
"""What happens to a share of the samples, and to others not at all."""
SHAPES = ("bites", "cut", "arm", "swell", "bend", "ragged", "stretch", "coarse")
"""What is done to shapes alone."""
PICTURES = ("hue", "saturation", "value", "contrast", "light", "grey", "blur", "noise", "jpeg", "erase")
"""What is done to pictures alone."""


@dataclass(frozen=True)
class AugmentConfig:
    """How training pictures are changed; all is zero, which changes nothing, unless told otherwise.

    Shares are shares of the samples. Largest changes are drawn evenly up to them on both sides.

    Raises:
        InputError: a number outside its range, or an unknown fill.
    """

    mosaic: Annotated[float, Doc("Share of samples made of four pictures (arXiv 2004.10934).", least=0, most=1)] = 0.0
    closing: Annotated[
        float,
        Doc(
            "Share of the epochs, at the end, without mosaic and mixup (as in YOLOX, arXiv 2107.08430).",
            least=0,
            most=1,
        ),
    ] = 0.0
    mixup: Annotated[
        float, Doc("Share with a second picture laid over the first (arXiv 1710.09412).", least=0, most=1)
    ] = 0.0
    flip: Annotated[
        float,
        Doc(
            "Share mirrored left to right. Names such as 'left hand' and 'right hand' are not swapped: a set with such"
            " names needs 0.",
            least=0,
            most=1,
        ),
    ] = 0.0
    upside: Annotated[float, Doc("Share mirrored top to bottom.", least=0, most=1)] = 0.0
    degrees: Annotated[float, Doc("Largest rotation, in degrees.", least=0, most=180)] = 0.0
    translate: Annotated[float, Doc("Largest shift, as a share of the side.", least=0, most=0.9)] = 0.0
    scale: Annotated[float, Doc("Change of size; 0.5: a factor from 0.5 to 1.5.", least=0, most=0.9)] = 0.0
    zoom: Annotated[
        float,
        Doc(
            "Change of size beside `scale`; 1: a factor from 0.5 to 2, as often below one as above.",
            least=0,
            most=2,
        ),
    ] = 0.0
    crop: Annotated[
        float,
        Doc(
            "Where in a picture that `zoom` enlarged the network looks; 1: anywhere, 0: in the middle.",
            least=0,
            most=1,
        ),
    ] = 0.0
    shear: Annotated[float, Doc("Largest slant, in degrees.", least=0, most=45)] = 0.0
    perspective: Annotated[float, Doc("Largest change of the depth over the picture.", least=0, most=0.1)] = 0.0
    hue: Annotated[float, Doc("Largest change of hue, as a share of the circle.", least=0, most=0.5)] = 0.0
    saturation: Annotated[float, Doc("Change of saturation; 0.5: a factor from 0.5 to 1.5.", least=0, most=1)] = 0.0
    value: Annotated[float, Doc("Change of brightness; 0.5: a factor from 0.5 to 1.5.", least=0, most=1)] = 0.0
    contrast: Annotated[float, Doc("Change of contrast; 0.5: a factor from 0.5 to 1.5.", least=0, most=0.9)] = 0.0
    light: Annotated[
        float,
        Doc(
            "Strength of changes of light and lens; 1: as in the training of the shipped models, 0: none.",
            least=0,
            most=3,
        ),
    ] = 0.0
    grey: Annotated[float, Doc("Share without colour.", least=0, most=1)] = 0.0
    blur: Annotated[float, Doc("Share out of focus or blurred by motion.", least=0, most=1)] = 0.0
    noise: Annotated[float, Doc("Share with sensor noise.", least=0, most=1)] = 0.0
    jpeg: Annotated[float, Doc("Share that is strongly compressed.", least=0, most=1)] = 0.0
    erase: Annotated[float, Doc("Share with a rectangle painted over (arXiv 1708.04896).", least=0, most=1)] = 0.0
    bites: Annotated[float, Doc("For silhouettes: share with small holes and bites.", least=0, most=1)] = 0.0
    cut: Annotated[float, Doc("For silhouettes: share with the wrist cut up to 30 % higher.", least=0, most=1)] = 0.0
    arm: Annotated[
        float, Doc("For silhouettes: share with a forearm that goes on where the picture cut it off.", least=0, most=1)
    ] = 0.0
    swell: Annotated[
        float, Doc("For silhouettes: the outline moves in or out, by a share of the hand's width.", least=0, most=0.2)
    ] = 0.0
    bend: Annotated[float, Doc("For silhouettes: the hand bends, by a share of its width.", least=0, most=0.5)] = 0.0
    ragged: Annotated[
        float, Doc("For silhouettes: roughness of the outline, a share of the hand's width.", least=0, most=0.2)
    ] = 0.0
    stretch: Annotated[float, Doc("For silhouettes; 0.1: wider or narrower by up to a tenth.", least=0, most=0.5)] = 0.0
    coarse: Annotated[
        float,
        Doc(
            "For silhouettes; 1: the hand is seen with down to half of the network's pixels on a side.", least=0, most=3
        ),
    ] = 0.0
    fill: Annotated[
        str,
        Doc(
            "What lies outside the picture: `grey` as in inference, `black`, or `edge`, the colour of its border."
            " Around a mosaic it is always grey.",
            "grey",
            choices=FILLS,
        ),
    ] = "grey"

    def __post_init__(self) -> None:
        check(self, "augment")

    def at(self, epoch: int, epochs: int | None) -> AugmentConfig:
        """Return the settings of that epoch, counted from 0, of so many (None: not known, then as they are)."""
        if epochs is None or epoch < round(epochs * (1 - self.closing)):
            return self
        return dataclasses.replace(self, mosaic=0.0, mixup=0.0)


PLAIN = AugmentConfig()
PRESETS = {
    "plain": PLAIN,
    # Darknet's cfg of YOLOv3: jitter 0.3, hue 0.1, saturation and exposure 1.5, mirror.
    "darknet": AugmentConfig(flip=0.5, translate=0.15, scale=0.3, hue=0.1, saturation=0.5, value=0.5),
    # The published settings of YOLOv5; the end without mosaic is from YOLOX (arXiv 2107.08430).
    "mosaic": AugmentConfig(
        mosaic=1.0, closing=0.1, flip=0.5, translate=0.1, scale=0.5, hue=0.015, saturation=0.7, value=0.4
    ),
    # For faces and hands before a webcam: tilted, badly lit, blurred, compressed.
    "webcam": AugmentConfig(
        mosaic=0.6,
        closing=0.2,
        flip=0.5,
        degrees=12.0,
        translate=0.12,
        scale=0.5,
        shear=2.0,
        hue=0.015,
        saturation=0.6,
        value=0.4,
        grey=0.08,
        blur=0.15,
        noise=0.2,
        jpeg=0.25,
        erase=0.1,
    ),
    # For crops of faces, as the shipped contact net learned: tilted, and a detector's boxes are never quite right.
    "face": AugmentConfig(flip=0.5, degrees=14.0, translate=0.07, scale=0.25, light=0.8),
    "flip": AugmentConfig(flip=0.5),  # the published recipe for holding: the horizontal flip alone
    "hand": AugmentConfig(
        flip=0.5,
        degrees=25.0,
        translate=0.1,
        scale=0.2,
        shear=4.0,
        perspective=0.05,
        light=0.8,
        erase=0.25,
        fill="edge",
    ),
    # The published recipe for silhouettes of gestures.
    "silhouette": AugmentConfig(flip=0.5, upside=0.5, degrees=80.0, translate=0.2, shear=10.0, fill="black"),
    # Our own for silhouettes: any direction, and what masks do to hands.
    "shape": AugmentConfig(
        flip=0.5,
        degrees=180.0,
        scale=0.15,
        shear=12.0,
        bites=0.3,
        cut=0.35,
        arm=0.3,
        swell=0.04,
        bend=0.06,
        ragged=0.05,
        stretch=0.1,
        coarse=0.6,
        fill="black",
    ),
    "mask": AugmentConfig(flip=0.5, degrees=15.0, translate=0.08, scale=0.25, shear=3.0, light=0.7),
    # For masks of hands and faces: near and far, tilted, before a webcam.
    "people": AugmentConfig(
        flip=0.5,
        degrees=20.0,
        translate=0.12,
        scale=0.45,
        shear=4.0,
        light=1.0,
        grey=0.06,
        blur=0.12,
        noise=0.12,
        jpeg=0.15,
        erase=0.08,
    ),
    # For masks learned from few pictures: each is seen near and far, in parts, and in other light.
    "few": AugmentConfig(
        flip=0.5,
        degrees=25.0,
        translate=0.08,
        zoom=1.0,
        crop=1.0,
        shear=6.0,
        perspective=0.03,
        light=1.0,
        erase=0.25,
    ),
    # For copies that stay, as `data augment` writes them.
    "offline": AugmentConfig(
        flip=0.5,
        degrees=20.0,
        saturation=0.4,
        value=0.4,
        contrast=0.35,
        blur=0.5,
        noise=0.5,
        jpeg=0.5,
        erase=0.5,
    ),
}


def find_preset(name: str) -> AugmentConfig:
    """Return the preset of that name.

    Raises:
        InputError: an unknown name; the nearest known one is named.
    """
    if name not in PRESETS:
        raise InputError(unknown("preset", name, PRESETS))
    return PRESETS[name]


OFFLINE_STEPS: dict[str, tuple[str, ...]] = {
    "flips": ("flip",),
    "rotate": ("degrees",),
    "light": ("saturation", "value", "contrast"),
    "blur": ("blur",),
    "noise": ("noise",),
    "jpeg": ("jpeg",),
    "cutout": ("erase",),
}
"""The changes of `data augment` in their order, and the settings of the preset "offline" that each stands for."""


def offline_config(steps: Collection[str]) -> AugmentConfig:
    """Return the preset "offline" with these steps certain to happen, and no others."""
    preset = PRESETS["offline"]
    keys = [key for name in steps for key in OFFLINE_STEPS[name]]
    values: dict[str, Any] = {key: 1.0 if key in CHANCES else getattr(preset, key) for key in keys}
    return dataclasses.replace(PLAIN, **values)
