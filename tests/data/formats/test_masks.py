"""Sets to segment and sets in packs: pictures with masks, arrays of pictures, silhouettes."""

import pickle
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import quadrants, save_picture

from handlens.data.formats.detect_format import open_set
from handlens.data.formats.masks import read_classes, read_masks
from handlens.data.formats.npy import read_pair
from handlens.data.formats.silhouettes import read_silhouettes
from handlens.data.problems import Problem
from handlens.errors import FrameError, InputError

INDEX = np.zeros((48, 64), np.uint8)
INDEX[:24, :32], INDEX[24:, 32:], INDEX[0, 0] = 1, 2, 255


def put(root: Path, name: str, mask: np.ndarray | None = INDEX, ending: str = ".png", split: str = "") -> Path:
    """Save a picture in images/ and its mask in masks/; return the mask's path."""
    for folder in ("images", "masks"):
        (root / folder / split).mkdir(parents=True, exist_ok=True)
    save_picture(root / "images" / split / f"{name}.jpg")
    path = root / "masks" / split / f"{name}{ending}"
    return path if mask is None else save_picture(path, mask)


def test_index_masks_with_splits_groups_and_default_names(tmp_path):
    put(tmp_path, "a", split="train")
    put(tmp_path, "b ü", split="val")
    (tmp_path / "groups.csv").write_text("file,group\nimages/train/a.jpg,anna\n")
    found = open_set(tmp_path)
    assert (found.kind, found.names) == ("segment", ("background", "hand", "face"))
    assert [(p.name, p.split, p.group, p.width, p.height) for p in found] == [
        ("a", "train", "anna", 64, 48), ("b ü", "val", "", 64, 48)
    ]  # fmt: skip
    np.testing.assert_array_equal(found.pictures[0].mask(), INDEX)
    truth = found.sample(pickle.loads(pickle.dumps(found.pictures[1]))).truth
    np.testing.assert_array_equal(truth.classes, INDEX)


@pytest.mark.parametrize("ending", [".png", "_mask.png", ".bmp", ".jpg"])
def test_black_and_white_masks_are_background_and_hand(tmp_path, ending):
    white = np.where(INDEX == 1, 255, 0).astype(np.uint8)
    put(tmp_path, "a", white, ending)
    put(tmp_path, "empty", white * 0, ending)
    found = read_masks(tmp_path)
    assert found.names == ("background", "hand")
    wrong = found.pictures[0].mask() != (white > 0)
    assert wrong.mean() < (0.02 if ending == ".jpg" else 1e-9)
    assert found.pictures[1].mask().max() == 0


def test_names_come_from_a_file(tmp_path):
    put(tmp_path, "a")
    (tmp_path / "names.txt").write_text("back\nleft\nright\n")
    assert read_masks(tmp_path).names == ("back", "left", "right")
    (tmp_path / "names.txt").write_text("back\nleft\n")
    with pytest.raises(InputError, match=r"have the values 0, 1, 2, 255 \(2 in '.*png'\); allowed are classes 0 to 1"):
        read_masks(tmp_path)


