"""The report of a study: one HTML file without scripts or network, tables as CSV; it is written video by video."""

import base64
import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from handlens import __version__
from handlens.errors import HandlensError
from handlens.io.atomic import AtomicFile, output_error
from handlens.io.reading import Reading
from handlens.io.sources.video import Video
from handlens.study import charts
from handlens.study.database import CodedEvent
from handlens.study.figures import (
    RATE_S,
    PersonFigures,
    persons_of,
    persons_of_scene,
    together,
    warnings_of,
    worth_showing,
)
from handlens.study.formats import tidy
from handlens.study.packing import Layout
from handlens.study.results import Observation, Results, VideoResult
from handlens.types import Image

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#222;margin:0 auto;max-width:960px;padding:24px}
h1{font-size:26px;margin:0}h2{font-size:20px;margin:36px 0 8px;border-top:1px solid #ccc;padding-top:16px}
h3{font-size:15px;margin:16px 0 4px}table{border-collapse:collapse;margin:8px 0;font-size:13px}
th,td{padding:3px 10px;text-align:right;border-bottom:1px solid #e4e4e4}th{font-weight:600}
th:first-child,td:first-child{text-align:left}.note{color:#555;font-size:13px}.narrow{max-width:260px}
.warn{background:#fff4d6;padding:6px 12px;border-left:4px solid #e0a800;margin:6px 0;font-size:13px}
.row{display:flex;gap:24px;flex-wrap:wrap;align-items:flex-start}
.thumbs{display:flex;gap:8px;flex-wrap:wrap}.thumbs figure{margin:0;width:150px;font-size:11px}
.thumbs img{width:150px;display:block;border-radius:3px}figcaption{color:#555}
svg{max-width:100%;height:auto}code{font-size:12px;word-break:break-all}
@media print{h2{break-before:page}}
"""
_THUMB = 300  # pixels wide
_BLURRED = 12  # pixels that are left of the width of a face


def write_report(results: Results, out: str | Path, thumbnails: int = 0, blurred: bool = False) -> Path:
    """Write the report and return its path.

    Args:
        thumbnails: At most so many pictures of events for each person of a video, the surest ones.
        blurred: Make the faces in them unrecognisable.

    Raises:
        OutputError: it cannot be written; nothing is left then.
    """
    path = Path(out)
    rows: list[PersonFigures] = []
    with AtomicFile(path) as draft:
        for text in _pages(results, rows, thumbnails, blurred):
            draft.write(text.encode("utf-8"))
    return path


def _pages(results: Results, rows: list[PersonFigures], thumbnails: int, blurred: bool) -> Iterator[str]:
    title = escape(results.config.name)
    yield (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width"><meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>"
    )
    for video in results.videos:
        if not video.entry.scene:
            rows += worth_showing(persons_of(results, video)[0])[0]
    for scene in results.scenes():
        rows += worth_showing(persons_of_scene(scene))[0]
    yield _summary(results, rows)
    for scene in results.scenes():
        yield _scene(scene)
    for video in results.videos:
        yield _video(results, video, thumbnails, blurred)
    yield _agreement(results)
    yield _provenance(results)
    yield "</body></html>\n"


def _summary(results: Results, rows: Sequence[PersonFigures]) -> str:
    seconds = sum(max(v.row.duration or 0.0, v.analysis.stop) for v in results.videos)
    scenes = sum(1 for _ in results.scenes())
    touches = sum(row.touches for row in rows)
    parts = [
        f'<p class="note">{_count(len(results.videos), "video")}'
        f"{' of ' + _count(scenes, 'scene') if scenes else ''}, {charts.clock(seconds)}, {_count(touches, 'touch')}. "
    ]
    parts.append("Rates and shares refer to the time in which the face was seen.")
    if any(video.entry.scene for video in results.videos):
        parts.append(" A scene counts once: a person is observed while any of its cameras sees the face.")
    parts.append("</p>")
    parts += [f'<p class="warn">{escape(remark)}</p>' for remark in results.remarks()]
    parts.append("<h3>Persons over all videos</h3>" + _table(together(rows)) + charts.legend())
    everything = together([_renamed(row) for row in rows])
    if everything:
        parts.append("<h3>Regions, all persons</h3>" + charts.region_bars(everything[0].regions, 420))
    return "".join(parts)


def _count(number: int, word: str) -> str:
    ending = "" if number == 1 else "es" if word.endswith("ch") else "s"
    return f"{number:,} {word}{ending}"


def _renamed(row: PersonFigures) -> PersonFigures:
    return replace(row, subject="all")


_HEADS = (
    "person",
    "videos",
    "observed",
    "unobserved",
    "touches",
    "per hour",
    "touched",
    "mean",
    "median",
    "left/right side",
    "left/right hand",
)


def _table(rows: Sequence[PersonFigures], alone: bool = False) -> str:
    """Return a table of persons. alone: of one video, which needs not be named."""
    shown = [place for place in range(len(_HEADS)) if not (alone and place == 1)]
    heads = "".join(f"<th>{_HEADS[place]}</th>" for place in shown)
    lines = []
    for row in rows:
        share = "" if row.share is None else f"{row.touched:.1f} s ({row.share:.1%})"
        sides, hands = (
            f"{one.get('left', 0)} / {one.get('right', 0)}" if one else "–" for one in (row.sides, row.hands)
        )
        cells = [row.subject, row.video, charts.clock(row.observed), charts.clock(row.unobserved), str(row.touches)]
        rate = row.per_hour if row.observed >= RATE_S else None  # of a short time it says nothing
        cells += [_one(rate, ""), share, _one(row.mean, " s"), _one(row.median, " s"), sides, hands]
        lines.append("<tr>" + "".join(f"<td>{escape(cells[place])}</td>" for place in shown) + "</tr>")
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _one(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:.1f}{unit}"


def _scene(scene: Observation) -> str:
    """Return what all cameras of a scene saw together; the page of each camera follows."""
    persons, _ = worth_showing(persons_of_scene(scene))
    cameras = ", ".join(f"{film.path.name} ({film.offset:+.3f} s)" for film in scene.media)
    lanes = {one.subject: [event for event in scene.events if event.subject == one.subject] for one in persons}
    return (
        f'<h2>Scene {escape(scene.name)}</h2><p class="note">{escape(cameras)}</p>'
        f"{charts.timeline(lanes, scene.duration)}{_table(persons, alone=True)}"
    )


def _video(results: Results, video: VideoResult, thumbnails: int, blurred: bool) -> str:
    everyone, events = persons_of(results, video)
    persons, passing = worth_showing(everyone)
    duration = max(video.row.duration or 0.0, video.analysis.stop)
    size = f"{video.row.width} x {video.row.height}, {video.row.fps or 0:.2f} frames a second"
    parts = [f"<h2>{escape(video.entry.name)}</h2>"]
    parts.append(f'<p class="note">{escape(video.entry.path)}: {charts.clock(duration)}, {size}</p>')
    parts += [f'<p class="warn">{escape(said)}</p>' for said in warnings_of(video, persons)]
    if passing:
        told = f"{_count(passing, 'face')} seen for less than two seconds without a touch are left out here."
        parts.append(f'<p class="note">{told} The subjects of study.toml say who is who.</p>')
    lanes = {one.subject: [event for event in events if event.subject == one.subject] for one in persons}
    parts.append(charts.timeline(lanes, duration) + _table(persons, alone=True))
    for one in persons:
        parts.append(f"<h3>{escape(one.subject)}</h3><div class='row'><div>{charts.region_bars(one.regions)}</div>")
        if one.person is not None:
            if one.person.heat:
                face = charts.heat(one.person.heat)
                parts.append(f"<div>{face}<div class='note'>where the face is touched</div></div>")
            parts.append(
                f"<div>{charts.histogram(one.person.certainty)}<div class='note narrow'>certainty of each frame"
                f" (heights: square roots); face {one.person.face_side:.0f} pixels</div></div>"
            )
        parts.append("</div>")
        if thumbnails:
            parts.append(_thumbs(results, video, lanes[one.subject], thumbnails, blurred))
    return "".join(parts)


_AGREEMENT = (("kappa", "kappa"), ("alpha", "alpha"), ("precision", "precision"), ("recall", "recall"), ("f1", "F1"))


def _agreement(results: Results) -> str:
    """Return what `study agree` said last, with its settings; "" where it was never asked."""
    text = results.base.noted("agreement")
    if not text:
        return ""
    told = json.loads(text)
    heads = "".join(f"<th>{name}</th>" for name in ("coders", "videos", *(title for _, title in _AGREEMENT)))
    lines = []
    for pair in told["pairs"]:
        cells = [f"{pair['first']} and {pair['second']}", str(pair["videos"])]
        for key, _ in _AGREEMENT:
            one = pair["all"][key]
            span = "" if one["low"] is None else f" ({one['low']:.2f} to {one['high']:.2f})"
            cells.append("–" if one["value"] is None else f"{one['value']:.2f}{span}")
        lines.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    note = (
        f"Bins of {told['bin_s']:g} s; events are the same where their onsets differ by at most"
        f" {told['tolerance_s']:g} s. In brackets: 95 % intervals over persons."
    )
    return (
        f"<h2>Agreement</h2><table><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        f'<p class="note">{note}</p>'
    )


def _provenance(results: Results) -> str:
    """Return with what all numbers were made."""
    parts = ["<h2>How this was made</h2>"]
    runs = {video.run.id: video.run for video in results.videos}
    for run in runs.values():
        digests = ", ".join(f"{escape(name)} <code>{digest}</code>" for name, digest in run.digests.items())
        parts.append(
            f"<p>handlens {escape(run.handlens)}, model {escape(Path(run.model).name)} (SHA-256: {digests}),"
            f" <code>{escape(json.dumps(dict(run.settings)))}</code>, from {escape(run.began)} on.</p>"
        )
    settings = {json.dumps(dict(video.analysis.settings), sort_keys=True) for video in results.videos}
    parts += [f"<p>Events: <code>{escape(one)}</code></p>" for one in sorted(settings)]
    parts.append(f'<p class="note">Report by handlens {escape(__version__)}.</p>')
    return "".join(parts)


def _thumbs(results: Results, video: VideoResult, events: Sequence[CodedEvent], most: int, blurred: bool) -> str:
    chosen = sorted(sorted(events, key=lambda event: -(event.peak or 0.0))[:most], key=lambda event: event.start)
    parts = []
    for event in chosen:
        data = thumbnail(results, video, (event.start + event.stop) / 2, blurred)
        if data is None:
            continue
        told = f"{event.region or 'touch'} {event.side}".strip()
        source = "data:image/jpeg;base64," + base64.b64encode(data).decode()
        caption = f"{charts.clock(event.start)}, {told}, {event.seconds:.1f} s"
        told = escape(caption)
        parts.append(f'<figure><img alt="{told}" src="{source}"><figcaption>{told}</figcaption></figure>')
    return f'<div class="thumbs">{"".join(parts)}</div>' if parts else ""


def thumbnail(results: Results, video: VideoResult, seconds: float, blurred: bool) -> bytes | None:
    """Return a JPEG of a moment of a video, or None where it cannot be read.

    Args:
        blurred: Make unrecognisable the faces that the model saw in the looked-at frames around the moment.
    """
    reading = Reading(start=max(0.0, seconds), rotate=video.entry.rotate)
    try:
        with Video(str(results.config.file_of(video.entry)), reading) as film:
            frame = next(film.frames(lambda error: None), None)
    except HandlensError:
        return None
    if frame is None:
        return None
    image = frame.image.copy()
    if blurred:
        for box in _faces_near(results, video, frame.index):
            _blur(image, box)
    high = max(1, round(image.shape[0] * _THUMB / image.shape[1]))
    small = cv2.resize(image, (_THUMB, high), interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    return bytes(data.tobytes()) if done else None


def _faces_near(results: Results, video: VideoResult, index: int) -> Iterator[tuple[float, float, float, float]]:
    """Yield the boxes of all faces in the looked-at frames just before and after a frame."""
    text = results.base.layout(video.run.id)
    if text is None:
        return
    layout = Layout.from_text(text)
    order = (("frame<=?", "DESC"), ("frame>?", "ASC"))
    for which, way in order:
        for row in results.base.rows(
            f"SELECT value FROM frames WHERE run_id=? AND video_id=? AND {which} ORDER BY frame {way} LIMIT 3",
            (video.run.id, video.row.id, index),
        ):
            found = layout.unpack(row[0])
            for x1, y1, x2, y2 in found.xyxy[found.of("face")]:
                yield float(x1), float(y1), float(x2), float(y2)


def _blur(image: Image, box: tuple[float, float, float, float]) -> None:
    """Replace a face, and a quarter of its box around it, by a few large squares."""
    x1, y1, x2, y2 = box
    wide, high = 0.25 * (x2 - x1), 0.25 * (y2 - y1)
    left, top = int(max(0, x1 - wide)), int(max(0, y1 - high))
    right, bottom = int(min(image.shape[1], x2 + wide)), int(min(image.shape[0], y2 + high))
    if right - left < 2 or bottom - top < 2:
        return
    part = image[top:bottom, left:right]
    rows = max(1, round(_BLURRED * part.shape[0] / part.shape[1]))
    coarse = cv2.resize(part, (_BLURRED, rows), interpolation=cv2.INTER_AREA)
    image[top:bottom, left:right] = cv2.resize(
        np.asarray(coarse), (part.shape[1], part.shape[0]), interpolation=cv2.INTER_NEAREST
    )


def write_tables(results: Results, folder: str | Path) -> list[Path]:
    """Write persons.csv (a row for each person and video), videos.csv and events.csv, and return them.

    Where there are scenes, scenes.csv has a row for each person and scene, with each second and each touch once.

    Raises:
        OutputError: they cannot be written.
    """
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, place) from error
    persons = [one.row() for video in results.videos for one in persons_of(results, video)[0]]
    scenes = [one.row() for scene in results.scenes() for one in persons_of_scene(scene)]
    videos = [_video_row(results, video) for video in results.videos]
    texts = {
        "persons.csv": _csv(persons),
        "videos.csv": _csv(videos),
        "events.csv": tidy.document(list(results.observations())),
    }
    if scenes:
        texts["scenes.csv"] = _csv(scenes)
    files = []
    for name, text in texts.items():
        with AtomicFile(place / name) as draft:
            draft.write(text.encode("utf-8"))
        files.append(place / name)
    return files


def _video_row(results: Results, video: VideoResult) -> dict[str, Any]:
    persons, events = persons_of(results, video)
    return {
        "video": video.entry.name,
        "path": video.entry.path,
        "duration_s": max(video.row.duration or 0.0, video.analysis.stop),
        "fps": video.row.fps,
        "frames_looked_at": video.analysis.frames,
        "observed_s": video.analysis.observed,
        "dark_s": video.analysis.dark,
        "persons": len(persons),
        "touches": len(events),
        "handlens": video.run.handlens,
        "model": Path(video.run.model).name,
        "sha256": next(iter(video.run.digests.values()), ""),
        "warnings": " ".join(warnings_of(video, persons)),
    }


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: f"{value:.3f}" if isinstance(value, float) else value for key, value in row.items()})
    return text.getvalue()
