"""Review of the model's events by a person: which come next, what is said of them, and the person as a second coder.

It knows no server and no page. What a person says is kept for each event; the events that follow from it are those of
a coder of that name, so that they can be compared, exported and used for training.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2

from handlens.errors import HandlensError, InputError, OutputError, unknown
from handlens.io.atomic import AtomicFile, output_error
from handlens.io.reading import Reading
from handlens.io.sources.video import Video
from handlens.study.config import MACHINE
from handlens.study.database import CodedEvent, StretchRow
from handlens.study.packing import Layout
from handlens.study.results import Results, VideoResult
from handlens.study.stretches import draw, is_answer, is_answered, progress
from handlens.tasks.touch import REGIONS
from handlens.types import Detections, Image

VERDICTS = ("right", "wrong", "change", "split")
BLIND = ("wrong", "change")
"""What can be said in a blind review."""
_CHANGES = ("region", "side", "hand", "start", "stop")
ORDERS = ("unsure", "time")
_AROUND_S = 1.0  # of a clip before and behind the event
_CLIP_FRAMES = 60
_CLIP_WIDE = 640
_ORIGIN = "review"


@dataclass(frozen=True)
class Item:
    """What is to be judged: one event of the model, or in a blind review one stretch of a video.

    Attributes:
        event: The event; of a stretch without one it has the times of the stretch, no region, and the number 0.
        id: By which the person names it.
        stretch: In a blind review only.
    """

    event: CodedEvent
    video: VideoResult
    id: int
    stretch: StretchRow | None = None

    @property
    def is_event(self) -> bool:
        """Whether the model saw a touch here."""
        return self.event.id != 0

    @property
    def start(self) -> float:
        """The second from which it is shown."""
        return max(0.0, self.event.start - _AROUND_S) if self.stretch is None else self.stretch.start

    @property
    def stop(self) -> float:
        """The second to which it is shown."""
        return self.event.stop + _AROUND_S if self.stretch is None else self.stretch.stop


class Review:
    """One person goes through the events of the model.

    Args:
        coder: The name of the person.
        order: "unsure", the least certain first, or "time".
        only: The name of a video, for all of them "".
        blind: Do not tell what the model saw. Stretches without an event of the model are shown among the events, all
            in a random order; the person names the region, or that there is no touch.
        stretches: How many of them for each video, in a blind review that begins; left out, as many as events.

    Raises:
        InputError: no name, the name of the model, an unknown order or video, or nothing to review.
    """

    def __init__(
        self,
        results: Results,
        coder: str,
        order: str = "unsure",
        only: str = "",
        blind: bool = False,
        stretches: int | None = None,
    ) -> None:
        if not coder.strip() or coder == MACHINE:
            raise InputError(f"--as needs the name of the person who reviews, and not '{coder}'.")
        if order not in ORDERS:
            raise InputError(unknown("order", order, ORDERS))
        if only and only not in {video.entry.name for video in results.videos}:
            raise InputError(unknown("video", only, [video.entry.name for video in results.videos]))
        self.results, self.coder, self.blind = results, coder, blind
        videos = [video for video in results.videos if only in ("", video.entry.name)]
        if stretches is not None and not blind:
            raise InputError("stretches without an event are shown in a blind review only: add --blind.")
        if blind:
            self.items = [item for video in videos for item in self._blind_items(video, stretches)]
        else:
            self.items = [Item(event, video, event.id) for video in videos for event in results.events(video)]
        if not self.items:
            raise InputError("there is no event to review: the model saw no touch in these videos.")
        if blind:
            random.Random(coder).shuffle(self.items)
        elif order == "unsure":
            self.items.sort(key=lambda item: (item.event.peak or 0.0, item.event.id))

    def _blind_items(self, video: VideoResult, count: int | None) -> list[Item]:
        """Return the stretches of a video; they are drawn when the person sees it for the first time."""
        base, coder = self.results.base, self.coder
        if not base.stretches(coder, video.analysis.id):
            base.put_stretches(coder, video.analysis.id, draw(self.results, video, coder, count))
        events = {event.id: event for event in self.results.events(video)}
        made = []
        for row in base.stretches(coder, video.analysis.id):
            nothing = CodedEvent(video.entry.name, MACHINE, row.subject, "touch", "", row.start, row.stop)
            made.append(Item(events.get(row.event_id or 0, nothing), video, row.id, row))
        return made

    @property
    def done(self) -> dict[int, tuple[str, dict[str, Any]]]:
        """Number of the item -> what the person answered; in a blind review a touch needs its region to be one."""
        return {number: told for number, told in self.told.items() if is_answer(*told)}

    @property
    def told(self) -> dict[int, tuple[str, dict[str, Any]]]:
        """Number of the item -> what the person said of it so far."""
        said = self.results.base.reviews(self.coder)
        judged: dict[int, StretchRow] = {}
        if self.blind:
            for video in {item.video.analysis.id for item in self.items}:
                judged |= {row.id: row for row in self.results.base.stretches(self.coder, video)}
        done = {}
        for item in self.items:
            if item.is_event and item.event.id in said:
                done[item.id] = said[item.event.id]
            elif not item.is_event and judged[item.id].verdict:
                done[item.id] = (judged[item.id].verdict, dict(judged[item.id].change))
        return done

    def state(self, place: int | None = None) -> dict[str, Any]:
        """Return what a page shows of the event at a place, or of the first that nothing was said of.

        In blind mode nothing is told of region, side, hand and certainty, nor whether the model saw an event at all.
        """
        said = self.told
        done = {number for number, told in said.items() if is_answer(*told)}
        if place is None:
            open_ones = (n for n, item in enumerate(self.items) if item.id not in done)
            place = next(open_ones, len(self.items) - 1)
        place = min(max(0, place), len(self.items) - 1)
        item = self.items[place]
        event = item.event
        told: dict[str, Any] = {
            "id": item.id,
            "place": place,
            "total": len(self.items),
            "reviewed": len(done),
            "blind": self.blind,
            "coder": self.coder,
            "video": item.video.entry.name,
            "subject": event.subject,
            "start": item.start if self.blind else event.start,
            "stop": item.stop if self.blind else event.stop,
            "regions": list(REGIONS),
        }
        if item.id in said:
            verdict, change = said[item.id]
            told["verdict"], told["change"] = verdict, change
        if not self.blind:
            told |= {"region": event.region, "side": event.side, "hand": event.hand, "peak": event.peak}
        return told

    def say(self, event_id: int, verdict: str, change: Mapping[str, Any] | None = None) -> None:
        """Keep what the person says of an event.

        Args:
            change: For "change" any of region, side, hand, start, stop, which are added to an earlier change; for
                "split" `at`, in seconds.

        Raises:
            InputError: no such event or verdict, or a change that is not possible.
        """
        item = self._item(event_id)
        if verdict not in VERDICTS:
            raise InputError(unknown("verdict", verdict, VERDICTS))
        if self.blind and verdict not in BLIND:
            raise InputError("in a blind review name the touched region, or say that there is no touch.")
        before, told = self.told.get(item.id, ("", {}))
        kept = _checked(item.event, verdict, {**(told if before == verdict == "change" else {}), **(change or {})})
        if self.blind and verdict == "change":
            kept = {"region": "", "side": "", "hand": "", **kept}  # nothing of what the model saw becomes the person's
        if item.is_event:
            self.results.base.put_review(self.coder, item.event.id, verdict, kept)
        else:
            self.results.base.put_judged(item.id, verdict, kept)
        self._store(item.video)

    def _item(self, number: int) -> Item:
        for item in self.items:
            if item.id == number:
                return item
        raise InputError(f"there is no event {number} in this review.")

    def _store(self, video: VideoResult) -> None:
        """Make the events of the person from what was said."""
        said = self.results.base.reviews(self.coder)
        events = self.results.events(video)
        made = [
            new
            for event in events
            if event.id in said and is_answer(*said[event.id])
            for new in corrected(replace(event, coder=self.coder), *said[event.id])
        ]
        for row in self.results.base.stretches(self.coder, video.analysis.id):
            if row.event_id is None and is_answered(row, said):
                seen = CodedEvent(video.entry.name, self.coder, row.subject, "touch", "", row.start, row.stop)
                made += corrected(seen, row.verdict, row.change)
        made.sort(key=lambda event: (event.start, event.stop))
        reviewed = sum(event.id in said and is_answer(*said[event.id]) for event in events)
        self.results.base.put_coded(video.row.id, self.coder, f"{_ORIGIN} {reviewed} of {len(events)}", made)

    def clip(self, event_id: int) -> list[tuple[float, bytes]]:
        """Return the pictures of an event, with a second before and behind it, as (seconds, JPEG).

        Raises:
            InputError: no such event, or its video cannot be read.
        """
        item = self._item(event_id)
        return pictures(self.results, item.video, item.start, item.stop)


def _checked(event: CodedEvent, verdict: str, change: dict[str, Any]) -> dict[str, Any]:
    known = {"change": _CHANGES, "split": ("at",)}.get(verdict, ())
    for key, value in change.items():
        if key not in known:
            raise InputError(unknown(f"part of '{verdict}'", key, known or ("nothing",)))
        if key in ("start", "stop", "at") and not (isinstance(value, int | float) and math.isfinite(value)):
            raise InputError(f"{key} must be a number of seconds, got {value!r}.")
    if change.get("region", "") not in ("", *REGIONS):
        raise InputError(unknown("region", str(change["region"]), REGIONS))
    for key in ("side", "hand"):
        if change.get(key, "") not in ("", "left", "right"):
            raise InputError(unknown(key, str(change[key]), ("left", "right")))
    start, stop = change.get("start", event.start), change.get("stop", event.stop)
    if not 0 <= start < stop:
        raise InputError(f"an event must start before it stops, got {start:g} to {stop:g} s.")
    if verdict == "change" and not change:
        raise InputError("a change needs a region, a side, a start or a stop.")
    if verdict == "split" and not event.start < change.get("at", -1) < event.stop:
        raise InputError(f"an event is split between its start and its stop ({event.start:g} to {event.stop:g} s).")
    return change


def corrected(event: CodedEvent, verdict: str, change: Mapping[str, Any]) -> list[CodedEvent]:
    """Return what becomes of an event: itself, nothing, a changed one, or two."""
    event = replace(event, peak=None, regions="" if verdict in ("change", "split") else event.regions)
    if verdict == "wrong":
        return []
    if verdict == "split":
        at = float(change["at"])
        return [replace(event, stop=at, stop_frame=None), replace(event, start=at, start_frame=None)]
    if verdict == "change":
        moved: dict[str, Any] = {key: change[key] for key in _CHANGES if key in change}
        moved |= {f"{key}_frame": None for key in ("start", "stop") if key in change}
        return [replace(event, **moved)]
    return [event]


def reviewed_whole(results: Results, video: VideoResult, coder: str) -> bool:
    """Return whether a coder's events of a video are not those of a review that is not finished."""
    done = progress(results, video, coder)
    return done is None or done[0] == done[1]


