"""The only resize and normalise, for training and inference alike; it must not know models beyond their card."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from handlens.card import ModelCard
from handlens.types import Floats, Image

PAD = 114  # grey of what lies outside the picture


@dataclass(frozen=True)
class Geometry:
    """The way from source pixels to network pixels and back: network = source * scale + pad, at pixel edges.

    Attributes:
        width, height: Of the source.
        net_width, net_height: Of the network's input.
    """

    scale_x: float
    scale_y: float
    pad_x: float
    pad_y: float
    width: int
    height: int
    net_width: int
    net_height: int

    def to_network(self, xyxy: Floats) -> Floats:
        """Return the boxes (n, 4) of source pixels in network pixels."""
        return np.asarray(np.asarray(xyxy, np.float64) * self._scales + self._pads, np.float32)

    def to_source(self, xyxy: Floats) -> Floats:
        """Return the boxes (n, 4) of network pixels in source pixels, not clipped to the picture."""
        return np.asarray((np.asarray(xyxy, np.float64) - self._pads) / self._scales, np.float32)

    @property
    def _scales(self) -> npt.NDArray[np.float64]:
        return np.array([self.scale_x, self.scale_y] * 2)

    @property
    def _pads(self) -> npt.NDArray[np.float64]:
        return np.array([self.pad_x, self.pad_y] * 2)


def prepare(image: Image, card: ModelCard) -> tuple[Floats, Geometry]:
    """Return the network's input for one picture, and the way back.

    Args:
        image: (H, W, 3) uint8 RGB. The tensor: (1, 3, h, w) float32, contiguous, (pixel - mean) / std. Resize rules:
            "stretch" to the card's size; "letterbox" into it, aspect kept, grey around; "fit": the longest side becomes
            size[0], aspect kept, grey at the right and bottom up to a multiple of the stride (the input is then
            dynamic).
    """
    resized, geometry = resize(image, card)
    return to_tensor([resized], card), geometry


def resize(image: Image, card: ModelCard) -> tuple[Image, Geometry]:
    """Return the picture (h, w, 3) uint8 as the card's rule asks, before normalising, and the way back."""
    height, width = image.shape[:2]
    net_h, net_w = card.size
    inner_h, inner_w, pad_x, pad_y = net_h, net_w, 0, 0
    if card.resize != "stretch":
        scale = min(net_h / height, net_w / width)
        inner_h, inner_w = max(1, round(height * scale)), max(1, round(width * scale))
    if card.resize == "letterbox":
        pad_x, pad_y = (net_w - inner_w) // 2, (net_h - inner_h) // 2
    elif card.resize == "fit":
        net_h, net_w = (-(-side // card.stride) * card.stride for side in (inner_h, inner_w))
    resized = _scaled(image, inner_w, inner_h)
    if (inner_h, inner_w) != (net_h, net_w):
        canvas = np.full((net_h, net_w, 3), PAD, np.uint8)
        canvas[pad_y : pad_y + inner_h, pad_x : pad_x + inner_w] = resized
        resized = canvas
    return resized, Geometry(inner_w / width, inner_h / height, pad_x, pad_y, width, height, net_w, net_h)


def normalisation(mean: Sequence[float], std: Sequence[float]) -> tuple[Floats, Floats]:
    """Return (scale, offset), (3,) each: a network sees pixel * scale + offset, which is (pixel - mean) / std.

    Whoever makes the input of a network, in numpy or in torch, takes these numbers.
    """
    scale = 1.0 / np.asarray(std, np.float32)
    return scale, -np.asarray(mean, np.float32) * scale


def to_tensor(images: Sequence[Image], card: ModelCard) -> Floats:
    """Return (n, 3, h, w) float32, contiguous and normalised as the card says, of n pictures (h, w, 3) of one size."""
    scale, offset = normalisation(card.mean, card.std)
    batch = np.empty((len(images), 3, *images[0].shape[:2]), np.float32)
    for tensor, image in zip(batch, images, strict=True):
        for channel in range(3):
            np.multiply(image[:, :, channel], scale[channel], out=tensor[channel])
        tensor += offset[:, None, None]
    return batch


def crop_box(image: Image, box: Floats | Sequence[float], size: int | tuple[int, int]) -> tuple[Image, Geometry]:
    """Return what the box shows, (h, w, 3) uint8, grey outside the picture, and the way back.

    Args:
        box: x1 y1 x2 y2 in source pixels, fractions and parts outside the picture allowed.
        size: The side of the crop in pixels, or (height, width).

    Raises:
        ValueError: the box has no area.
    """
    out_h, out_w = (size, size) if isinstance(size, int) else size
    x1, y1, x2, y2 = (float(v) for v in box)
    if not (x2 > x1 and y2 > y1):
        raise ValueError(f"crop_box: expected x1 < x2 and y1 < y2, got {[x1, y1, x2, y2]}")
    height, width = image.shape[:2]
    scale_x, scale_y = out_w / (x2 - x1), out_h / (y2 - y1)
    geometry = Geometry(scale_x, scale_y, -x1 * scale_x, -y1 * scale_y, width, height, out_w, out_h)
    left, right = np.clip([np.floor(x1) - 1, np.ceil(x2) + 1], 0, width).astype(int).tolist()
    top, bottom = np.clip([np.floor(y1) - 1, np.ceil(y2) + 1], 0, height).astype(int).tolist()
    if left >= right or top >= bottom:
        return np.full((out_h, out_w, 3), PAD, np.uint8), geometry
    part = image[top:bottom, left:right]
    part_w, part_h = right - left, bottom - top
    if min(scale_x, scale_y) < 0.5:  # the 2x2 pixels that the warp looks at would miss most of what is shrunk
        part = _scaled(part, max(1, round(part_w * min(1.0, scale_x))), max(1, round(part_h * min(1.0, scale_y))))
    # The matrix speaks of pixel centres, everything above of pixel edges: half a pixel apart.
    rest_x, rest_y = scale_x * part_w / part.shape[1], scale_y * part_h / part.shape[0]
    shift_x, shift_y = (left - x1) * scale_x, (top - y1) * scale_y
    matrix = np.array([[rest_x, 0, shift_x + (rest_x - 1) / 2], [0, rest_y, shift_y + (rest_y - 1) / 2]])
    crop = cv2.warpAffine(
        part, matrix, (out_w, out_h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(PAD,) * 3
    )
    return np.asarray(crop, np.uint8), geometry


def _scaled(image: Image, width: int, height: int) -> Image:
    """Return the picture at that size: by area where it shrinks (no aliasing), linear where it grows."""
    if (height, width) == image.shape[:2]:
        return image
    shrinks = width * height < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)
