"""How strongly training pictures are changed: a frozen set of numbers and the named sets; knows no pixels or labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass

from handlens.errors import InputError, unknown

FILLS = ("grey", "black", "edge")
_SHARES = (
    "mosaic",
    "closing",
    "mixup",
    "flip",
    "upside",
    "grey",
    "blur",
    "noise",
    "jpeg",
    "erase",
    "bites",
    "cut",
    "arm",
    "crop",
)
_LIMITS = {"degrees": 180.0, "translate": 0.9, "scale": 0.9, "shear": 45.0, "perspective": 0.1, "hue": 0.5,
           "saturation": 1.0, "value": 1.0, "contrast": 0.9, "light": 3.0, "zoom": 2.0,
           "swell": 0.2, "bend": 0.5, "ragged": 0.2, "stretch": 0.5, "coarse": 3.0}  # fmt: skip
SHAPES = ("bites", "cut", "arm", "swell", "bend", "ragged", "stretch", "coarse")
"""What is done to shapes alone."""
PICTURES = ("hue", "saturation", "value", "contrast", "light", "grey", "blur", "noise", "jpeg", "erase")
"""What is done to pictures alone."""


@dataclass(frozen=True)
class AugmentConfig:
    """What happens to a training picture; all zero, as it is unless told: nothing.

    Shares of the samples, 0 to 1: mosaic (four pictures in one, arXiv 2004.10934), mixup (two pictures laid over one
    another, arXiv 1710.09412), flip (mirrored left to right), upside (mirrored top to bottom), grey, blur, noise, jpeg
    (compressed hard), erase (a rectangle painted over, arXiv 1708.04896). closing: share of the epochs, at the end, in
    which there is no mosaic and no mixup.
    Largest changes, drawn evenly up to them on both sides: degrees and shear (degrees), translate (share of the side),
    scale (0.5: a factor from 0.5 to 1.5), zoom (1: a factor from a half to two, as many below one as above, beside
    scale), perspective (change of the depth over the picture), hue (share of the circle), saturation, value and
    contrast (0.5: a factor from 0.5 to 1.5). light: strength of the changes of light and lens that our own nets learned
    with (`augment.photometric`), 0 = none, 1 = as there.
    For nets of silhouettes, which take nothing but the moves and these; shares of the samples: bites (small holes and
    bites), cut (the wrist ends up to 30 % higher), arm (a forearm goes on where the picture cut it off). Shares of the
    hand's width: swell (the outline moves in or out), bend (all of the hand bends), ragged (the outline's roughness).
    stretch (0.1: wider or narrower by up to a tenth), coarse (1: the hand is seen with down to half of the network's
    pixels on a side).
    crop: of a picture that is zoomed beyond the network's view, that view lies anywhere in it (1) or in its middle (0).
    fill: what lies outside the picture: "grey" as in inference, "black", or "edge", the middle colour of its border;
    around a mosaic it is always grey.

    Mirroring does not swap names such as "left hand" and "right hand": a set with such names needs flip = 0.

    Raises:
        InputError: a number outside its range, or an unknown fill.
    """

    mosaic: float = 0.0
    closing: float = 0.0
    mixup: float = 0.0
    flip: float = 0.0
    upside: float = 0.0
    degrees: float = 0.0
    translate: float = 0.0
    scale: float = 0.0
    zoom: float = 0.0
    crop: float = 0.0
    shear: float = 0.0
    perspective: float = 0.0
    hue: float = 0.0
    saturation: float = 0.0
    value: float = 0.0
    contrast: float = 0.0
    light: float = 0.0
    grey: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    jpeg: float = 0.0
    erase: float = 0.0
    bites: float = 0.0
    cut: float = 0.0
    arm: float = 0.0
    swell: float = 0.0
    bend: float = 0.0
    ragged: float = 0.0
    stretch: float = 0.0
    coarse: float = 0.0
    fill: str = "grey"

    def __post_init__(self) -> None:
        for name, limit in {**dict.fromkeys(_SHARES, 1.0), **_LIMITS}.items():
            if not 0 <= getattr(self, name) <= limit:
                raise InputError(f"look: '{name}' must lie between 0 and {limit:g}, got {getattr(self, name)}.")
        if self.fill not in FILLS:
            raise InputError(f"look: {unknown('fill', self.fill, FILLS)}")

    def at(self, epoch: int, epochs: int | None) -> AugmentConfig:
        """The look of that epoch, counted from 0, of so many (None: not known, then as it is)."""
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
    """The look of that name.

    Raises:
        InputError: an unknown name; the nearest known one is named.
    """
    if name not in PRESETS:
        raise InputError(unknown("look", name, PRESETS))
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
    return dataclasses.replace(PLAIN, **{key: 1.0 if key in _SHARES else getattr(preset, key) for key in keys})
