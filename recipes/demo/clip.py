"""Renders the clip that ships with the package, and the truth beside it; run it as a script to make both again.

It must not know about networks: the truth comes from the geometry alone. Nobody's picture is in it.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np

import handlens
from handlens.synth.backdrop import backdrop
from handlens.synth.camera_stage import Stage
from handlens.synth.face_features import Face
from handlens.synth.hand_on_face import CLOSE, Placed, Skin, distance, regions_met, touched_rows
from handlens.synth.head_model import Bust, build_bust
from handlens.synth.points import Camera
from handlens.synth.rasterize import U8, unit
from handlens.synth.scene import compose
from handlens.synth.shading import Light
from handlens.tasks.touch import REGIONS
from recipes.demo.motion import LOOK, PERSON, face_at, hand_at, head_at, keys

FPS, SECONDS, SIZE = 25, 14.0, (480, 640)

LIGHT = Light(
    key=unit([-0.45, 0.55, 0.75]),
    key_rgb=np.array([0.86, 0.82, 0.77], np.float32),
    fill=unit([0.8, 0.0, 0.5]),
    fill_rgb=np.array([0.14, 0.15, 0.18], np.float32),
    sky_rgb=np.array([0.36, 0.37, 0.39], np.float32),
    ground_rgb=np.array([0.22, 0.20, 0.19], np.float32),
)


def stage_at(t: float, stage: Stage, busts: dict[Face, Bust]) -> Stage:
    """Return the person at a time; `busts` remembers the faces."""
    face = face_at(t)
    if face not in busts:
        busts[face] = build_bust(PERSON, face, 1.0, stage.bust)
    head, lean = head_at(t)
    return replace(stage, bust=busts[face], head=head, lean=lean)


def first_stage() -> Stage:
    """Return the person at a desk before a shelf."""
    rng = np.random.default_rng(23)
    scale = 0.37 * SIZE[0] / 186.0
    camera = Camera(scale, 1100.0, (0.5 * SIZE[1], 0.36 * SIZE[0]))
    ground = backdrop(rng, SIZE)
    return Stage(
        PERSON,
        build_bust(PERSON, Face(smile=0.2)),
        np.eye(3, dtype=np.float32),
        np.zeros(3, np.float32),
        camera,
        SIZE,
        LIGHT,
        ground,
    )


def contact_at(placed: Placed, skin: Skin) -> tuple[float, tuple[int, ...]]:
    """Distance in mm and the regions that are touched, as numbers."""
    gap = distance(placed.points, skin)
    if gap > CLOSE:
        return gap, ()
    return gap, regions_met(skin, touched_rows(placed.points, skin))


def frames(every: int = 1) -> Iterator[tuple[int, U8, float, tuple[int, ...]]]:
    """Frame number, picture, distance in mm and touched regions."""
    stage, busts = first_stage(), dict[Face, Bust]()
    plan = keys(stage.skin, stage.bust)
    rng = np.random.default_rng(3)
    for n in range(0, round(FPS * SECONDS), every):
        now = stage_at(n / FPS, stage, busts)
        placed = hand_at(plan, n / FPS)
        gap, regions = contact_at(placed, now.skin)
        image = compose(now, [(placed, LOOK)])[0]
        noisy = image + rng.normal(0, 1.6, image.shape)
        yield n, np.clip(noisy + 0.5, 0, 255).astype(np.uint8), gap, regions


def touches(seen: list[tuple[int, float, tuple[int, ...]]]) -> list[dict[str, object]]:
    """Intervals of touch from (frame, distance, regions)."""
    out: list[dict[str, object]] = []
    run: list[tuple[int, float, tuple[int, ...]]] = []
    for row in [*seen, (seen[-1][0] + 1, 1e3, ())]:
        if row[1] <= CLOSE:
            run.append(row)
            continue
        if run:
            count = np.bincount([r for _, _, met in run for r in met], minlength=8)
            names = [REGIONS[r - 1] for r in np.argsort(-count, kind="stable") if r and count[r] >= 0.4 * len(run)]
            first, last = run[0][0], run[-1][0]
            interval = {"start": first / FPS, "stop": (last + 1) / FPS, "start_frame": first, "stop_frame": last}
            out.append({**interval, "regions": names})
        run = []
    return out


def write_clip(folder: Path) -> None:
    """Write demo.mp4 and demo.json into a folder, each under another name first."""
    folder.mkdir(parents=True, exist_ok=True)
    movie, truth = folder / "demo.part.mp4", folder / "demo.part.json"
    seen = []
    with av.open(str(movie), "w", options={"movflags": "faststart"}) as box:
        h264 = "libx264" in av.codecs_available
        stream = box.add_stream("libx264", rate=FPS) if h264 else box.add_stream("mpeg4", rate=FPS)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"crf": "20", "preset": "slow"} if h264 else {"b": "800k"}
        for n, image, gap, regions in frames():
            box.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            seen.append((n, gap, regions))
        box.mux(stream.encode())
    about = "Rendered by recipes.demo.clip; nobody's picture. Touch: skin within 2 mm of the face."
    facts = {
        "about": about,
        "fps": FPS,
        "frames": len(seen),
        "width": SIZE[1],
        "height": SIZE[0],
        "touches": touches(seen),
    }
    truth.write_text(json.dumps({**facts, "distance_mm": [round(min(gap, 999.0), 1) for _, gap, _ in seen]}) + "\n")
    os.replace(movie, folder / "demo.mp4")
    os.replace(truth, folder / "demo.json")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the clip and its truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(handlens.__file__).parent / "media")
    write_clip(parser.parse_args(arguments).out)


if __name__ == "__main__":
    main()