def pictures(results: Results, video: VideoResult, start: float, stop: float) -> list[tuple[float, bytes]]:
    """Return pictures of a stretch of a video as (seconds, JPEG), at most 60, evenly spread.

    Raises:
        InputError: the video cannot be read.
    """
    step = max(0.1, (stop - start) / _CLIP_FRAMES)
    reading = Reading(start=start, stop=stop, rotate=video.entry.rotate)
    made: list[tuple[float, bytes]] = []
    next_at = start
    with Video(str(results.config.file_of(video.entry)), reading) as film:
        for frame in film.frames(lambda error: None):
            if frame.time < next_at - 1e-6 or len(made) >= _CLIP_FRAMES:
                continue
            next_at += step * max(1, math.floor((frame.time - next_at) / step) + 1)
            data = jpeg(frame.image, _CLIP_WIDE)
            if data is not None:
                made.append((round(frame.time, 3), data))
    return made


def jpeg(image: Image, wide: int = 0) -> bytes | None:
    """Return an RGB image as JPEG, at most `wide` pixels wide where that is not 0."""
    small = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if wide and image.shape[1] > wide:
        small = cv2.resize(small, (wide, max(1, round(image.shape[0] * wide / image.shape[1]))))
    done, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return bytes(data.tobytes()) if done else None


