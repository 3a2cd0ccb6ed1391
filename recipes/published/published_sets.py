"""The sets of the published trainings: each on its published protocol and on an honest split.

It reads the folder of real pictures and writes sets that `detect_format.open_set` reads; it knows no network.
"""

from __future__ import annotations

import csv
import hashlib
import shutil
import tarfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.data.new_folder import new_folder
from handlens.io.atomic import AtomicFile
from recipes.published.hand_sets import spread, write_hands, write_numbers
from recipes.published.touch_sets import write_augmented, write_facetouch, write_three
from recipes.segment.outlines import Outlined, read_outlines
from recipes.shared.source_data import Pooled, read_pool, read_rgb, read_rows
from recipes.signs.build_silhouette_set import SCHEMES, SIDE, Drawn, write

SIGNS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "A", "B", "C", "G", "I", "L", "O", "P", "R", "X", "Y")
"""Twenty of the 44 signs whose outlines differ; chosen by looking at the outlines, before any training."""
OTHERWISE = ("0", "O", "3")
"""Signs that most others show in another way than the video, where 0 is a fist and 3 is without the thumb."""
FILLED = 0.85
"""The share of the frame's side that a hand of the video fills, about."""
FRAMES, SIZE = 400, 400
"""So many labelled frames, with so many pixels on a side, as SNet and the VGG decoder were published."""
HELD_OUT = 0.2
"""The share of the frames that the published splits held out."""
KINDS, QUALITY = {"images": ".jpg", "labels": ".png"}, 85
"""What a packed array becomes, and the quality of its pictures."""
ARRAYS = ("frames", "frames-others")
WORDS = ("background", "hand or face")
HELD = {"holding_nothing": "HoldingNothing", "holding_object": "HoldingObject"}
"""Labels of the crops -> those of the generated pictures, which the backbones learn."""

Parts = NDArray[np.str_]


def set_at(name: str, data: Path, home: Path, small: bool = False) -> Path:
    """Return where the set of that name lies; it is written the first time.

    Args:
        name: a key of `SETS`.
        data: the folder of real pictures.
        home: where sets go, and beside them the cache of the hands that were cut out.
        small: of each set some dozens of pictures, made in seconds; and no set that is made of another one, but that.
    """
    name = "three" if small and name == AUGMENTED else name
    place = home / name
    if place.exists():
        return place
    home.mkdir(parents=True, exist_ok=True)
    if name == AUGMENTED:
        set_at("three", data, home)
        _told(place)
        write_augmented(home, place)
    elif (data / PACKED).exists():
        _unpack(data / name, place)
    else:
        _told(place)
        SETS[name](data, place, *([FEW] if small else []))
    return place


FEW = 40
"""Pictures of a set for a trial of seconds, about."""


def _told(place: Path) -> None:
    print(f"making the set '{place}'", flush=True)


PACKED = "packed-sets.txt"
"""In a folder that holds finished sets for another machine, as `pack` writes them."""
AUGMENTED = "three-augmented"
"""It is made of the set `three` wherever it is needed: it is seven times as large."""


def pack(data: Path, dest: Path) -> None:
    """Write all sets into one .tar that takes little space: frames as pictures, each picture once.

    Args:
        data: the folder of real pictures.
        dest: the file.
    """
    with TemporaryDirectory() as scratch:
        folder, first = Path(scratch) / "packed", dict[bytes, Path]()
        folder.mkdir()
        for name in SETS:
            made = set_at(name, data, Path(scratch))
            if name in ARRAYS:
                _pictures_of(made, folder / name)
            elif made.is_dir():
                shutil.copytree(made, folder / name)
            else:
                shutil.copyfile(made, folder / name)
        (folder / PACKED).write_text("".join(f"{name}\n" for name in SETS), "utf-8")
        with AtomicFile(dest) as draft, tarfile.open(fileobj=draft.file, mode="w:gz") as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    same = first.setdefault(hashlib.sha256(path.read_bytes()).digest(), path)
                    if same != path:
                        path.unlink()
                        path.hardlink_to(same)  # the archive then holds a reference
                    archive.add(path, str(path.relative_to(folder)))


def unpacked(data: Path, home: Path) -> Path:
    """Return the folder of real pictures, or the folder of sets that a packed file becomes below `home`."""
    if data.is_dir():
        return data
    place = home / "packed"
    if not place.exists():
        with new_folder(place) as folder, tarfile.open(data) as archive:
            archive.extractall(folder, filter="data")
    return place


