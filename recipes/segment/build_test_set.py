"""Real pictures to measure `segment` and `combined` on, by source: `python -m recipes.segment.build_test_set`.

Only what the scripts that build the training sets keep for validation or leave out is taken. It knows no network.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from handlens.data.new_folder import new_folder
from recipes.segment.outlines import Outlined, read_outlines
from recipes.segment.portraits import PERSONS, U8, is_late, picture_of, portrait_marks
from recipes.shared.source_data import FaceTable, read_rgb, read_rows, with_late

NAMES = ("background", "hand", "face")
WHOLE = ("hgr1", "facesynthetics")
"""Sources that training leaves out: all of their pictures measure."""


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture with its mask and the person or picture it stands for."""

    image: U8
    mask: U8
    group: str


def portraits(data: Path, source: str) -> Iterator[Shown]:
    """Portraits of one source of `segmentation/`, marked as training marks them."""
    table = FaceTable(data)
    for row in _rows(data, source):
        group = f"{source}/{row['group']}" if source == "lfw_hair" else f"{source}/{row['image']}"
        if source in WHOLE or is_late(group):
            file = f"segmentation/images/{row['image']}"
            rgb = read_rgb(data / file)
            yield Shown(rgb, portrait_marks(_mask(data, row), picture_of(table, file, rgb), source), group)


def hands(data: Path, source: str) -> Iterator[Shown]:
    """Pictures of hands of one source of `segmentation/`."""
    for number, row in enumerate(_rows(data, source)):
        group = f"{source}/{row['group']}"
        if source in WHOLE or is_late(group):
            rgb = read_rgb(data / "segmentation" / "images" / row["image"])
            yield Shown(rgb, _mask(data, row), f"{source}/{number}" if source in WHOLE else group)


def outlined(data: Path, rows: Sequence[Outlined]) -> Iterator[Shown]:
    """Pictures whose hands and faces were outlined by eye."""
    for row in rows:
        rgb = read_rgb(data / row.path)
        yield Shown(rgb, row.mask((rgb.shape[0], rgb.shape[1])), row.person)


def numbers(data: Path, source: str, dest: Path) -> int:
    """Write colour photographs of the finger numbers 0 to 5, of the last people of a source, as class folders."""
    count, rows = 0, []
    with new_folder(dest) as folder:
        for row, late in with_late(read_rows(data / "gestures" / "photos" / "labels.csv")):
            last = row["group"] == PERSONS[source] if source in PERSONS else late
            if row["source"] != source or row["label"] not in "012345" or not last:
                continue
            file = Path("val") / row["label"] / Path(row["file"]).name
            (folder / file.parent).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(data / "gestures" / "photos" / "images" / row["file"], folder / file)
            # Neighbours in the order of a source are of one person, or of one moment.
            rows.append((file.as_posix(), f"{row['group']}/{row['label']}/{count // 10}"))
            count += 1
        with (folder / "groups.csv").open("w", newline="", encoding="utf-8") as table:
            csv.writer(table).writerows([("file", "group"), *rows])
    return count


def _rows(data: Path, source: str) -> list[dict[str, str]]:
    return [row for row in read_rows(data / "segmentation" / "labels.csv") if row["source"] == source]


def _mask(data: Path, row: dict[str, str]) -> U8:
    mask = cv2.imread(str(data / "segmentation" / "masks" / row["mask"]), cv2.IMREAD_GRAYSCALE)
    return np.asarray(mask, np.uint8)


def write(pictures: Iterator[Shown], dest: Path) -> int:
    """Write a set of pictures and index masks with its groups; return how many there are."""
    rows = []
    with new_folder(dest) as folder:
        for kind in ("images", "masks"):
            (folder / kind / "val").mkdir(parents=True)
        (folder / "names.txt").write_text("".join(f"{name}\n" for name in NAMES), "utf-8")
        for number, shown in enumerate(pictures):
            file = f"val/{number:04d}.png"
            cv2.imwrite(str(folder / "images" / file), cv2.cvtColor(shown.image, cv2.COLOR_RGB2BGR))
            cv2.imwrite(str(folder / "masks" / file), shown.mask)
            rows.append((f"images/{file}", shown.group))
        with (folder / "groups.csv").open("w", newline="", encoding="utf-8") as table:
            csv.writer(table).writerows([("file", "group"), *rows])
    return len(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write every source that is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with segmentation/ and touch/")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(arguments)
    for source in ("hgr1", "hands_white"):
        print(source, write(hands(args.data, source), args.out / source))
    for source in ("facesynthetics", "fasseg", "sfa_skin", "lfw_hair"):
        print(source, write(portraits(args.data, source), args.out / source))
    for source in ("sign_digits", "asl_photos", "fingers_cluttered", "epsrc_composites", "massey_black"):
        print(source, numbers(args.data, source, args.out / f"digits_{source}"))
    by_eye = read_outlines("val")
    print("outlined", write(outlined(args.data, by_eye), args.out / "outlined"))
    print("of them sure", write(outlined(args.data, [row for row in by_eye if row.sure]), args.out / "outlined_sure"))


if __name__ == "__main__":
    main()
