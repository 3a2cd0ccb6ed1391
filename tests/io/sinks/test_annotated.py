"""The promises of io/annotated.py and io/film.py: true times, every size, nothing overwritten."""

import os
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from media import fail, frame, quadrants, save_picture, stream_times, write

from handlens.io.pictures.read import read_picture
from handlens.io.sinks.annotated import Annotated
from handlens.io.sinks.film import Film
from handlens.io.sinks.threaded import Threaded

UNEVEN = [0.0, 0.033, 0.1, 0.5, 0.517, 2.0]


def test_pictures_keep_their_names_and_size(tmp_path: Path) -> None:
    names = ["a/x.jpg", "b/x.jpg", "b/X.JPEG", "c/y.tif", "c/y.png", "a/x.jpg"]
    with Annotated(tmp_path / "out") as sink:
        write(sink, *(frame(source=str(tmp_path / name)) for name in names))
    assert sorted(os.listdir(tmp_path / "out")) == ["X-3.jpg", "x-2.jpg", "x.jpg", "y-2.png", "y.png"]
    assert read_picture(str(tmp_path / "out" / "y.png")).shape == (48, 64, 3)


def test_an_input_is_never_overwritten(tmp_path: Path) -> None:
    inputs = [save_picture(tmp_path / "a.jpg"), save_picture(tmp_path / "b.jpg")]
    before = [path.read_bytes() for path in inputs]
    (tmp_path / "elsewhere").mkdir()
    with Annotated(tmp_path, [str(path) for path in inputs]) as sink:
        write(sink, *(frame(source=str(path)) for path in (*inputs, tmp_path / "elsewhere" / "b.jpg")))
    assert [path.read_bytes() for path in inputs] == before
    assert sorted(p.name for p in tmp_path.glob("*.jpg")) == ["a-2.jpg", "a.jpg", "b-2.jpg", "b-3.jpg", "b.jpg"]


@pytest.mark.parametrize("size", [(64, 48), (65, 49), (1, 1), (33, 200), (5000, 40)])
def test_a_film_keeps_the_times_of_its_source(tmp_path: Path, size: tuple[int, int]) -> None:
    with Annotated(tmp_path) as sink:
        write(sink, *(frame(i, t, "dir/clip.mkv", size) for i, t in enumerate(UNEVEN)))
    assert stream_times(tmp_path / "clip.mp4") == pytest.approx(UNEVEN, abs=1e-4)
    with av.open(str(tmp_path / "clip.mp4")) as film:
        width, height = film.streams.video[0].width, film.streams.video[0].height
    assert (width % 2, height % 2) == (0, 0)
    if min(size) >= 16 and max(size) <= 3840:
        assert (width - size[0], height - size[1]) == (size[0] % 2, size[1] % 2)


def test_sources_one_after_the_other_get_a_film_each(tmp_path: Path) -> None:
    sources = ["a/clip.mp4", "b/clip.mp4", "0", "rtsp://camera:554/door?x=1", "a/still.png"]
    with Annotated(tmp_path) as sink:
        for source in sources:
            write(sink, *(frame(i, i / 25, source) for i in range(3)))
    assert sorted(os.listdir(tmp_path)) == [
        "camera-0.mp4",
        "clip-2.mp4",
        "clip.mp4",
        "rtsp-camera-554-door-x-1.mp4",
        "still.png",
        "still_page2.png",
        "still_page3.png",
    ]
    assert len(stream_times(tmp_path / "clip-2.mp4")) == 3


def test_a_stream_that_changes_its_size_stays_one_film(tmp_path: Path) -> None:
    with Film(tmp_path / "a.mp4") as film:
        for number, size in enumerate([(64, 48), (128, 96), (30, 20)]):
            film.add(quadrants(*size), number / 25)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert [(f.width, f.height) for f in container.decode(video=0)] == [(64, 48)] * 3


def test_where_there_is_no_h264_encoder_the_film_is_mpeg4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlens.io.sinks.film._ENCODERS", (("no such encoder", {}), ("mpeg4", {"qscale": "4"})))
    with Film(tmp_path / "a.mp4") as film:
        for number, moment in enumerate(UNEVEN):
            film.add(quadrants(65, 49) + np.uint8(number), moment)
    assert stream_times(tmp_path / "a.mp4") == pytest.approx(UNEVEN, abs=1e-4)


def test_an_interrupted_film_is_finished_and_a_broken_one_removed(tmp_path: Path) -> None:
    ten = [frame(i, i / 25, "clip.mp4") for i in range(10)]
    with pytest.raises(KeyboardInterrupt), Threaded(Annotated(tmp_path)) as sink:
        fail(write(sink, *ten), KeyboardInterrupt)
    assert len(stream_times(tmp_path / "clip.mp4")) == 10
    with pytest.raises(RuntimeError), Threaded(Annotated(tmp_path / "b")) as sink:
        fail(write(sink, *ten), RuntimeError)
    assert not (tmp_path / "b").exists(), "nor the folder, which holds nothing"


def test_the_annotated_picture_is_drawn_on(tmp_path: Path) -> None:
    with Annotated(tmp_path) as sink:
        write(sink, frame(source="a.png"))
    drawn = cv2.imread(str(tmp_path / "a.png"))
    assert not np.array_equal(drawn[..., ::-1], quadrants())