def _unpack(source: Path, dest: Path) -> None:
    if dest.name in ARRAYS:
        _arrays_of(source, dest)
    elif source.is_dir():
        shutil.copytree(source, dest)
    else:
        shutil.copyfile(source, dest)


def _pictures_of(arrays: Path, dest: Path) -> None:
    """Write each array of pictures as JPEGs, and each of masks as PNGs."""
    for part in (folder for folder in arrays.iterdir() if folder.is_dir()):
        for kind, ending in KINDS.items():
            (dest / part.name / kind).mkdir(parents=True, exist_ok=True)
            for number, pixels in enumerate(np.load(part / f"{kind}.npy")):
                plain = pixels[..., ::-1] if pixels.ndim == 3 else pixels
                how = [cv2.IMWRITE_JPEG_QUALITY, QUALITY] if ending == ".jpg" else []
                cv2.imwrite(str(dest / part.name / kind / f"{number:03}{ending}"), plain, how)
    for name in ("names.txt", "groups.csv"):
        shutil.copyfile(arrays / name, dest / name)


def _arrays_of(pictures: Path, dest: Path) -> None:
    """Write the arrays again of what `_pictures_of` wrote."""
    with new_folder(dest) as folder:
        for part in (place for place in pictures.iterdir() if place.is_dir()):
            (folder / part.name).mkdir()
            for kind in KINDS:
                pixels = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in sorted((part / kind).iterdir())]
                array = np.stack([one for one in pixels if one is not None])
                np.save(folder / part.name / f"{kind}.npy", array[..., ::-1] if array.ndim == 4 else array)
        for name in ("names.txt", "groups.csv"):
            shutil.copyfile(pictures / name, folder / name)


def at_random(number: int, shares: Sequence[float], seed: int = 0) -> Parts:
    """Return a part for each of so many frames, as a random split gives them: neighbours in a video are parted.

    Args:
        number: how many frames.
        shares: of val and of test; the others are for train.
        seed: of the draw.
    """
    parts = np.full(number, "train", dtype="<U5")
    order, done = np.random.default_rng(seed).permutation(number), 0
    for name, share in zip(("val", "test"), shares, strict=True):
        size = round(share * number)
        parts[order[done : done + size]] = name
        done += size
    return parts


def by_blocks(groups: NDArray[np.integer], val: Iterable[int], test: Iterable[int]) -> Parts:
    """Return a part for each frame: whole blocks of the video are held out."""
    parts = np.full(len(groups), "train", dtype="<U5")
    parts[np.isin(groups, list(val))] = "val"
    parts[np.isin(groups, list(test))] = "test"
    return parts


def _digits(data: Path, dest: Path, most: int = 0) -> None:
    """Return the six digits of one video; dest tells the split."""
    _video(data / "gestures" / "digits_silhouettes.npz", dest, (), shares=(HELD_OUT, 0.0), val=(8,), test=(9, 10))


def _gestures(data: Path, dest: Path, most: int = 0) -> None:
    """Twenty signs of one hand; dest tells the split."""
    _video(data / "gestures" / "signs44_silhouettes.npz", dest, SIGNS, shares=(0.15, 0.15), val=(9,), test=(10, 11))


def _video(
    source: Path, dest: Path, names: Sequence[str], shares: Sequence[float], val: Iterable[int], test: Iterable[int]
) -> None:
    with np.load(source, allow_pickle=False) as pack:
        known, y, group = pack["names"].tolist(), pack["y"], pack["group"]
        names = names or known
        kept = np.isin(y, [known.index(name) for name in names])
        y = np.array([names.index(known[k]) for k in y[kept]], np.int16)
        split = at_random(len(y), shares) if "random" in dest.stem else by_blocks(group[kept], val, test)
        with AtomicFile(dest) as draft:
            np.savez_compressed(
                draft.file, bits=pack["bits"][kept], width=pack["width"], y=y, names=np.array(names),
                group=group[kept], split=split,
            )  # fmt: skip


def _other_digits(data: Path, dest: Path, most: int = 0) -> None:
    """Hands of other people that show the digits as the video does, cut out of photographs and placed as there."""
    digits = {sign: name for sign, name in SCHEMES["digits"]["pool"].items() if sign not in OTHERWISE}
    pool = [hand for hand in read_pool(data, dest.with_name("pool.npz"), each=_each(most)) if hand.sign in digits]
    write([_drawn(hand, _framed(hand.mask, FILLED), digits[hand.sign]) for hand in pool], dest)


