"""Large pictures are looked at in tiles too: small boxes come in, cut ones and large ones do not."""

import numpy as np
import pytest

from handlens.card import ModelCard
from handlens.kinds import detect
from handlens.tasks.find_hands import Finder
from handlens.tasks.tiles import looked_at, tiles
from handlens.types import Floats, Frame


class Bright:
    """A detector that finds the bright spot of its input, if that is at least 3 pixels wide."""

    def __init__(self, **options: float) -> None:
        self.card = ModelCard(
            "spot", "touch", "detect", ("face", "hand"), (96, 96), "fit", thresholds={"score": 0.5}, options=options
        )
        self.asked = 0

    def run(self, batch: Floats) -> dict[str, Floats]:
        self.asked += 1
        ys, xs = np.nonzero(batch[0, 0] > 0.9)
        boxes, scores = np.zeros((1, 2, 4), np.float32), np.zeros((1, 2, 2), np.float32)
        if len(xs) and np.ptp(xs) >= 2:
            boxes[0, 0] = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
            scores[0, 0, 1] = 0.9
        return {"boxes": boxes, "scores": scores}


def spot(x: int, y: int, side: int, width: int = 2000, height: int = 900) -> Frame:
    image = np.zeros((height, width, 3), np.uint8)
    image[y : y + side, x : x + side] = 255
    return Frame(image)


@pytest.mark.parametrize(("width", "height"), [(2000, 900), (640, 480), (3840, 2160), (400, 5000)])
def test_tiles_cover_the_picture_and_overlap(width: int, height: int) -> None:
    found = tiles(width, height, 700)
    seen = np.zeros((height, width), np.uint8)
    for left, top, right, bottom in found:
        assert right - left <= 701
        assert bottom - top <= 701
        seen[top:bottom, left:right] += 1
    assert seen.min() == 1
    assert (len(found) == 1) == (max(width, height) <= 700)


@pytest.mark.parametrize("x", [20, 330, 990, 1950])
def test_a_small_thing_is_found_in_tiles_alone(x: int) -> None:
    frame = spot(x, 400, 30)
    assert len(Finder(Bright()).find(frame).found) == 0
    (box,) = Finder(Bright(tiles_from=1600)).find(frame).found.xyxy
    np.testing.assert_allclose(box, [x, 400, x + 30, 430], atol=6)


def test_a_large_thing_is_seen_once_and_as_in_the_whole_picture() -> None:
    frame = spot(300, 100, 600)
    plain, tiled = (Finder(detector).find(frame).found for detector in (Bright(), Bright(tiles_from=1600)))
    np.testing.assert_allclose(plain.xyxy, tiled.xyxy)


def test_smaller_pictures_and_frames_of_a_video_are_asked_once() -> None:
    detector = Bright(tiles_from=1600)
    looked_at(spot(10, 10, 200, 1200, 800), detector)
    assert detector.asked == 1
    looked_at(Frame(spot(10, 10, 200, 1700, 800).image, 3, 0.1, duration=0.04), detector)
    assert detector.asked == 2
    outputs, geometry = looked_at(spot(10, 10, 200, 1700, 800), detector)
    assert detector.asked > 4
    assert len(detect.decode(outputs, detector.card, geometry)) == 1