def write_training_set(results: Results, coder: str, folder: str | Path) -> Path:
    """Write what a person reviewed as a labelled set of YOLO's form, and return its data.yaml.

    One picture for each event, from its middle. Where the event is right the boxes of the model stand as they are;
    where its region was changed, the boxes of the region have the new name; where it is wrong, the face has no region.

    Raises:
        InputError: the person reviewed nothing, or the folder is not empty.
        OutputError: it cannot be written.
    """
    place = Path(folder)
    said = results.base.reviews(coder)
    chosen = [
        (video, event, *said[event.id])
        for video in results.videos
        for event in results.events(video)
        if event.id in said and said[event.id][0] != "split"
    ]
    if not chosen:
        raise InputError(
            f"'{coder}' reviewed no event: type handlens study review {results.config.folder} --as {coder}."
        )
    if place.exists() and any(place.iterdir()):
        raise InputError(f"'{folder}' is not empty: give a new folder.")
    names = ("face", "hand", *REGIONS)
    try:
        for part in ("images", "labels"):
            (place / part).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, place) from error
    for video, event, verdict, change in chosen:
        for image, lines in _labelled(results, video, event, verdict, change, names):
            name = f"{_safe(video.entry.name)}-{event.id:06}"
            data = jpeg(image)
            if data is None:
                raise OutputError(f"a picture of '{video.entry.name}' cannot be written as JPEG.")
            for path, content in ((place / "images" / f"{name}.jpg", data), (place / "labels" / f"{name}.txt", lines)):
                with AtomicFile(path) as draft:
                    draft.write(content)
    text = "path: .\ntrain: images\nval: images\nnames:\n" + "".join(f"  {n}: {name}\n" for n, name in enumerate(names))
    with AtomicFile(place / "data.yaml") as draft:
        draft.write(text.encode())
    return place / "data.yaml"