def _other_signs(data: Path, dest: Path, most: int = 0) -> None:
    """Hands of other people that show the twenty signs, cropped to the hand as the frames are."""
    pool = read_pool(data, dest.with_name("pool.npz"), each=_each(most))
    kept = [hand for hand in pool if hand.source in ("asl_photos", "massey_black") and hand.sign in SIGNS]
    write([_drawn(hand, _framed(hand.mask), hand.sign) for hand in kept], dest)


def _each(most: int) -> int:
    """Return how many hands of each source and sign are cut out; 0: all."""
    return 1 if most else 0


def _drawn(hand: Pooled, mask: NDArray[np.uint8], name: str) -> Drawn:
    return Drawn(mask, name, f"{hand.source}/{hand.group}", "test")


def _framed(mask: NDArray[np.uint8], filled: float = 1.0) -> NDArray[np.uint8]:
    """Return the hand on a square, its longer side so large a share of it: in the middle.

    Or with its wrist at the bottom.
    """
    x, y, width, height = cv2.boundingRect(mask)
    side = round(max(width, height) / filled)
    left, top = (side - width) // 2, (side - height) // (2 if filled == 1.0 else 1)
    square = np.zeros((side, side), np.uint8)
    square[top : top + height, left : left + width] = mask[y : y + height, x : x + width]
    return np.asarray(cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _frames(data: Path, dest: Path, most: int = 0) -> None:
    """400 pictures whose hands and faces were outlined by eye, in two arrays for each part of a random split."""
    rows = [row for row in read_outlines("train") if row.sure and row.face]
    rows = [rows[k] for k in sorted(np.random.default_rng(0).permutation(len(rows))[: most or FRAMES].tolist())]
    _write_arrays(data, rows, at_random(len(rows), (HELD_OUT, 0.0)), dest)


def _other_people(data: Path, dest: Path, most: int = 0) -> None:
    """Return the outlined pictures of people who are in none of the 400."""
    rows = read_outlines("val")[: most or None]
    _write_arrays(data, rows, np.full(len(rows), "test"), dest)


def _write_arrays(data: Path, rows: Sequence[Outlined], parts: Parts, dest: Path) -> None:
    """Write images.npy and labels.npy for each part: 0 background, 1 hand or face, 255 not known."""
    with new_folder(dest) as folder:
        groups = []
        for part in dict.fromkeys(parts.tolist()):
            chosen = [row for row, its in zip(rows, parts, strict=True) if its == part]
            images, labels = [], []
            for number, row in enumerate(chosen):
                rgb = read_rgb(data / row.path)
                mask = row.mask((rgb.shape[0], rgb.shape[1]))
                mask[mask == 2] = 1
                images.append(cv2.resize(rgb, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR))
                labels.append(cv2.resize(mask, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST_EXACT))
                groups.append((f"{part}/images.npy/{number}", row.person))
            (folder / part).mkdir()
            np.save(folder / part / "images.npy", np.stack(images))
            np.save(folder / part / "labels.npy", np.stack(labels))
        (folder / "names.txt").write_text("".join(f"{word}\n" for word in WORDS), "utf-8")
        with (folder / "groups.csv").open("w", newline="", encoding="utf-8") as table:
            csv.writer(table).writerows([("file", "group"), *groups])


def _generated(data: Path, dest: Path, most: int = 0) -> None:
    """Return the published generated pictures, 435 and 18, as they are."""
    dest.symlink_to((data / "holding" / "generated").resolve(), target_is_directory=True)


def _held_by_others(data: Path, dest: Path, most: int = 0) -> None:
    """Crops of hands from photographs, those that the data folder holds out."""
    home = data / "holding" / "crops2"
    rows = spread([row for row in read_rows(home / "labels.csv") if row["split"] == "val"], most)
    with new_folder(dest) as folder:
        for row in rows:
            place = folder / "test" / HELD[row["label"]] / Path(row["file"]).name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(home / "images" / row["file"], place)


SETS: dict[str, Callable[..., None]] = {
    "digits-random.npz": _digits,
    "digits-blocks.npz": _digits,
    "digits-others.npz": _other_digits,
    "signs-random.npz": _gestures,
    "signs-blocks.npz": _gestures,
    "signs-others.npz": _other_signs,
    "frames": _frames,
    "frames-others": _other_people,
    "generated": _generated,
    "held-by-others": _held_by_others,
    "facetouch": write_facetouch,
    "three": write_three,
    "hands": write_hands,
    "numbers": write_numbers,
}
"""What writes each set: of the data folder, to a place, with at most so many pictures where a number is given.

"random" is the published split, "blocks" the honest one, "others" are strangers.
"""
