"""Adds real pictures to the sets of `segment`: `python -m recipes.segment.add_real ...`.

Composites teach what a hand is, but not how webcams and photographers see it. So a trained segmenter marks the people
of `touch/` where it is sure and what is known of them agrees, and all else counts nowhere (noisy student, arXiv
1911.04252); photographs of hands come with the masks they have. It knows no network.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from handlens.data.new_folder import new_folder
from handlens.predictor import Predictor, load
from handlens.runner import Runner
from recipes.segment.auto_label import hand_mask, predicted_maps, seconded, single
from recipes.segment.build_set import FOREARM, HAND, NAMES, OVER, OVER_WITH_ARMS, WITH_ARMS, for_validation
from recipes.segment.outlines import Outlined, read_outlines
from recipes.segment.portraits import FACE, U8, is_late, outlined, picture_of
from recipes.segment.wrists import landmarks_of, with_forearms
from recipes.shared.source_data import FaceTable, box_list, read_pool, read_rgb, read_rows, with_late

LARGEST = 400


@dataclass(frozen=True, eq=False)
class Marked:
    """A real picture with its mask; copies: how often it is written."""

    image: U8
    mask: U8
    copies: int = 1


def people(data: Path, runner: Runner, skip: Sequence[str], copies: int = 1) -> Iterator[Marked]:
    """Return the people of the training part of `touch/`, marked by a segmenter of the four classes of `build_set`.

    Args:
        skip: Files that are known better.
        copies: How often each is written.
    """
    table, touch = FaceTable(data), load("touch")
    rows = read_rows(data / "touch" / "labels.csv")
    for row in track([r for r in rows if r["split"] == "train"], "marking people"):
        if "clothing-co-parsing" in row["source"] or row["file"] in skip or is_late(row["person"]):
            continue
        file = f"touch/images/{row['file']}"
        image = read_rgb(data / file)
        picture = picture_of(table, file, image)
        maps = seconded(predicted_maps(runner, image, picture.faces), touch, image, picture.faces)
        mask = hand_mask(maps, box_list(row["hand_boxes"]), outlined(picture), row["label"])
        yield Marked(image, mask, copies)


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
            maps = predicted_maps(runner, image, np.zeros((0, 4), np.float32))
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
            runner = load(args.run).runner
            print(
                "people", write(people(args.data, runner, [row.file for row in by_eye], args.copies), folder, "people")
            )
            print("counted", write(counted(args.data, runner), folder, "counted"))
        eyed = told(drawn(args.data, by_eye, FaceTable(args.data), args.outlines))
        print("outlined", write(eyed, folder, "outlined"))


if __name__ == "__main__":
    main()
