"""Sets of silhouettes are told from photographs, and trained as what they are."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from paws import paw
from training_sets import classify_set, noise

pytest.importorskip("torch")

from handlens.data.dataset import LabelledSet
from handlens.errors import InputError
from handlens.train.config import Settings
from handlens.train.defaults import defaults_of
from handlens.train.experiment import new_experiment
from handlens.train.loader.silhouettes import are_silhouettes, is_silhouette, with_hands


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_silhouettes_are_told_from_photographs(tmp_path: Path) -> None:
    shapes = [paw(fingers=n) for n in range(4)]
    assert are_silhouettes(classify_set(made(tmp_path / "a"), shapes))
    assert are_silhouettes(classify_set(made(tmp_path / "b"), [255 - shape for shape in shapes]))
    assert not are_silhouettes(classify_set(made(tmp_path / "c"), [*shapes, noise(40, 50)]))
    assert not are_silhouettes(classify_set(made(tmp_path / "d"), [noise(40, 50)]).having([]))
    red = shapes[0] * np.array([1, 0, 0], np.uint8)
    assert not is_silhouette(red)
    assert not is_silhouette(np.repeat(noise(64, 64)[..., :1], 3, axis=2))
    assert not is_silhouette(np.random.default_rng(0).integers(0, 255, (50, 50, 1), np.uint8).repeat(3, axis=2))


def test_a_small_soft_jpeg_is_a_silhouette_all_the_same() -> None:
    small = cv2.resize(paw(), (50, 50), interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 90])
    assert is_silhouette(cv2.imdecode(data, cv2.IMREAD_COLOR))


def blank_set(folder: Path) -> LabelledSet:
    """Two pictures of each of blank, half and fist; half a class and a whole one show no hand."""
    images = [np.zeros((64, 64, 3), np.uint8)] * 3 + [paw(64)] * 3
    found = classify_set(folder, images)
    pictures = [replace(p, labels=np.array([place // 2])) for place, p in enumerate(found)]
    return replace(found, names=("blank", "half", "fist"), pictures=tuple(pictures))


def test_blank_pictures_are_no_hands(tmp_path: Path) -> None:
    said: list[str] = []
    found = with_hands(blank_set(tmp_path), said.append)
    assert said == [
        "2 blank pictures of the class 'blank' show no hand and are left out: a blank mask is not a hand",
        "1 blank picture of the class 'half' shows no hand and is left out: a blank mask is not a hand",
    ]
    assert found.names == ("half", "fist")
    assert [int(picture.labels[0]) for picture in found] == [0, 1, 1]
    assert with_hands(found, said.append) is found
    with pytest.raises(InputError, match="has blank pictures only"):
        with_hands(blank_set(tmp_path).having(blank_set(tmp_path).pictures[:3]), said.append)


def test_the_cards_say_how_a_hand_is_looked_at() -> None:
    def card(net: str, task: str = "gesture"):
        given = {"task": task, "net": net, "data": "x"}
        return new_experiment(Settings().changed(defaults_of(net).settings).changed(given), ("a", "b")).card

    assert card("silhouette-net").options["silhouette"] == 1.0
    assert "silhouette" not in card("digits6").options
    assert card("silhouette-net").parts == card("digits6").parts == {}
    assert card("hand-net").parts == card("mobileface", "hold").parts == {"detector": "facehand"}
    assert (card("hand-net").size, card("silhouette-net").size) == ((96, 96), (64, 64))


def test_a_net_without_an_angle_is_a_sentence() -> None:
    for net, said in (("mobileface", "cannot tell an angle"), ("nano", "for nets that classify")):
        task = "touch" if net == "nano" else "gesture"
        with pytest.raises(InputError, match=said):
            new_experiment(Settings(task=task, net=net, data="x", angle=True), ("a", "b"))
