"""COCO, VOC and Label Studio files in other spellings, sizes before an EXIF turn, and sets as Roboflow exports them."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_sets import masked_set, save, view, yolo_picture

from handlens.cli import run
from handlens.data.dataset import Labelled
from handlens.data.formats.coco import read_coco
from handlens.data.formats.detect_format import open_set
from handlens.data.formats.labelstudio import read_labelstudio
from handlens.data.formats.masks import read_masks
from handlens.data.formats.voc import read_voc
from handlens.data.formats.yolo import read_yolo
from handlens.data.pictures import picture_size
from handlens.data.problems import IGNORED, NO_PICTURE, TURNED, WRONG_SIZE, Problem
from handlens.errors import InputError
from handlens.io.pictures.read import read_picture

BOX = [10, 20, 30, 60]  # of 96 x 80


def exif(orientation: int) -> bytes:
    return b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0" + bytes([orientation]) + b"\0\0\0\0\0\0"


def turned(path: Path, orientation: int) -> Path:
    """A JPEG that is stored with 96 x 80 pixels and shown as its EXIF orientation says."""
    save(path, view(1))
    data, block = path.read_bytes(), b"Exif\0\0" + exif(orientation)
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + data[2:])
    return path


def coco(root: Path, image=None, thing=None, categories: list | None = None, pictures: bool = True) -> Path:
    """A COCO set of one picture and one box; entries can be replaced."""
    if pictures:
        save(root / "a.jpg", view(1))
    table = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 96, "height": 80, **(image or {})}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 7, "bbox": [10, 20, 20, 40], "iscrowd": 0, **(thing or {})}
        ],
        "categories": categories or [{"id": 0, "name": "face"}, {"id": 7, "name": "hand"}],
    }
    (root / "train.json").write_text(json.dumps(table))
    return root


def only(pictures) -> Labelled:
    (picture,) = pictures
    return picture


@pytest.mark.parametrize(
    ("image", "thing", "categories"),
    [
        ({}, {"image_id": 1.0, "category_id": 7.0}, None),
        ({"id": "1"}, {"image_id": 1, "category_id": "7"}, None),
        ({"id": 1.0}, {"image_id": "1.0"}, [{"id": "0", "name": "face"}, {"id": "7", "name": "hand"}]),
        ({"id": "im 1"}, {"image_id": "im 1 "}, None),
        ({}, {"bbox": ["10", "20", "20", "40.0"]}, None),
        ({}, {"iscrowd": "0"}, None),
        ({}, {"iscrowd": False}, None),
        ({"width": "96", "height": 80.0}, {}, None),
        ({"file_name": "C:\\data\\train\\a.jpg"}, {}, None),
        ({"file_name": "./old/place/a.jpg"}, {}, None),
    ],
)
def test_coco_numbers_count_in_every_spelling(tmp_path, image, thing, categories):
    told: list[Problem] = []
    found = read_coco(coco(tmp_path, image, thing, categories), told.append)
    assert (found.names, told) == (("face", "hand"), [])
    assert only(found).labels.tolist() == [1]
    np.testing.assert_allclose(only(found).boxes, [BOX])


@pytest.mark.parametrize(
    ("image", "thing", "categories", "why"),
    [
        ({}, {"image_id": 1.5}, None, "annotations[0]: 'image_id' is 1.5, but must be a whole number or a text"),
        ({}, {"image_id": None}, None, "annotations[0] has no 'image_id'"),
        ({}, {"image_id": True}, None, "'image_id' is True"),
        ({}, {"image_id": 3}, None, "there is no image with the id 3"),
        ({}, {"bbox": ["a", 1, 2, 3]}, None, "'bbox' must be four numbers"),
        ({}, {"bbox": [30, 20, -20, 40]}, None, "would reach from x = 30 to 10"),
        ({}, {}, [{"id": 7, "name": "face"}, {"id": "7", "name": "hand"}], "the id 7 is that of 'face' and of 'hand'"),
        ({"width": 80, "height": 96}, {}, None, "is 96 x 80 pixels large, but its labels are for 80 x 96"),
    ],
)
def test_what_is_wrong_with_the_only_coco_entry_is_said(tmp_path, capsys, image, thing, categories, why):
    root = coco(tmp_path / "set", image, thing, categories)
    assert run(["data", "check", str(root)]) == 2
    said = capsys.readouterr()
    assert why in " ".join((said.out + said.err).split())


VOC = (
    "<annotation><filename>a.jpg</filename>{size}<object><name>{name}</name><bndbox><xmin>10.0</xmin><ymin>20</ymin>"
    "<xmax>30</xmax><ymax>60.0</ymax></bndbox></object></annotation>"
)
SIZE = "<size><width>96</width><height>80</height><depth>3</depth></size>"


def voc(root: Path, text: bytes) -> Path:
    save(root / "JPEGImages" / "a.jpg", view(1))
    (root / "Annotations").mkdir()
    (root / "Annotations" / "a.xml").write_bytes(text)
    return root


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ("", "utf-8"),
        ("", "utf-8-sig"),
        ("<!DOCTYPE annotation>", "utf-8"),
        ('<?xml version="1.0"?><!DOCTYPE annotation SYSTEM "http://127.0.0.1:9/voc.dtd">', "utf-8"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?>', "latin-1"),
        ("<?xml version='1.0' encoding='windows-1252' ?>\n", "cp1252"),
        ('<?xml version="1.0" encoding="utf-16"?>', "utf-16"),
        ('<?xml version="1.0" encoding="UTF-16"?>', "utf-16-be"),
        ('<?xml version="1.0" encoding="gbk"?>', "gbk"),
    ],
)
def test_voc_is_read_in_the_encoding_that_it_says(tmp_path, head, encoding):
    name = "手" if encoding == "gbk" else "nöse"
    told: list[Problem] = []
    found = open_set(voc(tmp_path, (head + VOC.format(size=SIZE, name=name)).encode(encoding)), None, told.append)
    assert (found.names, told) == ((name,), [])
    np.testing.assert_allclose(only(found).boxes, [BOX])


LAUGHS = '<!DOCTYPE annotation [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LAUGHS + VOC.format(size=SIZE, name="&b;"), "declares entities (<!ENTITY ...>), which are not read"),
        ('<?xml version="1.0" encoding="klingon"?>' + VOC.format(size=SIZE, name="x"), "'klingon', which is unknown"),
        (VOC.format(size=SIZE, name="nöse").encode("latin-1"), "is not in UTF-8, and does not say what it is in: byte"),
        (VOC.format(size=SIZE, name="x")[:-5], "is not XML"),
        (VOC.format(size=SIZE, name="x").replace("10.0", "70"), "would reach from x = 70 to 30"),
        (
            VOC.format(size=SIZE.replace("96", "90"), name="x"),
            "is 96 x 80 pixels large, but its labels are for 90 x 80",
        ),
    ],
)
def test_why_no_voc_file_can_be_used_is_said_by_check(tmp_path, capsys, text, why):
    root = voc(tmp_path / "set", text if isinstance(text, bytes) else text.encode())
    assert run(["data", "check", str(root), "--out", str(tmp_path / "out")]) == 2
    assert why in " ".join(capsys.readouterr().err.split())
    assert why in (tmp_path / "out" / "problems.csv").read_text().replace('""', '"')


def test_voc_without_a_size_is_read(tmp_path):
    np.testing.assert_allclose(only(read_voc(voc(tmp_path, VOC.format(size="", name="x").encode()))).boxes, [BOX])


def test_a_voc_file_that_is_of_two_pictures_is_refused(tmp_path):
    root = voc(tmp_path, VOC.format(size=SIZE, name="x").encode())
    save(root / "JPEGImages" / "b.jpg", view(2))
    (root / "Annotations" / "b.xml").write_text(VOC.format(size=SIZE, name="x"))  # still says a.jpg
    with pytest.raises(InputError, match=r"by its <filename> and of 'b.jpg' by its own name"):
        read_voc(root)


def test_the_most_frequent_reason_comes_first(tmp_path, capsys):
    root = tmp_path / "set"
    (root / "Annotations").mkdir(parents=True)
    for name, size in (("a", "90"), ("b", "90"), ("c", "96")):
        save(root / "JPEGImages" / f"{name}.jpg", view(1))
        text = VOC.replace("a.jpg", f"{name}.jpg").format(size=SIZE.replace("96", size), name="x")
        (root / "Annotations" / f"{name}.xml").write_text(text)
    (root / "JPEGImages" / "c.jpg").write_bytes(b"no picture")
    assert run(["data", "check", str(root)]) == 2
    said = capsys.readouterr()
    assert said.err.index("Wrong size (2)") < said.err.index("unreadable (1)")
    assert said.out.index("wrong size:") < said.out.index("unreadable:")
    assert said.out.count("its labels are for 90 x 80") == 2


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("form", ["coco", "voc"])
def test_a_size_from_before_the_exif_turn_is_refused_with_the_reason(tmp_path, capsys, form, orientation):
    root = tmp_path / "set"
    if form == "coco":
        root.mkdir()
        coco(root, pictures=False)
        turned(root / "a.jpg", orientation)
    else:
        turned(voc(root, VOC.format(size=SIZE, name="x").encode()) / "JPEGImages" / "a.jpg", orientation)
    assert run(["data", "check", str(root)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"is shown with 80 x 96 pixels, turned by its EXIF orientation ({orientation})" in said
    assert "set its orientation to 1" in said
    assert run(["data", "convert", str(root), "--to", "yolo", "--dest", str(tmp_path / "new")]) == 2
    assert "turned by its EXIF orientation" in capsys.readouterr().err


def test_boxes_of_a_turned_picture_with_its_shown_size_are_read_without_a_word(tmp_path):
    coco(tmp_path, {"width": 80, "height": 96}, pictures=False)
    turned(tmp_path / "a.jpg", 6)
    told: list[Problem] = []
    picture = only(read_coco(tmp_path, told.append))
    assert ((picture.width, picture.height), told) == ((80, 96), [])
    np.testing.assert_allclose(picture.boxes, [BOX])


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_labels_that_cannot_say_which_way_up_they_are_get_a_remark(tmp_path, orientation):
    coco(tmp_path, pictures=False)
    turned(tmp_path / "a.jpg", orientation)
    told: list[Problem] = []
    np.testing.assert_allclose(only(read_coco(tmp_path, told.append)).boxes, [BOX])
    assert [(problem.kind, problem.harmless) for problem in told] == [(TURNED, True)]


def test_yolo_boxes_are_of_the_picture_as_it_is_shown_and_that_is_said(tmp_path):
    turned(tmp_path / "a.jpg", 6)
    (tmp_path / "a.txt").write_text("0 .5 .5 .25 .5\n")
    (tmp_path / "classes.txt").write_text("face\n")
    told: list[Problem] = []
    np.testing.assert_allclose(only(read_yolo(tmp_path, told.append)).boxes, [[30, 24, 50, 72]])
    assert [problem.kind for problem in told] == [TURNED]


@pytest.mark.parametrize(
    ("size", "kinds"),
    [((80, 96), []), ((40, 48), []), ((96, 80), [WRONG_SIZE]), ((50, 50), [WRONG_SIZE]), (None, [TURNED])],
)
def test_label_studio_sizes_need_the_proportions_of_the_picture_as_it_is_shown(tmp_path, size, kinds):
    turned(tmp_path / "a.jpg", 6)
    value = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["hand"]}
    result = {"type": "rectanglelabels", "value": value}
    if size is not None:
        result |= {"original_width": size[0], "original_height": size[1], "image_rotation": 0}
    task = {"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"result": [result]}]}
    (tmp_path / "out.json").write_text(json.dumps([task]))
    told: list[Problem] = []
    if WRONG_SIZE in kinds:
        with pytest.raises(InputError):
            read_labelstudio(tmp_path / "out.json", told.append)
    else:
        np.testing.assert_allclose(
            only(read_labelstudio(tmp_path / "out.json", told.append)).boxes, [[8, 19.2, 32, 57.6]]
        )
    assert [problem.kind for problem in told] == kinds


def test_a_box_on_a_picture_that_label_studio_had_turned_is_refused(tmp_path):
    save(tmp_path / "a.jpg", view(1))
    value = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["hand"]}
    result = {"type": "rectanglelabels", "image_rotation": 90, "value": value}
    task = {"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"result": [result]}]}
    (tmp_path / "out.json").write_text(json.dumps([task]))
    with pytest.raises(InputError, match="Label Studio had turned by 90 degrees"):
        read_labelstudio(tmp_path / "out.json")


def test_a_mask_of_the_unturned_picture_is_refused_with_the_reason(tmp_path):
    masked_set(tmp_path, 2)
    turned(tmp_path / "images" / "0.jpg", 6)
    told: list[Problem] = []
    assert len(read_masks(tmp_path, told.append)) == 1
    assert "turned by its EXIF orientation (6), and the mask is not" in told[-1].text


def test_a_turned_tiff_has_the_size_that_it_is_shown_with(tmp_path):
    good, data = cv2.imencode(".tiff", view(1), [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    assert good
    raw = bytearray(data.tobytes())
    start = int.from_bytes(raw[4:8], "little")
    count = int.from_bytes(raw[start : start + 2], "little")
    entries = [bytes(raw[place : place + 12]) for place in range(start + 2, start + 2 + 12 * count, 12)]
    tags = {int.from_bytes(entry[:2], "little"): entry for entry in entries}
    tags[274] = (274).to_bytes(2, "little") + (3).to_bytes(2, "little") + (1).to_bytes(4, "little") + b"\6\0\0\0"
    block = len(tags).to_bytes(2, "little") + b"".join(tags[tag] for tag in sorted(tags)) + bytes(4)
    raw[4:8] = len(raw).to_bytes(4, "little")
    path = tmp_path / "a.tif"
    path.write_bytes(bytes(raw) + block)
    assert picture_size(path) == (80, 96) == read_picture(str(path)).shape[1::-1]


@pytest.fixture
def roboflow(tmp_path: Path) -> Path:
    """A set as Roboflow exports it, without the test folder that its description names."""
    root = tmp_path / "set"
    for place, split in enumerate(("train", "train", "valid")):
        yolo_picture(root / split, f"{place}.jpg", view(place), [(place % 2, 0.5, 0.5, 0.4, 0.3)])
    told = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n"
    (root / "data.yaml").write_text(f"{told}\nnc: 2\nnames: ['face', 'hand']\n\nroboflow:\n  version: 1\n")
    return root


def test_a_set_that_was_written_completely_ends_with_0(roboflow, tmp_path, capsys):
    assert run(["data", "convert", str(roboflow), "--to", "coco", "--dest", str(tmp_path / "new")]) == 0
    assert "test is '../test/images'" in capsys.readouterr().err
    assert len(read_coco(tmp_path / "new")) == 3
    assert run(["data", "check", str(roboflow)]) == 0
    assert run(["data", "split", str(roboflow), "--dest", str(tmp_path / "split")]) == 0


def test_a_val_folder_that_is_missing_stops_a_training_and_check_says_so(roboflow, capsys):
    text = (roboflow / "data.yaml").read_text()
    (roboflow / "data.yaml").write_text(text.replace("valid", "elsewhere"))
    assert run(["data", "check", str(roboflow)]) == 2
    assert "no picture (1)" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"val is '../elsewhere/images'"):
        open_set(roboflow, "detect")


@pytest.mark.parametrize(
    "told",
    [
        "train: [train/images]\nval: [valid/images]\nnames: {0: face, 1: hand}\n",
        "path: /content/drive/set\ntrain: /content/drive/set/train/images\nval: valid/images\nnames: [face, hand]\n",
        "train: list.txt\nval: C:\\sets\\set\\valid\\images\nnc: 2\nnames:\n  - face\n  - hand\n",
    ],
    ids=["lists", "another machine", "a list of files"],
)
def test_descriptions_from_elsewhere_end_with_0(roboflow, tmp_path, told):
    (roboflow / "data.yaml").write_text(told)
    (roboflow / "list.txt").write_text("/old/set/train/images/0.jpg\n./train/images/1.jpg\n")
    assert [(p.name, p.split) for p in open_set(roboflow)] == [("0", "train"), ("1", "train"), ("2", "val")]
    assert run(["data", "convert", str(roboflow), "--to", "voc", "--dest", str(tmp_path / "new")]) == 0


def test_a_number_of_classes_that_disagrees_is_one_sentence(roboflow):
    (roboflow / "data.yaml").write_text((roboflow / "data.yaml").read_text().replace("nc: 2", "nc: 3"))
    with pytest.raises(InputError, match="says nc: 3, but has 2 names"):
        open_set(roboflow)


def test_a_path_that_means_two_folders_is_refused(roboflow, tmp_path):
    yolo_picture(tmp_path / "train", "other.jpg", view(9), [(0, 0.5, 0.5, 0.4, 0.3)])
    with pytest.raises(InputError, match=r"'../train/images' can mean .* or .*, and both are there"):
        open_set(roboflow)


def test_a_coco_picture_that_is_missing_stops_a_training_and_check_says_so(tmp_path, capsys):
    root = coco(tmp_path / "set")
    table = json.loads((root / "train.json").read_text())
    table["images"].append({"id": 2, "file_name": "gone.jpg", "width": 96, "height": 80})
    (root / "train.json").write_text(json.dumps(table))
    assert run(["data", "check", str(root)]) == 2
    assert "there is no picture 'gone.jpg'" in capsys.readouterr().out
    told: list[Problem] = []
    assert len(read_coco(root, told.append)) == 1
    assert [(problem.kind, problem.harmless) for problem in told] == [(NO_PICTURE, False)]
    assert IGNORED not in {problem.kind for problem in told}
