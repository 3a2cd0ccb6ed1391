"""Draws a result on its frame; it must not know where frames come from, where images go, or how a model works."""

import cv2
import numpy as np
import numpy.typing as npt

from handlens.types import Detections, Frame, Image, Label, Mask, Result

Colour = tuple[int, int, int]

FACE: Colour = (86, 180, 255)
HAND: Colour = (255, 196, 61)
REGION: Colour = (255, 64, 80)
CALM: Colour = (64, 200, 120)
OTHER: Colour = (190, 140, 255)
INK: Colour = (20, 22, 28)
PAPER: Colour = (245, 246, 248)
_FONT = cv2.FONT_HERSHEY_DUPLEX
_LEGIBLE = 48  # pixels: on smaller pictures there are boxes and no text


def draw(frame: Frame, result: Result) -> Image:
    """Return (H, W, 3) uint8 RGB: a copy of the frame with boxes, labels, touched regions and the touch bar.

    Line width and text follow the picture's size. Any result may be drawn on any frame: boxes outside are cut off.
    """
    pen = _Pen(frame.image.copy())
    value = result.value
    if isinstance(value, Detections):
        _draw_detections(pen, value)
    elif isinstance(value, Mask):
        _draw_mask(pen, value)
    elif isinstance(value, Label):
        pen.tag(_say(value), 0, 0, OTHER)
    else:
        for hand in value:
            pen.box(hand.xyxy, HAND)
            pen.tag(_say(hand.gesture), float(hand.xyxy[0]), float(hand.xyxy[1]), HAND)
    return pen.image


def _draw_detections(pen: "_Pen", found: Detections) -> None:
    names = found.label_names
    regions = ~found.of("face", "hand")
    for row in np.flatnonzero(regions):
        pen.glow(found.xyxy[row], REGION, 0.2 + 0.4 * float(found.score[row]))
    for row in np.flatnonzero(~regions):
        pen.box(found.xyxy[row], FACE if names[row] == "face" else HAND)
    for row in np.flatnonzero(regions):
        pen.box(found.xyxy[row], REGION)
    for row in np.argsort(regions, kind="stable"):  # the touched regions' labels last, so that they stay on top
        colour = REGION if regions[row] else FACE if names[row] == "face" else HAND
        number = f" {found.id[row]}" if found.id[row] >= 0 else ""
        x1, y1, _, y2 = (float(v) for v in found.xyxy[row])
        pen.tag(f"{names[row]}{number} {found.score[row]:.0%}", x1, y2 if regions[row] else y1, colour, regions[row])
    touched = [names[row] for row in np.flatnonzero(regions) if found.score[row] >= 0.5]
    pen.bar(found.best_touch, f"touch {found.best_touch:.0%}", ", ".join(dict.fromkeys(touched)))


def _draw_mask(pen: "_Pen", mask: Mask) -> None:
    colours = {"hand": HAND, "face": FACE}
    for number, name in enumerate(mask.names):
        if name != "background" and mask.classes.shape == pen.image.shape[:2]:
            pen.fill(mask.classes == number, colours.get(name, OTHER))


def _say(label: Label) -> str:
    angle = "" if label.angle is None else f", {label.angle:.0f} deg"
    return f"{label.name} {label.score:.0%}{angle}"


