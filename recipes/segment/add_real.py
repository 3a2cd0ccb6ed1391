"""Adds real pictures to the sets of `segment`: `python -m recipes.segment.add_real ...`.

Composites teach what a hand is, but not how webcams and photographers see it. So a trained segmenter marks the people
of `touch/` where it is sure and what is known of them agrees, and all else counts nowhere (noisy student, arXiv
1911.04252); photographs of hands come with the masks they have. It knows no network.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from handlens.data.new_folder import new_folder
from handlens.predictor import Predictor, load
from handlens.runner import Runner
from handlens.types import Detections, Frame
from recipes.segment.auto_label import hand_mask, predicted_maps, seconded, single
from recipes.segment.build_set import FOREARM, HAND, NAMES, OVER, OVER_WITH_ARMS, WITH_ARMS, for_validation
from recipes.segment.outlines import Outlined, read_outlines
from recipes.segment.portraits import FACE, U8, Floats, is_late, outlined, picture_of
from recipes.segment.wrists import landmarks_of, with_forearms
from recipes.shared.source_data import FaceTable, box_list, read_pool, read_rgb, read_rows, with_late

LARGEST = 400
CALM_EVERY = {"touch": 5, "touch4": 2}
"""Of people without a hand near the face, one of so many: what is no hand must be learned as well."""


@dataclass(frozen=True, eq=False)
class Marked:
    """A real picture with its mask; copies: how often it is written."""

    image: U8
    mask: U8
    copies: int = 1


def people(data: Path, runner: Runner, skip: Sequence[Outlined], copies: int = 1) -> Iterator[Marked]:
    """Return the people of the training parts of `touch/` and `touch4/`, marked by a segmenter.

    Args:
        skip: Pictures that were outlined by eye: they are known better, and some people of them measure.
        copies: How often each is written.
    """
    table, touch = FaceTable(data), load("touch")
    files, measuring = {row.path for row in skip}, {row.person for row in skip if row.split != "train"}
    for pack in ("touch", "touch4"):
        rows = [row for row in read_rows(data / pack / "labels.csv") if row["split"] == "train"]
        calm = [row for row in rows if row["label"] == "no_touch"]
        chosen = [row for row in rows if row["label"] != "no_touch"] + calm[:: CALM_EVERY[pack]]
        for row in track(chosen, f"marking {pack}"):
            file = f"{pack}/images/{row['file']}"
            late = is_late(row["person"]) or row["person"] in measuring
            if "clothing-co-parsing" in row["source"] or file in files or late:
                continue
            image = read_rgb(data / file)
            picture = picture_of(table, file, image)
            if not len(picture.faces):
                picture = replace(picture, faces=faces_in(touch, image))
            maps = whole_hands(predicted_maps(runner, image, picture.faces), runner.card.names)
            maps = seconded(maps, touch, image, picture.faces)
            mask = hand_mask(maps, box_list(row["hand_boxes"]), outlined(picture), row["label"])
            yield Marked(image, mask, copies)


def faces_in(touch: Predictor, image: U8) -> Floats:
    """Return the boxes (n, 4) of the faces that the touch model finds: no table knows those of `touch4/`."""
    found = touch.predict(Frame(image)).value
    return np.asarray(found.xyxy[found.of("face")] if isinstance(found, Detections) else np.zeros((0, 4)), np.float32)


def whole_hands(maps: Floats, names: Sequence[str]) -> Floats:
    """Return maps (4, H, W) of the classes of `build_set` without forearms, which count as hand for now."""
    if "forearm" not in names:
        return maps
    return np.stack((maps[0], maps[HAND] + maps[FOREARM], maps[FACE], maps[OVER_WITH_ARMS]))


def hands(data: Path, pool: Path, sources: Sequence[str], every: int) -> Iterator[Marked]:
    """Photographs of hands with the masks of their source, and one of `every` whose hand was cut out by its colour."""
    for row in read_rows(data / "segmentation" / "labels.csv"):
        if row["source"] in sources and not is_late(f"{row['source']}/{row['group']}"):
            mask = cv2.imread(str(data / "segmentation" / "masks" / row["mask"]), cv2.IMREAD_GRAYSCALE)
            image = read_rgb(data / "segmentation" / "images" / row["image"])
            if row["source"] != "hgr1" and int(row["group"]) % 3:
                continue  # white grounds teach little
            yield Marked(image, np.asarray(mask, np.uint8), 6 if row["source"] == "hgr1" else 1)
    for number, hand in enumerate(read_pool(data, pool)):
        chosen = hand.source == "epsrc_composites" or number % every == 0  # these have real grounds
        if chosen and hand.rgb is not None and not for_validation(hand):
            yield Marked(hand.rgb, np.where(hand.mask > 127, HAND, 0).astype(np.uint8))


def drawn(data: Path, rows: Sequence[Outlined], table: FaceTable, copies: int = 1) -> Iterator[Marked]:
    """Pictures that were outlined by eye, with the face that is known to be under the hands.

    What is hidden of a face lies within the hull of its visible parts, or within the outline that a model of faces saw.

    Args:
        copies: How often each is written.
    """
    for row in rows:
        image = read_rgb(data / row.path)
        mask = row.mask((image.shape[0], image.shape[1]))
        face = outlined(picture_of(table, row.path, image)) == FACE
        mask[(mask == HAND) & (row.covered(mask.shape) | face)] = OVER
        yield Marked(image, mask, copies)


def counted(data: Path, runner: Runner) -> Iterator[Marked]:
    """Return the photographs of one hand in clutter, marked by a segmenter: its surest blob is the hand."""
    for row, late in with_late(read_rows(data / "gestures" / "photos" / "labels.csv")):
        if row["source"] == "fingers_cluttered" and not late:
            image = read_rgb(data / "gestures" / "photos" / "images" / row["file"])
            maps = whole_hands(predicted_maps(runner, image, np.zeros((0, 4), np.float32)), runner.card.names)
            mask = single(maps[HAND] + maps[OVER])
            if mask is not None:
                yield Marked(image, mask)


def armed(pictures: Iterator[Marked], hands: Predictor) -> Iterator[Marked]:
    """Return the same pictures with bare forearms as a class of their own, numbered as `WITH_ARMS`."""
    for marked in pictures:
        mask = np.where(marked.mask == OVER, OVER_WITH_ARMS, marked.mask).astype(np.uint8)
        joints = landmarks_of(hands, marked.image)
        yield Marked(marked.image, with_forearms(mask, joints, (HAND, OVER_WITH_ARMS), FOREARM), marked.copies)


def link(source: Path, parts: Sequence[str], folder: Path) -> int:
    """Put the pictures and masks of some parts of a set into the training part, as links; return how many."""
    number = 0
    for part in parts:
        for path in sorted((source / "images" / part).iterdir()):
            mask = (source / "masks" / part / path.name).with_suffix(".png")
            (folder / "images" / "train" / path.name).hardlink_to(path)
            (folder / "masks" / "train" / mask.name).hardlink_to(mask)
            number += 1
    return number


def write(pictures: Iterator[Marked], folder: Path, name: str) -> int:
    """Write pictures and masks of the training part, at most 400 pixels a side; return how many."""
    number = 0
    for marked in pictures:
        scale = min(1.0, LARGEST / max(marked.mask.shape))
        size = (round(marked.mask.shape[1] * scale), round(marked.mask.shape[0] * scale))
        image = cv2.resize(cv2.cvtColor(marked.image, cv2.COLOR_RGB2BGR), size, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(marked.mask, size, interpolation=cv2.INTER_NEAREST_EXACT)
        for _ in range(marked.copies):
            cv2.imwrite(str(folder / "images" / "train" / f"{name}{number:05d}.jpg"), image)
            cv2.imwrite(str(folder / "masks" / "train" / f"{name}{number:05d}.png"), mask)
            number += 1
    return number


def main(arguments: Sequence[str] | None = None) -> None:
    """Mark, gather and write; the part for validation is that of the set of scenes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with segmentation/, touch/ and gestures/")
    parser.add_argument(
        "--pool", type=Path, required=True, help="cache of hands cut out of photographs, made when missing"
    )
    parser.add_argument(
        "--scenes", type=Path, action="append", required=True, help="sets of recipes.segment.build_set, for links"
    )
    parser.add_argument("--staged", type=Path, help="a set of 'handlens data synth'")
    parser.add_argument("--run", help="an .onnx that these sets taught; without it no people are marked")
    parser.add_argument("--copies", type=int, default=1, help="how often each of these people is taken")
    parser.add_argument("--outlines", type=int, default=0, help="how often each that was outlined by eye is taken")
    parser.add_argument("--source", action="append", default=[], help="of segmentation/: hands with masks")
    parser.add_argument("--every", type=int, default=4, help="of the pool: one of so many hands")
    parser.add_argument("--arms", action="store_true", help="bare forearms as a class of their own, by `hands`")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(arguments)
    model = load("hands") if args.arms else None

    def told(pictures: Iterator[Marked]) -> Iterator[Marked]:
        return armed(pictures, model) if model else pictures

    by_eye = read_outlines("train") if args.outlines else []
    with new_folder(args.out) as folder:
        for kind in ("images", "masks"):
            (folder / kind / "train").mkdir(parents=True)
            (folder / kind / "val").symlink_to((args.scenes[0] / kind / "val").resolve())
        (folder / "names.txt").write_text("".join(f"{name}\n" for name in (WITH_ARMS if model else NAMES)), "utf-8")
        print("scenes", sum(link(scenes, ["train"], folder) for scenes in args.scenes))
        if args.staged:
            print("staged", link(args.staged, ["train", "val", "test"], folder))
        print("hands", write(told(hands(args.data, args.pool, args.source, args.every)), folder, "hand"))
        if args.run:
            runner, eyes = load(args.run).runner, read_outlines("train") + read_outlines("val")
            print("people", write(told(people(args.data, runner, eyes, args.copies)), folder, "people"))
            print("counted", write(told(counted(args.data, runner)), folder, "counted"))
        eyed = told(drawn(args.data, by_eye, FaceTable(args.data), args.outlines))
        print("outlined", write(eyed, folder, "outlined"))


if __name__ == "__main__":
    main()