def test_a_palette_gives_its_numbers_and_not_its_colours(tmp_path):
    """Programs that draw masks save them as PNG of colours with a palette; the numbers are the classes."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = np.minimum(INDEX, 2)
    palette = bytes([0, 0, 0, 200, 10, 10, 10, 200, 10])
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 48, 8, 3, 0, 0, 0))
    data += chunk(b"PLTE", palette) + chunk(b"tRNS", b"\0")
    data += chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))) + chunk(b"IEND", b"")
    put(tmp_path, "a", None).write_bytes(data)
    np.testing.assert_array_equal(read_masks(tmp_path).pictures[0].mask(), rows)


def test_a_table_pairs_pictures_and_masks(tmp_path):
    put(tmp_path, "a", split="web")
    put(tmp_path, "b", split="web")
    (tmp_path / "labels.csv").write_text(
        "image,mask,source,group\nweb/a.jpg,web/a.png,web,3\nweb/b.jpg,,web,\nweb/b.jpg,web/b.png,,\n"
    )
    found = open_set(tmp_path)
    assert [(p.name, p.group) for p in found] == [("a", "web/3"), ("b", "")]


def test_what_is_wrong_with_masks(tmp_path):
    for name in "abcdef":
        put(tmp_path, name)
    (tmp_path / "masks/b.png").unlink()
    with pytest.raises(InputError, match=r"b\.jpg' has no mask: there is no '.*masks.*b\.png'"):
        read_masks(tmp_path)
    put(tmp_path, "b")
    put(tmp_path, "c", INDEX[:24])
    put(tmp_path, "d", quadrants())
    (tmp_path / "masks/e.png").write_bytes(b"no picture")
    (tmp_path / "images/f.jpg").write_bytes(b"no picture")
    problems: list[Problem] = []
    found = read_masks(tmp_path, problems.append)
    assert [p.name for p in found] == ["a", "b"]
    assert [(problem.kind, problem.path.name) for problem in problems] == [
        ("wrong size", "c.png"), ("wrong class", "d.png"), ("unreadable", "e.png"), ("unreadable", "f.jpg")
    ]  # fmt: skip
    values = found.pictures[0].mask.args[1]
    with pytest.raises(InputError, match="is coloured"):
        read_classes(tmp_path / "masks/d.png", values)
    with pytest.raises(FrameError, match="damaged or no picture"):
        read_classes(tmp_path / "masks/e.png", values)
    with pytest.raises(InputError, match="has the value 9, which is not a class; allowed: 0 to 2"):
        read_classes(put(tmp_path, "g", np.full((48, 64), 9, np.uint8)), values)


def save_pair(root: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    np.save(root / "images.npy", images)
    np.save(root / "labels.npy", labels)
    return root


@pytest.mark.parametrize(
    ("images", "labels"),
    [("uint8", "float01"), ("float01", "uint8 255"), ("float255", "bool"), ("uint8", "channel")],
)
def test_a_pair_of_arrays_with_masks(tmp_path, images, labels):
    picture, hand = quadrants(), INDEX == 1
    packs = {"uint8": picture, "float01": picture.astype(np.float32) / 255, "float255": picture.astype(np.float64)}
    masks = {"float01": hand.astype(np.float64), "uint8 255": np.uint8(hand) * np.uint8(255), "bool": hand,
             "channel": hand.astype(np.uint8)[..., None]}  # fmt: skip
    save_pair(tmp_path, np.stack([packs[images]] * 3), np.stack([masks[labels]] * 3))
    (tmp_path / "groups.csv").write_text("file,group\nimages.npy/1,anna\n")
    found = open_set(tmp_path)
    assert (found.kind, found.names, len(found)) == ("segment", ("background", "hand"), 3)
    assert [p.group for p in found] == ["", "anna", ""]
    sample = found.sample(pickle.loads(pickle.dumps(found.pictures[2])))
    np.testing.assert_array_equal(sample.frame.image, picture)
    np.testing.assert_array_equal(sample.truth.classes, hand)


def test_a_pair_of_arrays_with_classes_and_splits(tmp_path):
    save_pair(tmp_path / "train", np.zeros((4, 8, 9), np.uint8), np.array([0, 2, 1, 2]))
    save_pair(tmp_path / "val", np.zeros((2, 8, 9), np.uint8), np.eye(3)[[1, 0]])
    found = open_set(tmp_path)
    assert (found.kind, found.names, found.splits) == ("classify", ("0", "1", "2"), ("train", "val"))
    assert [int(p.labels[0]) for p in found] == [0, 2, 1, 2, 1, 0]
    assert found.pictures[0].image().shape == (8, 9, 3)
    (tmp_path / "names.txt").write_text("zero\none\n")
    with pytest.raises(InputError, match="has the label 2 at 1; allowed: 0 to 1"):
        read_pair(tmp_path)
    problems: list[Problem] = []
    assert len(read_pair(tmp_path, problems.append)) == 4
    assert [problem.kind for problem in problems] == ["wrong class"] * 2


@pytest.mark.slow
def test_a_large_pack_is_never_loaded_whole(tmp_path):
    np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, (400, 400, 400, 3)).flush()  # 192 MB, sparse
    np.lib.format.open_memmap(tmp_path / "labels.npy", "w+", np.uint8, (400, 400, 400)).flush()
    tracemalloc.start()
    found = open_set(tmp_path)
    found.sample(found.pictures[399])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (np.zeros((2, 8, 9, 2)), np.zeros((2, 8, 9)), "must be"),
        (np.zeros((2, 8, 9, 3)), np.zeros((3, 8, 9)), "has 2 pictures, but .* has 3 labels"),
        (np.zeros((2, 8, 9, 3)), np.zeros((2, 4, 9)), r"masks for these pictures must be \(2, 8, 9\)"),
        (np.zeros((2, 8, 9, 3)), np.array(["a", "b"]), "holds no numbers"),
        (np.zeros((2, 8, 9, 3)), np.array([0.5, 1]), "not whole numbers"),
        (np.zeros((2, 8, 9, 3)), np.array([0, 70_000]), "are these classes"),
        (np.zeros((0, 8, 9, 3)), np.zeros(0), "holds no numbers"),
    ],
)
def test_wrong_arrays_are_one_sentence(tmp_path, images, labels, said):
    save_pair(tmp_path, images, labels)
    with pytest.raises(InputError, match=said):
        open_set(tmp_path)


def test_damaged_arrays_are_one_sentence(tmp_path):
    save_pair(tmp_path, np.zeros((2, 8, 9, 3)), np.zeros((2, 8, 9)))
    whole = (tmp_path / "images.npy").read_bytes()
    for data in (b"", b"rubbish", whole[:200]):
        (tmp_path / "images.npy").write_bytes(data)
        with pytest.raises(InputError, match=r"images\.npy' is no \.npy file"):
            open_set(tmp_path)


def test_silhouettes(tmp_path):
    shapes = np.random.default_rng(2).integers(0, 2, (5, 13, 11)).astype(np.uint8)
    arrays = {"bits": np.packbits(shapes, axis=-1), "width": np.int32(11), "y": np.array([0, 1, 1, 0, 1], np.int16),
              "names": np.array(["fist", "palm"]), "group": np.array([7, 7, 8, 8, 9])}  # fmt: skip
    path = tmp_path / "set.npz"
    np.savez(path, **arrays)
    found = open_set(path)
    assert (found.kind, found.names) == ("classify", ("fist", "palm"))
    assert [(int(p.labels[0]), p.group) for p in found] == [(0, "7"), (1, "7"), (1, "8"), (0, "8"), (1, "9")]
    image = pickle.loads(pickle.dumps(found.pictures[3])).image()
    np.testing.assert_array_equal(image, np.repeat(shapes[3][..., None] * 255, 3, axis=2))
    assert cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).max() == 255

    np.savez(path, **{**arrays, "y": np.array([0, 1, 2, 0, 1])})
    with pytest.raises(InputError, match="has the label 2 at 2; allowed: 0 to 1"):
        read_silhouettes(path)
    problems: list[Problem] = []
    assert len(read_silhouettes(path, problems.append)) == 4
    del arrays["y"]
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="has no array 'y'"):
        read_silhouettes(path)
    np.savez(path, bits=shapes, y=shapes, names=["a"])
    with pytest.raises(InputError, match="expected bits"):
        read_silhouettes(path)
    for data in (b"", b"PK\3\4 rubbish"):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"is no \.npz file"):
            open_set(path)


def test_real_sets_open(shared):
    lists = open_set(shared / "data/holding/generated")
    assert (lists.names, lists.splits, len(lists)) == (("HoldingNothing", "HoldingObject"), ("train", "test"), 453)
    shapes = open_set(shared / "data/gestures/digits_silhouettes.npz")
    assert (shapes.names, len(shapes)) == (tuple("012345"), 12006)