class _Pen:
    """An image to draw on, with sizes that suit it."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.height, self.width = image.shape[:2]
        size = float(np.clip(min(self.height, self.width * 1.2) / 480, 0.35, 8.0))
        self.line = max(1, round(2 * size))
        self.text = 0.5 * size
        self.pad = max(2, round(5 * size))
        self.legible = min(self.height, self.width) >= _LEGIBLE

    def _corners(self, xyxy: npt.NDArray[np.float32]) -> tuple[int, int, int, int]:
        most = (self.width - 1, self.height - 1) * 2
        x1, y1, x2, y2 = (int(np.clip(round(float(v)), 0, m)) for v, m in zip(np.nan_to_num(xyxy), most, strict=True))
        return x1, y1, x2, y2

    def box(self, xyxy: npt.NDArray[np.float32], colour: Colour) -> None:
        """Draw a thin rectangle with strong corners."""
        x1, y1, x2, y2 = self._corners(xyxy)
        cv2.rectangle(self.image, (x1, y1), (x2, y2), colour, max(1, self.line // 2), cv2.LINE_AA)
        reach = max(1, min(x2 - x1, y2 - y1) // 5)
        for x, y, right, down in ((x1, y1, 1, 1), (x2, y1, -1, 1), (x1, y2, 1, -1), (x2, y2, -1, -1)):
            corner = np.array([[x + right * reach, y], [x, y], [x, y + down * reach]], np.int32)
            cv2.polylines(self.image, [corner], False, colour, self.line + 1, cv2.LINE_AA)

    def glow(self, xyxy: npt.NDArray[np.float32], colour: Colour, strength: float) -> None:
        """Tint the ellipse that fills a box."""
        x1, y1, x2, y2 = self._corners(xyxy)
        part = self.image[y1 : y2 + 1, x1 : x2 + 1]
        stain = part.copy()
        middle, radii = ((x2 - x1) // 2, (y2 - y1) // 2), (max(1, (x2 - x1) // 2), max(1, (y2 - y1) // 2))
        cv2.ellipse(stain, middle, radii, 0, 0, 360, colour, -1, cv2.LINE_AA)
        part[:] = cv2.addWeighted(stain, strength, part, 1 - strength, 0).reshape(part.shape)

    def fill(self, pixels: npt.NDArray[np.bool_], colour: Colour) -> None:
        """Tint the pixels that are set."""
        tint = np.array(colour, np.float32) * 0.45
        self.image[pixels] = (self.image[pixels] * 0.55 + tint).astype(np.uint8)

    def tag(self, text: str, x: float, y: float, colour: Colour, below: bool = False) -> None:
        """Write text on a coloured plate above the point (or below it), moved so that all of it is in the picture."""
        if not self.legible:
            return
        x, y = (float(v) for v in np.nan_to_num(np.array([x, y])))
        scale = self.text
        (wide, high), drop = cv2.getTextSize(text, _FONT, scale, 1)
        if wide + 2 * self.pad > self.width:
            scale *= max(0.1, (self.width - 2 * self.pad) / wide)
            (wide, high), drop = cv2.getTextSize(text, _FONT, scale, 1)
        tall = high + drop + self.pad
        left = int(np.clip(round(x), 0, max(0, self.width - wide - 2 * self.pad)))
        top = int(np.clip(round(y if below else y - tall), 0, max(0, self.height - tall)))
        cv2.rectangle(self.image, (left, top), (left + wide + 2 * self.pad, top + tall), colour, -1)
        place = (left + self.pad, top + high + self.pad // 2)
        cv2.putText(self.image, text, place, _FONT, scale, INK, max(1, round(scale)), cv2.LINE_AA)

    def bar(self, value: float, text: str, more: str) -> None:
        """Draw a bar along the bottom, filled from the left by `value` (0 to 1), green to red."""
        if not self.legible:
            return
        tall = max(14, round(self.pad * 5))
        strip = self.image[self.height - tall :]
        strip[:] = (strip * 0.25 + np.array(INK, np.float32) * 0.75).astype(np.uint8)
        colour = tuple(round(c + (r - c) * value) for c, r in zip(CALM, REGION, strict=True))
        full = round(self.width * float(np.clip(value, 0, 1)))
        thick = max(2, round(self.pad * 0.8))
        cv2.rectangle(self.image, (0, self.height - thick), (max(0, full - 1), self.height), colour, -1)
        label = f"{text}  {more}" if more else text
        (wide, high), _ = cv2.getTextSize(label, _FONT, 1.2 * self.text, 1)
        scale = 1.2 * self.text * min(1.0, (self.width - 2 * self.pad) / max(1, wide))
        place = (self.pad, self.height - thick - (tall - thick - high) // 2)
        cv2.putText(self.image, label, place, _FONT, scale, PAPER, max(1, round(scale)), cv2.LINE_AA)
