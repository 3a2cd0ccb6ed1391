"""Draws a result on its frame; it must not know where frames come from, where images go, or how a model works."""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from handlens.errors import OutputError
from handlens.io.atomic import AtomicFile
from handlens.io.skeleton import draw_skeleton
from handlens.io.tags import FONT, LEAST, Box, Tag, core, place
from handlens.types import OWNERS, Detections, Floats, Frame, Hand, Image, Label, Mask, Value

Colour = tuple[int, int, int]

FACE: Colour = (86, 180, 255)
HAND: Colour = (255, 196, 61)
REGION: Colour = (255, 64, 80)
CALM: Colour = (64, 200, 120)
OTHER: Colour = (190, 140, 255)
_OTHERS: tuple[Colour, ...] = (OTHER, (120, 220, 180), (255, 140, 100), (230, 220, 120))  # for classes of masks
INK: Colour = (20, 22, 28)
PAPER: Colour = (245, 246, 248)
_LEGIBLE = 48  # pixels: on smaller pictures there are boxes and no text
_SMALL, _ROOM, _MOST = 200, 360, 1280  # pixels: hands on shorter sides than the first are enlarged to the second
_TINT = 0.4  # of the colour of a class in its pixels
_SMALLEST = 0.33  # the same for the legend of a mask, on pictures that are not enlarged
TRUTH = "truth"
"""The name of the model that stands for a label: what it says has no probability."""