def _labelled(
    results: Results,
    video: VideoResult,
    event: CodedEvent,
    verdict: str,
    change: Mapping[str, Any],
    names: Sequence[str],
) -> Iterator[tuple[Image, bytes]]:
    """Yield the looked-at frame nearest to the middle of an event, with lines of YOLO."""
    middle = (event.start + event.stop) / 2
    found = results.base.rows(
        "SELECT frame, time, value FROM frames WHERE run_id=? AND video_id=? AND time<=? ORDER BY frame DESC LIMIT 1",
        (video.run.id, video.row.id, middle),
    )
    text = results.base.layout(video.run.id)
    if not found or text is None:
        return
    number, seconds, value = found[0]
    boxes = _truth(Layout.from_text(text).unpack(value), event, verdict, change)
    try:
        reading = Reading(start=max(0.0, float(seconds) - 1e-4), rotate=video.entry.rotate)
        with Video(str(results.config.file_of(video.entry)), reading) as film:
            frame = next((one for one in film.frames(lambda error: None) if one.index == number), None)
    except HandlensError as error:
        raise InputError(f"'{video.entry.name}' cannot be read any more: {error}") from error
    if frame is None:
        return
    lines = []
    for name, (x1, y1, x2, y2) in boxes:
        if name in names:
            numbers = ((x1 + x2) / 2 / frame.width, (y1 + y2) / 2 / frame.height)
            sides = ((x2 - x1) / frame.width, (y2 - y1) / frame.height)
            told = (f"{min(1.0, max(0.0, value)):.6f}" for value in (*numbers, *sides))
            lines.append(" ".join([str(names.index(name)), *told]))
    yield frame.image, ("\n".join(lines) + "\n").encode()


def _truth(
    found: Detections, event: CodedEvent, verdict: str, change: Mapping[str, Any]
) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Return the boxes of a frame as the person says that they are."""
    made = []
    for row, name in enumerate(found.label_names):
        if name not in ("face", "hand"):
            if verdict == "wrong" or found.score[row] < 0.5:
                continue
            if verdict == "change" and change.get("region"):
                name = str(change["region"])
        x1, y1, x2, y2 = (float(side) for side in found.xyxy[row])
        made.append((name, (x1, y1, x2, y2)))
    return made


def _safe(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in name)
