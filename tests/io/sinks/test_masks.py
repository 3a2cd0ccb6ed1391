"""Masks: what comes of them, how they are drawn, and where they are written."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import quadrants

from handlens.cli.console import verdict
from handlens.errors import OutputError
from handlens.events import EventTracker
from handlens.io.draw import FACE, HAND, draw
from handlens.io.sinks.base import JsonLines
from handlens.io.sinks.masks import MaskFiles, write_mask
from handlens.io.sinks.paths import OutputPaths
from handlens.result import Result
from handlens.summary import Summary
from handlens.types import Frame, Image, Mask

NAMES = ("background", "hand", "face")


def classes(width: int = 200, height: int = 160) -> Image:
    """Two hands, the right one larger, and a face that reaches over the upper edge."""
    found = np.zeros((height, width), np.uint8)
    found[height // 2 : height * 3 // 4, width // 8 : width // 4] = 1
    found[height // 2 :, width * 5 // 8 : width * 7 // 8] = 1
    found[: height // 4, width // 4 : width * 3 // 4] = 2
    return found


def result(mask: Mask, index: int = 0, time: float = 0.0, source: str = "x.png") -> Result:
    height, width = mask.classes.shape
    return Result("segment", index, time, mask, source, width, height, "m")


class TestBlobs:
    def test_they_come_largest_first_with_their_scores(self):
        found, score = classes(), np.full((160, 200), 255, np.uint8)
        score[:, 100:] = 51
        blobs = Mask(found, NAMES, score).blobs("hand")
        assert blobs.xyxy.tolist() == [[125, 80, 175, 160], [25, 80, 50, 120]]
        assert blobs.pixels.tolist() == [50 * 80, 25 * 40]
        assert blobs.score.tolist() == pytest.approx([0.2, 1.0])

    def test_without_scores_a_blob_is_sure(self):
        assert Mask(classes(), NAMES).blobs("face").score.tolist() == [1.0]
        assert len(Mask(np.zeros((3, 3), np.uint8), NAMES).blobs("hand").xyxy) == 0
        with pytest.raises(ValueError, match="no class 'foot'; known: background, hand, face"):
            Mask(classes(), NAMES).boxes("foot")

    def test_a_speck_is_not_seen(self):
        found = np.zeros((100, 100), np.uint8)
        found[:7, :7] = 1
        assert Mask(found, NAMES).seen("hand") == 0
        found[:8, :7] = 1  # 56 of 10,000 pixels
        assert Mask(found, NAMES).seen("hand") == 1

    def test_what_is_less_sure_becomes_background(self):
        found, score = classes(), np.full((160, 200), 255, np.uint8)
        score[:, :60] = 100
        kept = Mask(found, NAMES, score).surer(0.5)
        assert kept.boxes("hand").tolist() == [[125, 80, 175, 160]]
        assert kept.fraction("face") == Mask(found, NAMES).fraction("face")
        assert (found == classes()).all()

    @pytest.mark.parametrize("score", [np.zeros((2, 2), np.uint8), np.zeros((160, 200), np.float32)])
    def test_scores_must_fit(self, score):
        with pytest.raises(ValueError, match=r"Mask\.score: expected"):
            Mask(classes(), NAMES, score)


class TestTold:
    def test_specks_have_no_box_in_the_json(self):
        found = np.zeros((100, 200), np.uint8)
        found[5, 5:8] = 1
        found[50:60, 50:60] = 1
        value = result(Mask(found, NAMES, found * 200)).to_json()["value"]
        assert [(box["label"], box["xyxy"]) for box in value["boxes"]] == [("hand", [50, 50, 60, 60])]
        assert value["boxes"][0]["score"] == pytest.approx(200 / 255, abs=1e-4)

    def test_words_and_summary_say_the_areas(self):
        summary = Summary(task="segment")
        for found in (classes(), np.zeros((160, 200), np.uint8)):
            summary.add(result(Mask(found, NAMES)))
        assert verdict(result(Mask(classes(), NAMES)), 0.5) == "hand 15.6%, face 12.5%"
        assert verdict(result(Mask(np.zeros((9, 9), np.uint8), NAMES)), 0.5) == "no hand, no face"
        rows = dict(summary.rows())
        assert (rows["frames with hand"], rows["frames with face"]) == ("1 (50%)", "1 (50%)")
        assert "7.8%" in str(summary)
        both = Summary(task="segment").merge(summary).merge(summary)
        assert dict(both.rows())["frames with hand"] == "2 (50%)"
        assert "7.8%" in str(both)

    def test_an_event_is_that_a_class_is_seen(self):
        tracker, closed = EventTracker(min_time=0.2, gap_time=0.2), []
        for number in range(30):
            found = classes() if 10 <= number < 20 else np.where(classes() == 2, 2, 0).astype(np.uint8)
            closed += tracker.update(result(Mask(found, NAMES), number, number / 10, "clip.mp4"))
        closed += tracker.finish()
        told = [(event.label, event.start, event.stop, event.peak) for event in closed]
        assert told == [("hand", 1.0, 1.9, 1.0), ("face", 0.0, 2.9, 1.0)]


class TestDrawing:
    def drawn(self, found: Image, names: tuple[str, ...] = NAMES, value: int = 0) -> Image:
        image = np.full((*found.shape, 3), value, np.uint8)
        return draw(Frame(image), result(Mask(found, names)))

    def test_classes_are_tinted_and_have_crisp_outlines_in_source_size(self):
        found = np.zeros((480, 640), np.uint8)
        found[300:400, 100:200], found[250:400, 400:600] = 1, 2
        image = self.drawn(found)
        assert image.shape == (480, 640, 3)
        for y, x, colour in ((350, 150, HAND), (350, 500, FACE)):
            assert np.abs(image[y, x] - 0.4 * np.array(colour)).max() <= 1
        assert np.abs(image[350, 100:103].astype(int) - HAND).max(axis=1).min() < 25  # the line
        assert not image[350, 210:390].any()
        light = self.drawn(found, value=255)
        assert light[350, 94:100].max(axis=1).min() < 130  # on a dark one
        assert (light[350, 210:390] == 255).all()

    def test_the_edge_of_the_picture_is_no_outline(self):
        image = self.drawn(np.ones((480, 640), np.uint8))
        assert (image[-100:] == image[-1, -1]).all()
        assert np.abs(image[-1, -1] - 0.4 * np.array(HAND)).max() <= 1

    def test_the_legend_has_a_line_for_each_class_that_is_there(self):
        both, one = self.drawn(classes(640, 480)), self.drawn(np.where(classes(640, 480) == 1, 1, 0).astype(np.uint8))
        for image, colours in ((both, {HAND, FACE}), (one, {HAND})):
            corner = image[:60, :100].reshape(-1, 3)
            assert {colour for colour in (HAND, FACE) if (corner == colour).all(axis=1).sum() > 40} == colours

    @pytest.mark.parametrize("size", [(1, 1), (1, 400), (20, 20), (48, 48), (64, 64), (100, 75), (200, 150)])
    def test_small_pictures_keep_their_size_and_are_not_hidden(self, size):
        found = np.ones(size[::-1], np.uint8)
        found[size[1] // 2 :] = 2
        image = self.drawn(found, value=255)
        assert image.shape == (size[1], size[0], 3)
        dark = (image.max(axis=2) < 110).mean()
        assert dark < 0.35

    def test_any_number_of_classes_can_be_drawn(self):
        names = ("background", *(f"class {n}" for n in range(1, 12)))
        found = np.repeat(np.arange(12, dtype=np.uint8), 20)[None].repeat(480, 0)
        image = self.drawn(found, names)
        assert len(np.unique(image[400, 30::20][:4], axis=0)) == 4
        self.drawn(np.full((60, 60), 255, np.uint8))


class TestFiles:
    def test_a_mask_holds_its_numbers(self, tmp_path):
        found = np.arange(256, dtype=np.uint8).reshape(16, 16)
        write_mask(tmp_path / "deep" / "a.png", found)
        write_mask(tmp_path / "b.png", found > 100)
        assert np.array_equal(cv2.imread(str(tmp_path / "deep" / "a.png"), cv2.IMREAD_UNCHANGED), found)
        assert np.array_equal(cv2.imread(str(tmp_path / "b.png"), cv2.IMREAD_UNCHANGED), found > 100)
        assert sorted(path.name for path in tmp_path.rglob("*.p*")) == ["a.png", "b.png"]

    def test_what_cannot_be_written_is_a_sentence(self, tmp_path):
        (tmp_path / "file").write_text("x")
        for place in ("file/a.png", "file/deeper/a.png"):
            with pytest.raises(OutputError, match="was not written"):
                write_mask(tmp_path / place, np.zeros((2, 2), np.uint8))

    def test_names_are_given_in_order_and_never_twice(self, tmp_path):
        kept = [str(tmp_path / "b.png"), str(tmp_path / "c_mask.png"), str(tmp_path / "d_masks" / "1.png")]
        places = OutputPaths(tmp_path, kept, "segment")
        named = [
            (
                places.drawing(source).name,
                places.mask(source, 7 if source in ("d.mp4", "e.mp4", "0") else 0).relative_to(tmp_path).as_posix(),
            )
            for source in ("x/a.png", "y/a.jpg", "y/a_mask.png", "x/a.png", "b.png", "c.png", "d.mp4", "e.mp4", "0")
        ]
        assert named == [
            ("a.png", "a_mask.png"),
            ("a-2.jpg", "a-2_mask.png"),
            ("a_mask-2.png", "a_mask-2_mask.png"),
            ("a.png", "a_mask.png"),
            ("b-2.png", "b-2_mask.png"),
            ("c-2.png", "c-2_mask.png"),
            ("d-2.mp4", "d-2_masks/000007.png"),
            ("e.mp4", "e_masks/000007.png"),
            ("camera-0.mp4", "camera-0_masks/000007.png"),
        ]

    def test_other_tasks_keep_the_names_they_had(self, tmp_path):
        places = OutputPaths(tmp_path)
        assert [places.drawing(name).name for name in ("a.png", "a.jpg", "a_mask.png")] == [
            "a.png",
            "a.jpg",
            "a_mask.png",
        ]

    def test_a_line_names_the_mask_that_was_written_before_it(self, tmp_path):
        lines = JsonLines(tmp_path / "a.jsonl")
        with MaskFiles(OutputPaths(tmp_path / "out", (), "segment"), lines) as sink:
            for number in range(3):
                sink.write(Frame(quadrants(200, 160), number, number / 10, "c.mp4"), result(Mask(classes(), NAMES)))
        told = [json.loads(line)["value"]["mask"] for line in (tmp_path / "a.jsonl").read_text().splitlines()]
        assert told == [str(tmp_path / "out" / "c_masks" / f"{number:06d}.png") for number in range(3)]
        assert all(Path(path).is_file() for path in told)