class Drawable(Protocol):
    """What can be drawn; handlens.result.Result is."""

    @property
    def model(self) -> str:
        """The model's name."""
        ...

    @property
    def value(self) -> Value:
        """What was found."""
        ...

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Label -> the score from which a face or a hand is drawn."""
        ...


def draw(frame: Frame, result: Drawable) -> Image:
    """Return (H, W, 3) uint8 RGB: a copy of the frame with boxes, labels, touched regions and the touch bar.

    Line width and text follow the picture's size. Any result may be drawn on any frame: boxes outside are cut off.
    Hands below the thresholds of the result are not drawn, and faces only where they are touched. Labels never overlap,
    leave the picture or hide a face; where there is no room they become shorter, and then are left out. Hands have a
    skeleton where the model tells their landmarks, else an arrow where they point to.
    Crops and silhouettes of hands are often so small that nothing could be read on them: where hands or whole pictures
    are labelled, small ones come back enlarged by a whole number.
    """
    value, sure = result.value, result.model != TRUTH
    if isinstance(value, Detections | Mask):
        pen = _Pen(frame.image.copy())
        if isinstance(value, Detections):
            _draw_detections(pen, shown(value, result), sure)
        else:
            _draw_mask(pen, value)
        pen.write()
        return pen.image
    zoom = _zoom(frame)
    pen = _Pen(np.repeat(np.repeat(frame.image, zoom, axis=0), zoom, axis=1))
    if isinstance(value, Label):
        value = (Hand(np.array([0, 0, frame.width, frame.height], np.float32), value, value.angle),)
    hands = [hand for hand in value if hand.gesture.score >= result.thresholds.get("score", 0.0)]
    for hand in hands:
        _draw_hand_mask(pen, hand, zoom)
    for hand in reversed(hands):  # the surest on top
        _draw_hand(pen, hand, zoom)
    for hand in hands:
        pen.tag(_hand_texts(hand, sure), hand.xyxy * zoom, HAND)
    if not hands:
        pen.tag(("no hand",), np.zeros(4, np.float32), OTHER)
    pen.write()
    return pen.image


def shown(found: Detections, result: Drawable) -> Detections:
    """Return the boxes without the faces and hands that score below the thresholds of the result.

    A face that is touched stays: without it nobody sees what is touched.
    """
    floors = np.array([result.thresholds.get(name, 0.0) for name in found.names], np.float32)
    stays = (found.score >= floors[found.label]) | ~found.of(*OWNERS)
    stays[found.face[found.face >= 0]] = True
    return found.select(stays)


def _zoom(frame: Frame) -> int:
    """By which whole number a picture of a hand is enlarged, so that words can be read on it."""
    short, long = sorted((frame.height, frame.width))
    return 1 if short >= _SMALL else max(1, min(-(-_ROOM // short), _MOST // long))


def _draw_hand(pen: "_Pen", hand: Hand, zoom: int) -> None:
    xyxy = hand.xyxy * zoom
    angle = hand.gesture.angle if hand.angle is None else hand.angle
    pen.box(xyxy, HAND, rim=hand.landmarks is None)  # a skeleton says by itself where the hand is
    if hand.landmarks is not None:
        points = hand.landmarks * np.array([zoom, zoom, 1], np.float32)
        extent = points[:, :2].max(axis=0) - points[:, :2].min(axis=0)
        draw_skeleton(pen.image, points, float(extent.max()))
    elif angle is not None:
        pen.arrow(xyxy, angle, HAND)


def _hand_texts(hand: Hand, sure: bool) -> tuple[str, ...]:
    """Return what the label of a hand may say. The names of signs may be numbers.

    So they never stand before another one. Of landmarks it says the side, and what the hand shows or holds.
    """
    if hand.pose:
        return _posed_texts(hand, sure)
    angle = hand.gesture.angle if hand.angle is None else hand.angle
    turned = [] if angle is None else [f"{round(angle)} deg"]
    name = hand.gesture.name
    about = [f"{hand.gesture.score:.0%}"] if sure else []
    texts = [name if not more else f"{name} ({', '.join(more)})" for more in ([*about, *turned], about, [])]
    whose = f"hand #{hand.id}: " if hand.id > 0 else ""
    return tuple(dict.fromkeys([f"{whose}{texts[0]}", *texts]))


def _posed_texts(hand: Hand, sure: bool) -> tuple[str, ...]:
    about = [f"{hand.gesture.score:.0%}"] if sure else []
    holds, thing = hand.pose.get("hold"), hand.pose.get("thing")
    if holds is not None and holds.name == "object" and holds.score >= 0.5:
        known = thing is not None and thing.score >= 0.5 and thing.name != "other"
        about.append(f"holds {thing.name}" if known and thing is not None else "holds something")
    name = f"{hand.side} #{hand.id}" if hand.id > 0 else hand.side
    texts = [f"{name} ({', '.join(about)})" if about else name, name, hand.side]
    return tuple(dict.fromkeys(texts))


def _draw_hand_mask(pen: "_Pen", hand: Hand, zoom: int) -> None:
    mask = hand.whole_mask(pen.height // zoom, pen.width // zoom)
    if mask is not None:
        mask = np.repeat(np.repeat(mask, zoom, axis=0), zoom, axis=1)
        if hand.landmarks is None:  # a skeleton is seen better on the skin as it is
            pen.tint(mask, [HAND])
        pen.outline(mask > 0, HAND)


def _draw_detections(pen: "_Pen", found: Detections, sure: bool) -> None:
    names = found.label_names
    regions = ~found.of(*OWNERS)
    for row in np.flatnonzero(regions):
        pen.glow(found.xyxy[row], REGION, 0.15 + 0.25 * float(found.score[row]))
    for row in np.flatnonzero(~regions):
        pen.box(found.xyxy[row], FACE if names[row] == "face" else HAND)
    for row in np.flatnonzero(regions):
        pen.box(found.xyxy[row], REGION, rim=False)
    for row in np.argsort(~regions, kind="stable"):  # where there is little room the touched regions come first
        colour = REGION if regions[row] else FACE if names[row] == "face" else HAND
        name = f"{names[row]} #{found.id[row]}" if found.id[row] >= 0 else names[row]
        sided = f"{found.side[row]} {name}" if found.side[row] else name
        thing = _thing(found, int(row))
        told = [f"{name}, {thing}"] if thing else []
        texts = (*told, f"{sided} ({found.score[row]:.0%})", sided, name, names[row]) if sure else (names[row],)
        pen.tag(tuple(dict.fromkeys(texts)), found.xyxy[row], colour, bool(regions[row]))
    for row in np.flatnonzero(found.of("face")):
        pen.keep_clear(found.xyxy[row])
    if not found.tells_touch:
        return
    touched = [names[row] for row in np.flatnonzero(regions) if found.score[row] >= 0.5]
    best = found.best_touch
    said = f"touch {best:.0%}{', unsure' if found.unsure else ''}"
    pen.bar(best, said if sure else "touch" if best else "no touch", ", ".join(dict.fromkeys(touched)))


def _thing(found: Detections, row: int) -> str:
    """Say that there probably is a thing that is not a hand at the mouth or elsewhere at a face, or nothing."""
    if found.face_thing is None or not (found.face_thing[row] >= 0.5).any():
        return ""
    return ("thing at the mouth", "thing at the face")[int(found.face_thing[row].argmax())]


def _draw_mask(pen: "_Pen", mask: Mask) -> None:
    """Tint each class, draw its outline, and say in a legend how much of the picture it covers."""
    if mask.classes.shape != pen.image.shape[:2]:
        return
    known, others = {"hand": HAND, "face": FACE}, itertools.cycle(_OTHERS)
    colours = [known.get(name) or next(others) for name in mask.parts]
    pen.tint(mask.classes, colours)
    for number, colour in reversed(list(enumerate(colours, 1))):  # hands, the first, on top
        pen.outline(mask.classes == number, colour)
    if mask.covered is not None and mask.covered.any():
        below = mask.names.index(mask.under)
        pen.outline((mask.classes == below) | mask.covered, colours[below - 1])
    shares = [mask.fraction(name) for name in mask.parts]
    pen.legend([row for row in zip(mask.parts, shares, colours, strict=True) if row[1] > 0])


def write_tags(image: Image, tags: Sequence[Tag], scale: float, taken: Sequence[Box] = (), line: int = 0) -> None:
    """Write labels on coloured plates into an image, each where there is room for it.

    Args:
        scale: Of the text.
        taken: What no label may cover.
        line: The width of the line from a label to a box that is far from it; 0 draws none.
    """
    for one in place(tags, (image.shape[1], image.shape[0]), scale, taken):
        x1, y1, x2, y2 = one.plate
        if one.is_apart and line:
            begin, end = one.joint
            for ink, wide in ((INK, line + 2), (one.tag.colour, line)):
                cv2.line(image, begin, end, ink, wide, cv2.LINE_AA)
        cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), one.tag.colour, -1)
        cv2.putText(image, one.text, one.base, FONT, one.scale, INK, max(1, round(one.scale)), cv2.LINE_AA)


class _Pen:
    """An image to draw on, with sizes that suit it."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.height, self.width = image.shape[:2]
        size = float(np.clip(min(self.height, self.width * 1.2) / 480, 0.35, 8.0))
        self.line = max(1, round(2 * size))
        self.text = max(LEAST, 0.5 * size)
        self.pad = max(2, round(5 * size))
        self.legible = min(self.height, self.width) >= _LEGIBLE
        self._tags: list[Tag] = []
        self._taken: list[Box] = []  # what no label may cover

    def _corners(self, xyxy: npt.NDArray[np.float32]) -> tuple[int, int, int, int]:
        most = (self.width - 1, self.height - 1) * 2
        x1, y1, x2, y2 = (int(np.clip(round(float(v)), 0, m)) for v, m in zip(np.nan_to_num(xyxy), most, strict=True))
        return x1, y1, x2, y2

    def box(self, xyxy: npt.NDArray[np.float32], colour: Colour, rim: bool = True) -> None:
        """Draw a thin rectangle with strong corners, on a dark one, so that it is seen on any ground."""
        x1, y1, x2, y2 = self._corners(xyxy)
        if rim and self.line > 1:  # on small pictures two lines hide what they surround
            cv2.rectangle(self.image, (x1, y1), (x2, y2), INK, self.line + 2, cv2.LINE_AA)
        cv2.rectangle(self.image, (x1, y1), (x2, y2), colour, max(1, self.line if rim else self.line // 2), cv2.LINE_AA)
        reach = max(1, min(x2 - x1, y2 - y1) // 5)
        for x, y, right, down in ((x1, y1, 1, 1), (x2, y1, -1, 1), (x1, y2, 1, -1), (x2, y2, -1, -1)):
            corner = np.array([[x + right * reach, y], [x, y], [x, y + down * reach]], np.int32)
            cv2.polylines(self.image, [corner], False, colour, self.line + 1, cv2.LINE_AA)

    def arrow(self, xyxy: Floats, angle: float, colour: Colour) -> None:
        """Draw an arrow in the middle of a box: up for 0 degrees, then counter-clockwise."""
        x1, y1, x2, y2 = (float(v) for v in np.nan_to_num(xyxy))
        reach = 0.4 * min(abs(x2 - x1), abs(y2 - y1))
        across, up = -reach * math.sin(math.radians(angle)), reach * math.cos(math.radians(angle))
        middle = (x1 + x2) / 2, (y1 + y2) / 2
        tail, tip = ((round(middle[0] + way * across), round(middle[1] - way * up)) for way in (-1, 1))
        for ink, wide in ((INK, self.line + 3), (colour, self.line + 1)):
            cv2.arrowedLine(self.image, tail, tip, ink, wide, cv2.LINE_AA, tipLength=0.3)

    def glow(self, xyxy: npt.NDArray[np.float32], colour: Colour, strength: float) -> None:
        """Tint the ellipse that fills a box."""
        x1, y1, x2, y2 = self._corners(xyxy)
        part = self.image[y1 : y2 + 1, x1 : x2 + 1]
        stain = part.copy()
        middle, radii = ((x2 - x1) // 2, (y2 - y1) // 2), (max(1, (x2 - x1) // 2), max(1, (y2 - y1) // 2))
        cv2.ellipse(stain, middle, radii, 0, 0, 360, colour, -1, cv2.LINE_AA)
        part[:] = cv2.addWeighted(stain, strength, part, 1 - strength, 0).reshape(part.shape)

    def tint(self, classes: Image, colours: Sequence[Colour]) -> None:
        """Tint the pixels of each class from 1 on in its colour; other numbers stay as they are."""
        table = np.zeros((256, 1, 3), np.uint8)
        table[1 : 1 + len(colours), 0] = colours
        tinted = cv2.addWeighted(self.image, 1 - _TINT, cv2.applyColorMap(classes, table), _TINT, 0)
        cv2.copyTo(tinted, cv2.inRange(classes, 1, len(colours)), self.image)

    def outline(self, pixels: npt.NDArray[np.bool_], colour: Colour) -> None:
        """Draw a thin line around the pixels that are set, on a dark one; the edge of the picture is not an outline."""
        rim = 2 * self.line + 2  # what runs along the edge of the picture is drawn outside it
        around = cv2.copyMakeBorder(pixels.view(np.uint8), rim, rim, rim, rim, cv2.BORDER_REPLICATE)
        lines, _ = cv2.findContours(around, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=(-rim, -rim))
        thin = max(1, round(0.75 * self.line))
        if self.line > 1:  # on small pictures two lines hide what they surround
            cv2.polylines(self.image, lines, True, INK, thin + 2, cv2.LINE_AA)
        cv2.polylines(self.image, lines, True, colour, thin, cv2.LINE_AA)

    def legend(self, rows: Sequence[tuple[str, float, Colour]]) -> None:
        """Write names and shares on a dark plate in the upper left corner, each behind a square of its colour.

        Where they would hide the picture the shares stand alone, and on the smallest there is nothing.
        """
        scale = max(self.text, _SMALLEST)
        thick = max(1, round(scale))
        for texts in ([f"{name} {share:.1%}" for name, share, _ in rows], [f"{share:.0%}" for _, share, _ in rows]):
            sizes = [cv2.getTextSize(text, FONT, scale, thick)[0] for text in texts]
            wide, high = (max((size[side] for size in sizes), default=0) for side in (0, 1))
            step, right = round(1.75 * high), wide + high + 4 * self.pad
            down = step * len(rows) + self.pad
            if rows and self.legible and right <= 0.6 * self.width and down <= 0.4 * self.height:
                break
        else:
            return
        self._taken.append((0, 0, right, down))
        plate = self.image[:down, :right]
        plate[:] = cv2.addWeighted(plate, 0.3, np.full_like(plate, INK), 0.7, 0)
        for number, (text, (_, _, colour)) in enumerate(zip(texts, rows, strict=True)):
            base = self.pad // 2 + step * number + (step + high) // 2
            cv2.rectangle(self.image, (self.pad, base - high), (self.pad + high, base), colour, -1)
            place = (2 * self.pad + high, base)
            cv2.putText(self.image, text, place, FONT, scale, PAPER, thick, cv2.LINE_AA)

    def tag(self, texts: tuple[str, ...], xyxy: Floats, colour: Colour, below: bool = False) -> None:
        """Remember a label for a box; `write` finds it a place."""
        x1, y1, x2, y2 = self._corners(xyxy)
        self._tags.append(Tag(texts, (x1, y1, x2 + 1, y2 + 1), colour, below))

    def keep_clear(self, xyxy: Floats) -> None:
        """Let no label hide the face in this box."""
        x1, y1, x2, y2 = self._corners(xyxy)
        self._taken.append(core((x1, y1, x2 + 1, y2 + 1)))

    def write(self) -> None:
        """Write the labels on coloured plates, each where there is room for it."""
        if not self.legible:
            return
        write_tags(self.image, self._tags, self.text, self._taken, self.line if self.line > 1 else 0)

    def bar(self, value: float, text: str, more: str) -> None:
        """Draw a bar along the bottom, filled from the left by `value` (0 to 1), green to red."""
        if not self.legible:
            return
        tall = max(round(1.9 * 22 * self.text), round(self.pad * 5))
        self._taken.append((0, self.height - tall, self.width, self.height))
        strip = self.image[self.height - tall :]
        strip[:] = (strip * 0.25 + np.array(INK, np.float32) * 0.75).astype(np.uint8)
        colour = tuple(round(c + (r - c) * value) for c, r in zip(CALM, REGION, strict=True))
        full = round(self.width * float(np.clip(value, 0, 1)))
        thick = max(2, round(self.pad * 0.8))
        cv2.rectangle(self.image, (0, self.height - thick), (max(0, full - 1), self.height), colour, -1)
        for label in (f"{text}: {more}" if more else text, text):
            (wide, high), _ = cv2.getTextSize(label, FONT, 1.2 * self.text, 1)
            scale = 1.2 * self.text * min(1.0, (self.width - 2 * self.pad) / max(1, wide))
            if scale >= LEAST:
                base = (self.pad, self.height - thick - (tall - thick - round(high * scale / (1.2 * self.text))) // 2)
                cv2.putText(self.image, label, base, FONT, scale, PAPER, max(1, round(scale)), cv2.LINE_AA)
                return


COLUMNS, GAP = 3, 8  # GAP in pixels
GROUND = (245, 245, 245)
STRIP = 24  # pixels of the line of text below a picture
_FONT = cv2.FONT_HERSHEY_DUPLEX


def grid(cells: Sequence[Image], columns: int = COLUMNS) -> Image:
    """Return (H, W, 3) uint8 RGB: the cells row by row, each where a cell as large as the largest has room.

    Raises:
        OutputError: there is no cell.
    """
    if not cells:
        raise OutputError("there is no picture to make a contact sheet of.")
    high, wide = (max(cell.shape[side] for cell in cells) for side in (0, 1))
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    canvas = np.full((rows * (high + GAP) + GAP, columns * (wide + GAP) + GAP, 3), GROUND, np.uint8)
    for n, cell in enumerate(cells):
        top, left = (n // columns) * (high + GAP) + GAP, (n % columns) * (wide + GAP) + GAP
        canvas[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
    return canvas


def fitted(image: Image, side: int) -> Image:
    """Return (side, side, 3) uint8 RGB: the whole picture, as large as fits, in the middle."""
    scale = side / max(image.shape[:2])
    high, wide = (max(1, round(length * scale)) for length in image.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    cell = np.full((side, side, 3), GROUND, np.uint8)
    top, left = (side - high) // 2, (side - wide) // 2
    cell[top : top + high, left : left + wide] = cv2.resize(image, (wide, high), interpolation=method)
    return cell


def captioned(image: Image, text: str) -> Image:
    """Return the picture with a line of text below it, made smaller, and then cut, where it would not fit."""
    wide = image.shape[1]
    strip = np.full((STRIP, wide, 3), GROUND, np.uint8)
    while len(text) > 4 and cv2.getTextSize(text, _FONT, LEAST, 1)[0][0] > wide - 4:
        text = text.removesuffix("...")[:-1] + "..."
    (length, high), _ = cv2.getTextSize(text, _FONT, 0.45, 1)
    scale = 0.45 * min(1.0, (wide - 4) / max(1, length))
    cv2.putText(strip, text, (2, (STRIP + high) // 2), _FONT, scale, INK, 1, cv2.LINE_AA)
    return np.concatenate([image, strip])


def titled(image: Image, text: str) -> Image:
    """Return the picture with a line of text above it, cut where it would not fit."""
    below = captioned(image[:0], text)
    return np.concatenate([below, image])


def beside(images: Sequence[Image]) -> Image:
    """Return pictures of one height side by side, with a gap between them."""
    gap = np.full((images[0].shape[0], GAP // 2, 3), GROUND, np.uint8)
    row = [part for image in images for part in (image, gap)][:-1]
    return np.concatenate(row, axis=1)


def save_picture(path: Path, image: Image) -> None:
    """Write a JPEG.

    Raises:
        OutputError: it cannot be written.
    """
    good, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    if not good:
        raise OutputError(f"'{path}' was not written: the picture cannot be encoded.")
    with AtomicFile(path) as draft:
        draft.write(data.tobytes())
