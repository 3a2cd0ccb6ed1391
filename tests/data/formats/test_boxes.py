"""VOC, COCO and Label Studio as real users have them, and conversion among the four formats of boxes."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labelled import NAMES, assert_same, boxed_set, put_picture
from pycocotools import mask as mask_api

from handlens.cli import run
from handlens.data.dataset import LabelledSet
from handlens.data.formats.coco import read_coco, write_coco
from handlens.data.formats.detect_format import open_set
from handlens.data.formats.labelstudio import read_labelstudio, write_labelstudio
from handlens.data.formats.voc import read_voc, write_voc
from handlens.data.formats.yolo import read_yolo, write_yolo
from handlens.data.problems import Problem
from handlens.data.write import WRITERS, convert
from handlens.errors import InputError, OutputError

FORMATS = {
    "yolo": (write_yolo, read_yolo),
    "voc": (write_voc, read_voc),
    "coco": (write_coco, read_coco),
    "labelstudio": (write_labelstudio, read_labelstudio),
}


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("form", FORMATS)
def test_each_format_brings_back_what_was_written(tmp_path, form, split):
    write, read = FORMATS[form]
    made = boxed_set(tmp_path, split)
    write(made, tmp_path / "out")
    assert_same(read(tmp_path / "out"), made)
    assert_same(open_set(tmp_path / "out", "detect"), made)
    (tmp_path / "out").rename(tmp_path / "moved")
    assert_same(open_set(tmp_path / "moved"), made)


def test_a_round_through_all_formats_loses_nothing(tmp_path):
    made = boxed_set(tmp_path)
    write_yolo(made, tmp_path / "0")
    for number, form in enumerate(["voc", "labelstudio", "coco", "yolo", "coco", "voc", "yolo", "labelstudio"]):
        convert(tmp_path / str(number), form, tmp_path / str(number + 1))
    assert_same(open_set(tmp_path / "8"), made)


def test_voc_lists_of_numbers_are_not_mistaken_for_yolo_labels(tmp_path):
    made = boxed_set(tmp_path)
    places = [put_picture(tmp_path / f"{number:05}.png", (333, 217)) for number in range(6)]
    numbered = [dataclasses.replace(made.pictures[1], path=path, split="train") for path in places]
    write_voc(made.having(numbered), tmp_path / "out")
    assert [len(p.boxes) for p in open_set(tmp_path / "out")] == [1] * 6


def voc(objects: str, size: str = "<size><width>64</width><height>48</height><depth>3</depth></size>") -> str:
    return f"<annotation><filename>a.jpg</filename>{size}{objects}</annotation>"


def thing(name: str = "chin", box: tuple[Any, ...] = (1, 2, 30, 40)) -> str:
    sides = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    return f"<object><name>{name}</name><bndbox>{''.join(f'<{k}>{v}</{k}>' for k, v in sides)}</bndbox></object>"


def test_voc_with_pictures_beside_in_split_folders(tmp_path):
    for split in ("train", "valid"):
        put_picture(tmp_path / split / "a.jpg")
        (tmp_path / split / "a.xml").write_text(voc(thing("nose") + thing(box=(1.5, 2, 30, 40))))
    put_picture(tmp_path / "train/b.jpg")
    problems: list[Problem] = []
    found = read_voc(tmp_path, problems.append)
    assert found.names == ("chin", "nose")
    assert sorted((p.name, p.split, p.labels.tolist()) for p in found) == [
        ("a", "train", [1, 0]), ("a", "val", [1, 0]), ("b", "train", [])
    ]  # fmt: skip
    assert found.pictures[0].boxes.tolist() == [[1, 2, 30, 40], [1.5, 2, 30, 40]]
    assert [problem.kind for problem in problems] == ["no label file"]


def test_voc_parts_of_objects_and_pictures_of_another_ending(tmp_path):
    put_picture(tmp_path / "JPEGImages/a.png")
    (tmp_path / "Annotations").mkdir()
    part = "<part><name>foot</name><bndbox><xmin>1</xmin></bndbox></part>"
    (tmp_path / "Annotations/a.xml").write_text(voc(thing().replace("</object>", part + "</object>")))
    assert [p.labels.tolist() for p in read_voc(tmp_path)] == [[0]]


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;">]><annotation>&c;</annotation>'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "declares entities"),
        ("<annotation><object>", "is not XML"),
        ("", "is not XML"),
        (voc(thing("")), "object 1 has no name"),
        (voc(thing(box=("a", 2, 3, 4))), r"object 1 \(chin\) has no <bndbox> of four numbers"),
        (voc("<object><name>chin</name></object>"), "has no <bndbox>"),
        (voc(thing(box=(5, 5, 5, 9))), "the box has no area"),
        (voc(thing(box=("nan", 5, 8, 9))), "a side that is not a number"),
        (voc(thing(box=(100, 5, 180, 9))), "lies outside the picture of 64 x 48"),
        (voc(thing(), "<size><width>640</width><height>480</height></size>"), "is 64 x 48 .* labels are for 640 x 480"),
    ],
)
def test_wrong_voc_files_are_one_sentence(tmp_path, text, said):
    put_picture(tmp_path / "a.jpg")
    put_picture(tmp_path / "b.jpg")
    (tmp_path / "b.xml").write_text(voc(thing()).replace("a.jpg", "b.jpg"))
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(InputError, match=said):
        read_voc(tmp_path)
    problems: list[Problem] = []
    found = read_voc(tmp_path, problems.append)
    assert len(problems) >= 1
    assert [len(p.boxes) for p in found if p.name == "b"] == [1]


def coco(**tables: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "images": [{"id": "x", "file_name": "a.jpg", "width": 64, "height": 48}],
        "categories": [{"id": 90, "name": "nose"}, {"id": 7, "name": "chin"}],
        "annotations": [{"id": 1, "image_id": "x", "category_id": 90, "bbox": [1, 2, 10, 20]}],
    }
    return {**made, **tables}


def test_coco_as_others_lay_it_out(tmp_path):
    put_picture(tmp_path / "set/train/a.jpg")
    (tmp_path / "set/train/_annotations.coco.json").write_text(json.dumps(coco()))
    put_picture(tmp_path / "set/images/val2017/a.jpg")
    (tmp_path / "set/annotations").mkdir()
    found = read_coco(tmp_path / "set")
    assert (found.names, found.splits) == (("chin", "nose"), ("train",))
    assert found.pictures[0].boxes.tolist() == [[1, 2, 11, 22]]
    (tmp_path / "set/annotations/instances_val2017.json").write_text(json.dumps(coco()))
    (tmp_path / "set/annotations/captions_val2017.json").write_text("{}")
    found = read_coco(tmp_path / "set/annotations/instances_val2017.json")
    assert [(p.path.parent.name, p.split) for p in found] == [("val2017", "val")]


def test_coco_outlines_become_boxes_and_masks(tmp_path):
    put_picture(tmp_path / "a.jpg")
    square = [10, 10, 30, 10, 30, 20, 10, 20]
    runs = {"size": [48, 64], "counts": [0, 48, 48 * 63]}  # the first column
    packed = {"size": [48, 64], "counts": mask_api.frPyObjects(runs, 48, 64)["counts"].decode()}
    objects = [
        {"image_id": "x", "category_id": 90, "segmentation": [square]},
        {"image_id": "x", "category_id": 7, "segmentation": packed},
        {"image_id": "x", "category_id": 7, "segmentation": {**runs, "counts": [48 * 63, 48]}, "iscrowd": 1},
    ]
    path = tmp_path / "set.json"
    path.write_text(json.dumps(coco(annotations=objects)))
    found = read_coco(path, lambda problem: None)
    assert found.pictures[0].boxes.tolist() == [[10, 10, 30, 20], [0, 0, 1, 48]]
    found = open_set(path, "segment")
    assert found.names == ("background", "chin", "nose")
    mask = found.pictures[0].mask()
    assert mask.shape == (48, 64)
    assert (mask[15, 20], mask[15, 40], mask[47, 0], mask[0, 63]) == (2, 0, 1, 255)
    assert np.sum(mask == 2) == pytest.approx(200, abs=35)


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"annotations": None}, "has no list called 'annotations'"),
        ({"categories": []}, "category 90 does not exist"),
        ({"annotations": [{"image_id": "y", "category_id": 7}]}, "there is no image with the id y"),
        ({"annotations": [{"image_id": "x", "category_id": 3}]}, r"category 3 does not exist; allowed: 90 \(nose\), 7"),
        ({"annotations": [{"image_id": "x", "category_id": 7}]}, "has no box"),
        ({"annotations": [{"image_id": "x", "category_id": 7, "bbox": [1, 2, 0, 4]}]}, "has no area"),
        ({"annotations": [{"image_id": "x", "category_id": 7, "bbox": [1, 2, "wide", 4]}]}, "has no box"),
        ({"annotations": [[]]}, r"annotations\[0\] is not an object"),
        ({"images": [{"id": "x"}]}, r"images\[0\] has no 'file_name'"),
        ({"images": [{"id": "x", "file_name": "gone.jpg"}]}, r"there is no picture 'gone\.jpg'"),
        ({"images": [{"id": "x", "file_name": "a.jpg", "width": 9, "height": 9}]}, "labels are for 9 x 9"),
    ],
)
def test_wrong_coco_files_are_one_sentence(tmp_path, tables, said):
    put_picture(tmp_path / "a.jpg")
    path = tmp_path / "set.json"
    path.write_text(json.dumps(coco(**tables)))
    with pytest.raises(InputError, match=said):
        read_coco(path)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "{" * 5, "[" * 100_000, "\xff"])
@pytest.mark.parametrize("read", [read_coco, read_labelstudio, open_set])
def test_rubbish_in_json_is_one_sentence(tmp_path, text, read):
    path = tmp_path / "set.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"set\.json"):
        read(path)


def test_damaged_run_lengths_are_one_sentence(tmp_path):
    put_picture(tmp_path / "a.jpg")
    path = tmp_path / "set.json"
    for counts in ([5], "abc", [-5, 3077]):
        told = {"image_id": "x", "category_id": 7, "segmentation": {"size": [48, 64], "counts": counts}}
        path.write_text(json.dumps(coco(annotations=[told])))
        with pytest.raises(InputError):
            read_coco(path, kind="segment").pictures[0].mask()


def task(image: str, *values: dict[str, Any], **more: Any) -> dict[str, Any]:
    kinds = [next(key for key in value if key in ("rectanglelabels", "polygonlabels", "choices", "brushlabels"))
             for value in values]  # fmt: skip
    results = [{"type": kind, "value": value} for kind, value in zip(kinds, values, strict=True)]
    return {"id": 5, "data": {"image": image}, "annotations": [{"result": results}], **more}


def rectangle(name: str = "chin", **more: Any) -> dict[str, Any]:
    return {"x": 25, "y": 50, "width": 50, "height": 25, "rotation": 0, "rectanglelabels": [name], **more}


def save_tasks(root: Path, *tasks: dict[str, Any]) -> Path:
    path = root / "export.json"
    path.write_text(json.dumps(tasks))
    return path


@pytest.mark.parametrize(
    "image",
    [
        "/data/upload/3/0123abcd-my_photo.jpg",
        "/data/local-files/?d=set/my%20photo.jpg",
        "https://host/files/my%20photo.jpg?token=1",
        "my photo.jpg",
        "s3://bucket/deep/my photo.jpg",
    ],
)
def test_label_studio_pictures_are_found_under_the_names_it_gives_them(tmp_path, image):
    put_picture(tmp_path / "pictures/my photo.jpg")
    (picture,) = read_labelstudio(save_tasks(tmp_path, task(image, rectangle())))
    assert picture.name == "my photo"
    np.testing.assert_allclose(picture.boxes, [[16, 24, 48, 36]], atol=1e-4)


def test_label_studio_boxes_outlines_rotations_and_what_is_not_annotated(tmp_path):
    for name in "abcd":
        put_picture(tmp_path / f"{name}.jpg")
    outline = {"points": [[25, 50], [75, 50], [50, 75]], "polygonlabels": ["nose"]}
    tasks = [
        task("a.jpg", rectangle(rotation=30), outline, {"brushlabels": ["nose"], "rle": [1]}),
        task("b.jpg"),
        task("c.jpg", annotations=[]),
        task("d.jpg", rectangle(), annotations=[{"was_cancelled": True, "result": []}]),
    ]
    problems: list[Problem] = []
    found = read_labelstudio(save_tasks(tmp_path, *tasks), problems.append)
    assert [(p.name, p.labels.tolist()) for p in found] == [("a", [0]), ("b", [])]
    np.testing.assert_allclose(found.pictures[0].boxes, [[16, 24, 48, 36]], atol=1e-4)
    told = ["wrong box", "ignored", "no label file", "no label file"]
    assert [problem.kind for problem in problems] == told
    assert "turned by 30 degrees, and the export does not give the picture's size" in problems[0].text


@pytest.mark.parametrize(
    ("degrees", "box"),
    [(90, [4, 24, 16, 56 - 8]), (45, [16 - 6 * 2**0.5, 24, 16 + 16 * 2**0.5, 24 + 22 * 2**0.5]), (0, [16, 24, 48, 36])],
)
def test_a_label_studio_box_that_is_turned_gives_the_upright_box_around_it(tmp_path, degrees, box):
    """It is turned clockwise about its upper left corner, here (16, 24); the box is 32 x 12 pixels large."""
    put_picture(tmp_path / "a.jpg")
    value = rectangle(rotation=degrees, original_width=64, original_height=48)
    (picture,) = read_labelstudio(save_tasks(tmp_path, task("a.jpg", value)))
    np.testing.assert_allclose(picture.boxes, [np.minimum(box, [64, 48] * 2)], atol=1e-3)


def test_label_studio_relations_are_harmless_and_a_second_export_is_told(tmp_path):
    put_picture(tmp_path / "a.jpg")
    made = task("a.jpg", rectangle())
    made["annotations"][0]["result"].append({"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"})
    save_tasks(tmp_path, made)
    (tmp_path / "second.json").write_text((tmp_path / "export.json").read_text())
    problems: list[Problem] = []
    (picture,) = read_labelstudio(tmp_path, problems.append)
    assert len(picture.boxes) == 1
    assert [problem.harmless for problem in problems] == [True, True]
    assert "second.json' is another export" in problems[0].text
    assert "relation" in problems[1].text


def test_boxes_in_fractions_are_not_taken_for_pixels_or_percent(tmp_path):
    put_picture(tmp_path / "a.jpg")
    told = task("a.jpg", rectangle(x=0.25, y=0.5, width=0.5, height=0.25))
    with pytest.raises(InputError, match="look like fractions, but must be percent"):
        read_labelstudio(save_tasks(tmp_path, told))
    sheet = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "categories": [{"id": 1, "name": "chin"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0.25, 0.5, 0.5, 0.25]}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(sheet))
    with pytest.raises(InputError, match="lies in the first pixel of 64 x 48: its numbers look like fractions"):
        read_coco(tmp_path / "coco.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.encode("utf-16"), "is not a text in UTF-8"),
        (lambda text: text.replace('"categories"', '"kinds"').encode(), "it has no list called 'categories'"),
        (lambda text: b"", "is not JSON"),
    ],
)
def test_a_broken_coco_file_of_one_split_is_told_and_not_passed_over(tmp_path, change, said):
    made = boxed_set(tmp_path)
    write_coco(made, tmp_path / "out")
    file = tmp_path / "out/annotations/instances_train.json"
    file.write_bytes(change(file.read_text("utf-8")))
    with pytest.raises(InputError, match=said):
        read_coco(tmp_path / "out")
    problems: list[Problem] = []
    assert {picture.split for picture in read_coco(tmp_path / "out", problems.append)} == {"val", "test"}
    assert [problem.harmless for problem in problems] == [False]
    assert said in problems[0].text
    for other in ("val", "test"):
        (tmp_path / f"out/annotations/instances_{other}.json").unlink()
    with pytest.raises(InputError, match=said):
        open_set(tmp_path / "out")


def test_label_studio_json_min_and_choices(tmp_path):
    for name in "ab":
        put_picture(tmp_path / f"{name}.jpg")
    boxed = [
        {"id": 1, "image": "/data/upload/1/12345678-a.jpg", "label": [rectangle()], "annotator": 1},
        {"image": "b.jpg"},
    ]
    found = read_labelstudio(save_tasks(tmp_path, *boxed))
    assert [(p.name, p.labels.tolist()) for p in found] == [("a", [0]), ("b", [])]
    chosen = [{"image": "a.jpg", "choice": "fist"}, {"image": "b.jpg", "choice": "palm"}]
    found = open_set(save_tasks(tmp_path, *chosen))
    assert (found.kind, found.names, [p.labels.tolist() for p in found]) == ("classify", ("fist", "palm"), [[0], [1]])
    long = [task("a.jpg", {"choices": ["palm"]}), task("b.jpg", {"choices": ["fist"]})]
    assert [p.labels.tolist() for p in open_set(save_tasks(tmp_path, *long))] == [[1], [0]]
    with pytest.raises(InputError, match="needs one choice of fist, palm, but has fist, palm"):
        open_set(save_tasks(tmp_path, task("a.jpg", {"choices": ["fist", "palm"]})))


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ([task("gone.jpg", rectangle())], r"there is no picture 'gone\.jpg'"),
        ([task("a.jpg", rectangle(rectanglelabels=[]))], "needs one label, not 0"),
        ([task("a.jpg", rectangle(x="b"))], "has no four numbers"),
        ([task("a.jpg", rectangle(x=120))], "lies outside"),
        ([task("a.jpg", rectangle()), task("a.jpg", rectangle())], "belongs to another task"),
        ([{"data": {"text": "hello"}, "annotations": []}], "names no picture"),
        ([task("a.jpg")], "has no box"),
        ([7, {"choice": 1}], "must be a list of tasks"),
        ([7], "is not a Label Studio export"),
    ],
)
def test_wrong_label_studio_exports_are_one_sentence(tmp_path, tasks, said):
    put_picture(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=said):
        read_labelstudio(save_tasks(tmp_path, *tasks), kind="detect")


def test_the_verb_converts_and_says_what_it_left_out(tmp_path, capsys):
    write_yolo(boxed_set(tmp_path), tmp_path / "yolo")
    assert run(["data", "convert", str(tmp_path / "yolo"), "--to", "Label-Studio", "--dest", str(tmp_path / "ls")]) == 0
    assert f"4 pictures, 3 boxes, classes {', '.join(NAMES)}" in capsys.readouterr().out
    label = tmp_path / "yolo/labels/train/a.txt"
    label.write_text("7 .5 .5 .1 .1\n")
    assert run(["data", "convert", str(tmp_path / "yolo"), "--to", "coco", "--dest", str(tmp_path / "coco")]) == 2
    assert "class 7 does not exist; allowed: 0 to 2" in capsys.readouterr().err
    assert len(read_coco(tmp_path / "coco")) == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{set}", "--to", "yollo", "--dest", "{out}"], "unknown format 'yollo': did you mean 'yolo'?"),
        (["{set}", "--to", "voc", "--dest", "{set}"], "is not empty"),
        (["{set}", "--to", "voc", "--dest", "{set}/data.yaml"], "is a file"),
        (["{set}", "--to", "voc", "--dest", "{set}/data.yaml/out"], "was not written"),
        (["{out}", "--to", "voc", "--dest", "{out}2"], "does not exist"),
        (["{set}/images", "--to", "voc", "--dest", "{out}"], "needs a set to detect"),
        (["{set}", "--to", "voc"], "--dest"),
    ],
)
def test_the_verb_refuses_in_one_sentence(tmp_path, capsys, arguments, said):
    write_yolo(boxed_set(tmp_path), tmp_path / "set")
    places = {"set": tmp_path / "set", "out": tmp_path / "out"}
    assert run(["data", "convert", *(word.format(**places) for word in arguments)]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("handlens:") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_may_not_be_written_is_one_sentence(tmp_path):
    made = boxed_set(tmp_path)
    (tmp_path / "file").write_text("")
    for write in WRITERS.values():
        with pytest.raises(OutputError, match="was not written"):
            write(made, tmp_path / "file/out", True, None)


def test_an_interrupted_conversion_leaves_nothing(tmp_path):
    made = boxed_set(tmp_path)

    def interrupt() -> None:
        raise KeyboardInterrupt

    for write in WRITERS.values():
        with pytest.raises(KeyboardInterrupt):
            write(made, tmp_path / "out", True, interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_boxes_only_and_some_pictures(tmp_path):
    for form, (write, _) in FORMATS.items():
        with pytest.raises(InputError, match="labels are boxes"):
            write(LabelledSet("classify", ("a",), ()), tmp_path / form)
        with pytest.raises(InputError, match="has no pictures"):
            write(LabelledSet("detect", ("a",), ()), tmp_path / form)


@pytest.mark.slow
def test_reading_needs_no_pycocotools(tmp_path):
    write_coco(boxed_set(tmp_path), tmp_path / "set")
    code = (
        "import sys; sys.modules['pycocotools'] = None\n"
        "from handlens.data.formats.detect_format import open_set\n"
        "from handlens.errors import InputError\n"
        f"assert len(open_set({str(tmp_path / 'set')!r})) == 4\n"
        f"try: open_set({str(tmp_path / 'set')!r}, 'segment')\n"
        "except InputError as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install 'handlens[data]'" in said
