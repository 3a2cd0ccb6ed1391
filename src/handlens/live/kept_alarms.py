"""Keeps the picture of an alarm with the person's answer, for a training; only where that was switched on.

The folder is a labelled set in YOLO's format: `handlens train touch --data FOLDER --net contact-net` reads it. It must
not know pages or networks.
"""

import re
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from handlens.errors import InputError, OutputError
from handlens.io.atomic import AtomicFile
from handlens.live.folders import data_dir, made
from handlens.loop import Step
from handlens.tasks.touch import REGIONS
from handlens.types import OWNERS, Detections, Floats, Image

FOLDER = "alarms"
NAMES = (*OWNERS, *REGIONS, "facetouch")
"""The labels of the set: the last one is a touch whose region is not known."""
ROOM = 3.0
"""The side of the kept square in sides of the face: with what the face network sees, and room to move it."""
MOST = 50
"""Alarms of which the picture is held in memory until the person answers."""
_QUALITY = 95
_KINDS = ("images", "labels")
_NAME = re.compile(r"\d{8}-\d{6}-\d+-(right|wrong)")


class KeptAlarms:
    """Holds the picture of each alarm until the person says whether it was right (see handlens.live.desk.Judging).

    Call it with each step of the loop.

    Args:
        is_on: Whether pictures may be held and kept, now.
        folder: Where they are kept; None: "alarms" in the platform's data folder.
        clock: Seconds since 1970, for the names of the files.
    """

    def __init__(
        self,
        is_on: Callable[[], bool],
        folder: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = data_dir() / FOLDER if folder is None else folder
        self._is_on, self._clock = is_on, clock
        self._lock = threading.Lock()
        self._held: OrderedDict[int, tuple[Image, Detections]] = OrderedDict()
        self._count = 0

    def __call__(self, step: Step) -> None:
        """Hold the picture of each event that opened, and return at once."""
        for _ in step.opened:
            self._count += 1
            value = step.result.value
            if isinstance(value, Detections) and self._is_on():
                with self._lock:
                    self._held[self._count] = step.frame.image, value
                    while len(self._held) > MOST:
                        self._held.popitem(last=False)
        if self._held and not self._is_on():
            self.forget()

    def forget(self) -> None:
        """Forget the pictures that wait for an answer."""
        with self._lock:
            self._held.clear()

    def judge(self, number: int, right: bool) -> None:
        """Keep what was seen at event `number` of this session, counted from 1, with the person's answer.

        Raises:
            InputError: that is switched off, or the picture is not held any more.
            OutputError: it cannot be written.
        """
        if not self._is_on():
            raise InputError("no pictures are kept: switch on 'keep wrong alarms for training' first.")
        with self._lock:
            held = self._held.get(number)
        if held is None:
            raise InputError(f"the picture of alarm {number} is not held any more: only the last {MOST} are.")
        self._write(number, *held, right)
        with self._lock:
            self._held.pop(number, None)

    def kept(self) -> tuple[int, str]:
        """Return how many pictures are kept, and where."""
        return len(self._pictures()), str(self.folder)

    def delete(self) -> int:
        """Delete the pictures that were kept with their labels, and return how many there were.

        What else somebody put into the folder stays.

        Raises:
            OutputError: a file cannot be deleted.
        """
        self.forget()
        pictures = self._pictures()
        try:
            for picture in pictures:
                picture.unlink(missing_ok=True)
                label = self.folder / "labels" / picture.parent.name / f"{picture.stem}.txt"
                label.unlink(missing_ok=True)
            if pictures and not any(file.is_file() for kind in _KINDS for file in (self.folder / kind).rglob("*")):
                (self.folder / "data.yaml").unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"the kept pictures cannot be deleted: '{error.filename}': {error.strerror}.") from error
        return len(pictures)

    def _pictures(self) -> list[Path]:
        return sorted(each for each in self.folder.glob("images/*/*.jpg") if _NAME.fullmatch(each.stem))

    def _write(self, number: int, image: Image, value: Detections, right: bool) -> None:
        window = face_window(value, image.shape[1], image.shape[0])
        x1, y1, x2, y2 = window
        lines = label_lines(value, window, right)
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(self._clock()))
        name = f"{stamp}-{number}-{'right' if right else 'wrong'}"
        part = "val" if zlib.crc32(name.encode()) % 5 == 0 else "train"
        for kind in _KINDS:
            for each in ("train", "val"):
                made(self.folder / kind / each)
        encoded, data = cv2.imencode(
            ".jpg", cv2.cvtColor(image[y1:y2, x1:x2], cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        )
        if not encoded:
            raise InputError(f"the picture of alarm {number} cannot be written as a JPEG.")
        described = self.folder / "data.yaml"
        if not described.exists():
            _put(described, "train: images/train\nval: images/val\nnames: [" + ", ".join(NAMES) + "]\n")
        _put(self.folder / "labels" / part / f"{name}.txt", "".join(f"{line}\n" for line in lines))
        with AtomicFile(self.folder / "images" / part / f"{name}.jpg") as draft:  # last: a label alone is no picture
            draft.write(data.tobytes())


def face_window(value: Detections, width: int, height: int) -> tuple[int, int, int, int]:
    """Return x1 y1 x2 y2 of a square of `ROOM` faces around the most touched face, or all where no face is seen."""
    faces = np.flatnonzero(value.of("face"))
    if not len(faces):
        return 0, 0, width, height
    judged = value.face_touch if value.face_touch is not None else value.score
    face = faces[int(np.argmax(np.nan_to_num(judged[faces])))]
    x1, y1, x2, y2 = (float(v) for v in value.xyxy[face])
    half = ROOM * max(x2 - x1, y2 - y1) / 2
    centre = (x1 + x2) / 2, (y1 + y2) / 2
    left, top = max(0, round(centre[0] - half)), max(0, round(centre[1] - half))
    right, bottom = min(width, round(centre[0] + half)), min(height, round(centre[1] + half))
    return (left, top, right, bottom) if right - left >= 8 and bottom - top >= 8 else (0, 0, width, height)


def label_lines(value: Detections, window: tuple[int, int, int, int], right: bool) -> list[str]:
    """Return the lines of YOLO for the boxes in a window: "class x y width height".

    A wrong alarm has faces and hands alone; a right one has the touched regions as the model named them, or one box
    `facetouch` over the face where it named none.
    """
    lines = []
    touched = False
    for name, xyxy in zip(value.label_names, value.xyxy, strict=True):
        is_touch = name not in OWNERS
        if is_touch and not right:
            continue
        line = _line(name if name in NAMES else NAMES[-1], xyxy, window)
        if line:
            lines.append(line)
            touched |= is_touch
    if right and not touched:
        faces = value.xyxy[value.of("face")]
        whole = faces[0] if len(faces) else np.array(window, np.float32)
        lines.append(_line(NAMES[-1], whole, window))
    return [line for line in lines if line]


def _line(name: str, xyxy: Floats, window: tuple[int, int, int, int]) -> str:
    width, height = window[2] - window[0], window[3] - window[1]
    box = np.asarray(xyxy, np.float64) - np.array([window[0], window[1]] * 2)
    x1, y1, x2, y2 = np.clip(box, 0, np.array([width, height] * 2))
    if x2 - x1 < 2 or y2 - y1 < 2:
        return ""
    shares = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
    return f"{NAMES.index(name)} " + " ".join(f"{share:.6f}" for share in shares)


def _put(path: Path, text: str) -> None:
    with AtomicFile(path) as draft:
        draft.write(text.encode("utf-8"))
