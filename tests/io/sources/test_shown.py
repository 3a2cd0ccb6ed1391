"""The promises about videos as players show them: times, orientation, streams, parts, and damage that is told."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from films import broken, film, set_matrix
from media import corners, quadrants, save_video

from handlens.errors import FrameError, InputError
from handlens.io.reading import Reading
from handlens.io.sources.open import open_source
from handlens.io.upright import Upright, shown_size
from handlens.types import Frame


def look(path: Path, **how: object) -> tuple[list[Frame], list[str], list[str]]:
    """Frames, errors and remarks of a source."""
    errors: list[str] = []
    remarks: list[str] = []
    with open_source(path, reading=Reading(remark=remarks.append, **how)) as source:  # type: ignore[arg-type]
        frames = list(source.frames(lambda error: errors.append(str(error))))
    return frames, errors, remarks


# --- times


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_times_count_from_the_start_of_the_container(tmp_path: Path, name: str) -> None:
    frames, errors, _ = look(film(tmp_path / name, start=3.2, sound=0))
    assert errors == []
    assert [f.time for f in frames[:3]] == pytest.approx([3.2, 3.24, 3.28], abs=1e-3)
    assert look(film(tmp_path / name, start=2, sound=5))[0][0].time == 0  # the picture is first: it starts the count


@pytest.mark.parametrize("name", ["a.ts", "a.mpg", "a.vob"])
def test_a_transport_that_starts_later_than_0_still_begins_at_0(tmp_path: Path, name: str) -> None:
    frames, errors, _ = look(film(tmp_path / name, codec="mpeg2video"))
    assert (errors, len(frames)) == ([], 50)
    assert [f.time for f in frames] == pytest.approx([n / 25 for n in range(50)], abs=1e-4)


def test_times_that_begin_anew_go_on(tmp_path: Path) -> None:
    part = film(tmp_path / "a.ts", start=2).read_bytes()
    (tmp_path / "b.ts").write_bytes(part + part)
    frames, errors, _ = look(tmp_path / "b.ts")
    assert errors == []
    assert [f.time for f in frames] == pytest.approx([n / 25 for n in range(100)], abs=2e-3)


def test_a_raw_stream_needs_a_rate(tmp_path: Path) -> None:
    raw = save_video(tmp_path / "a.mjpeg", range(10), "mjpeg", Fraction(1, 25))
    with pytest.raises(FrameError, match=r"holds no times, and no rate of frames: add .* --fps 25"):
        open_source(raw)
    frames, _, _ = look(raw, fps=10)
    assert [f.time for f in frames] == pytest.approx([n / 10 for n in range(10)])
    assert frames[-1].duration == pytest.approx(0.1)
    stated = save_video(tmp_path / "a.h264", range(10), "libx264", Fraction(1, 25))
    frames, errors, remarks = look(stated)
    assert [f.time for f in frames] == pytest.approx([n / 25 for n in range(10)])
    assert errors == []
    assert "counted at the rate in its header, 25 frames a second" in remarks[0]


# --- parts


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.mpg", "a.m2v"])
@pytest.mark.parametrize("start", [0.5, 1.0])
def test_a_part_has_the_frames_times_and_numbers_of_the_whole(tmp_path: Path, name: str, start: float) -> None:
    path = film(tmp_path / name, codec="mpeg2video" if name in ("a.mpg", "a.m2v") else "libx264")
    whole = [f for f in look(path)[0] if start - 1e-6 <= f.time < start + 0.4]
    part, errors, _ = look(path, start=start, stop=start + 0.4)
    assert errors == []
    assert [(f.index, f.time) for f in part] == [(f.index, f.time) for f in whole]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(part, whole, strict=True))
    assert part[-1].time + part[-1].duration <= start + 0.4 + 1e-6
    third, _, _ = look(path, start=start, stop=start + 0.4, every=3)
    assert [f.index for f in third] == [f.index for f in whole if f.index % 3 == 0]


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("mpeg4", {"g": "9", "bf": "2"}),
        ("mpeg4", {"g": "14", "bf": "4"}),
        ("libx264", {"x264-params": "open-gop=1:keyint=12:min-keyint=12:bframes=3"}),
    ],
)
@pytest.mark.parametrize("number", [1, 16, 33, 64, 71, 98])
def test_a_part_of_an_avi_with_frames_that_need_later_ones(
    tmp_path: Path, codec: str, options: dict[str, str], number: int
) -> None:
    path = tmp_path / "a.avi"
    ground = np.random.default_rng(0).integers(0, 235, (64, 96, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for shift in range(100):
            picture = np.roll(ground, shift, axis=1) + np.uint8(shift % 20)
            container.mux(stream.encode(VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    whole = [f for f in look(path)[0] if f.index >= number]
    part, errors, _ = look(path, start=number / 25)
    assert errors == []
    assert [(f.index, f.time) for f in part] == [(f.index, f.time) for f in whole]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(part, whole, strict=True))


def test_a_part_of_times_that_begin_anew(tmp_path: Path) -> None:
    part = film(tmp_path / "a.ts", start=2).read_bytes()
    (tmp_path / "b.ts").write_bytes(part + part)
    frames, _, _ = look(tmp_path / "b.ts", start=3.0, stop=3.2)
    assert [f.index for f in frames] == [75, 76, 77, 78, 79]


def test_a_part_behind_the_end_is_a_sentence(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")
    assert look(path, start=9)[1] == [f"'{path}' has no frame from 9 s: it ends at 2.0 s."]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"start": -1.0}, "start must be 0 or more"),
        ({"start": 2.0, "stop": 1.0}, "later than start"),
        ({"rotate": 45}, "0, 90, 180 or 270"),
        ({"fps": 0.0}, "fps must be from 0.0001 to 10000"),
        ({"fps": 1e-9}, "fps must be from 0.0001 to 10000"),
        ({"every": 0}, "every must be 1 or more"),
    ],
)
def test_a_reading_that_cannot_be_is_refused(how: dict[str, float], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Reading(**how)  # type: ignore[arg-type]


def test_a_camera_has_no_parts() -> None:
    with pytest.raises(InputError, match="not for a camera"):
        open_source("0", reading=Reading(start=1))


# --- orientation


MATRICES = {  # how a player shows quadrants (red green / blue white) by the four numbers of a display matrix
    (1, 0, 0, 1): ["red", "green", "blue", "white"],
    (-1, 0, 0, -1): ["white", "blue", "green", "red"],
    (0, 1, -1, 0): ["blue", "red", "white", "green"],
    (0, -1, 1, 0): ["green", "white", "red", "blue"],
    (-1, 0, 0, 1): ["green", "red", "white", "blue"],
    (1, 0, 0, -1): ["blue", "white", "red", "green"],
    (0, 1, 1, 0): ["red", "blue", "green", "white"],
    (0, -1, -1, 0): ["white", "green", "blue", "red"],
}


def sharp(frame: Frame) -> list[str]:
    image = frame.image.astype(int) - frame.image.min(axis=(0, 1))
    return corners((image * 2).clip(0, 255))


@pytest.mark.parametrize("numbers", MATRICES)
def test_a_video_is_turned_and_mirrored_as_its_matrix_says(tmp_path: Path, numbers: tuple[int, int, int, int]) -> None:
    frames, _, _ = look(set_matrix(film(tmp_path / "a.mp4", count=3), numbers))
    assert sharp(frames[-1]) == MATRICES[numbers]
    assert frames[0].image.shape == ((48, 64, 3) if numbers[0] else (64, 48, 3))


def test_the_users_own_turn_comes_on_top(tmp_path: Path) -> None:
    path = set_matrix(film(tmp_path / "a.mp4", count=3), (0, 1, -1, 0))
    assert sharp(look(path, rotate=90)[0][0]) == ["white", "blue", "green", "red"]
    assert sharp(look(path, mirror=True)[0][0]) == ["red", "blue", "green", "white"]
    assert sharp(look(path, rotate=270, mirror=True)[0][0]) == ["green", "red", "white", "blue"]


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    assert look(film(tmp_path / "a.mp4", count=3, shape=Fraction(4, 3)))[0][0].image.shape == (48, 85, 3)
    assert look(film(tmp_path / "b.mkv", count=3, shape=Fraction(1, 2)))[0][0].image.shape == (96, 64, 3)
    assert shown_size(720, 576, Fraction(16, 15)) == (768, 576)
    assert shown_size(640, 480, Fraction(1216, 1215)) == (640, 480)
    assert shown_size(640, 480, Fraction(1, 100)) == (640, 480)


@pytest.mark.parametrize(
    ("format", "yuv", "space", "range"),
    [
        ("yuv420p", (63, 102, 240), 1, 1),  # BT.709, limited
        ("yuv420p", (81, 90, 240), 5, 1),  # BT.601, limited
        ("yuv420p", (81, 90, 240), 2, 1),  # not stated, small: BT.601
        ("yuv420p", (54, 99, 255), 1, 2),  # BT.709, full
        ("yuv420p10le", (63 * 4, 102 * 4, 240 * 4), 1, 1),
        ("yuv420p", (74, 97, 240), 9, 1),  # BT.2020
    ],
)
def test_colours_follow_the_matrix_and_the_range(
    format: str, yuv: tuple[int, int, int], space: int, range: int
) -> None:
    picture = VideoFrame(32, 32, format)
    for plane, value in zip(picture.planes, yuv, strict=True):
        kind = np.uint16 if "10" in format else np.uint8
        plane.update(np.full(plane.buffer_size // kind().itemsize, value, kind).tobytes())
    picture.colorspace, picture.color_range = space, range
    assert Upright()(picture)[16, 16] == pytest.approx([255, 0, 0], abs=4)


def test_an_unstated_matrix_of_a_large_picture_is_that_of_television() -> None:
    picture = VideoFrame(1280, 720, "yuv420p")
    for plane, value in zip(picture.planes, (63, 102, 240), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    assert Upright()(picture)[16, 16] == pytest.approx([255, 0, 0], abs=4)


def test_transparent_frames_are_laid_on_white() -> None:
    picture = VideoFrame.from_ndarray(np.full((16, 16, 4), (255, 0, 0, 0), np.uint8), format="rgba")
    assert Upright()(picture)[3, 3].tolist() == [255, 255, 255]


# --- streams


def two_streams(path: Path, first_is_default: bool) -> Path:
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for stream, size in zip(streams, ((64, 48), (128, 96)), strict=True):
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        streams[0].disposition = av.stream.Disposition.default if first_is_default else 0
        streams[1].disposition = 0 if first_is_default else av.stream.Disposition.default
        for stream in streams:
            for _ in range(3):
                picture = VideoFrame.from_ndarray(quadrants(stream.width, stream.height), format="rgb24")
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
    return path


def test_the_default_stream_is_read_and_said(tmp_path: Path) -> None:
    frames, errors, (remark,) = look(two_streams(tmp_path / "a.mkv", first_is_default=False))
    assert (frames[0].width, errors) == (128, [])
    assert "2 video streams, 0 (64 x 48), 1 (128 x 96, default): 1 is read (--stream N" in remark
    assert look(two_streams(tmp_path / "b.mkv", first_is_default=True))[0][0].width == 64


def test_a_stream_can_be_named(tmp_path: Path) -> None:
    path = two_streams(tmp_path / "a.mkv", first_is_default=False)
    frames, _, remarks = look(path, stream=0)
    assert (frames[0].width, remarks) == (64, [])
    with pytest.raises(FrameError, match=r"no video stream 7: it has 0 \(64 x 48\), 1"):
        open_source(path, reading=Reading(stream=7))


# --- damage


@pytest.mark.slow
@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.avi", "mpeg4"), ("a.ts", "mpeg2video")])
def test_damaged_frames_are_told_with_their_times(tmp_path: Path, name: str, codec: str) -> None:
    path = film(tmp_path / name, codec=codec, size=(160, 120), noise=True)
    assert look(path)[1] == []
    frames, (error,), _ = look(broken(path, 0.5, 0.55))
    assert len(frames) >= 45
    assert "is damaged: frames are damaged from " in error
    words = error.split()
    begin, end = (float(words[words.index(word) + 1]) for word in ("from", "to"))
    assert 0.6 <= begin <= 1.2
    assert begin < end <= 1.7  # to the next key frame
    assert look(path, stop=0.5)[1] == []


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "ffv1"), ("b.avi", "mjpeg")])
def test_damage_that_only_the_log_tells(
    tmp_path: Path, name: str, codec: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = film(tmp_path / name, codec=codec, size=(160, 120), noise=True)
    assert look(path)[1] == []
    (error,) = look(broken(path, 0.5, 0.55))[1]
    assert "frames are damaged" in error
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_a_hole_is_told(tmp_path: Path) -> None:
    with av.open(str(film(tmp_path / "a.mp4", size=(160, 120), noise=True))) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    for begin, size in places[20:30]:
        data[begin : begin + size] = bytes(size)
    (tmp_path / "a.mp4").write_bytes(bytes(data))
    frames, (error,), _ = look(tmp_path / "a.mp4")
    assert 30 <= len(frames) <= 45
    assert "no frame can be read from 0." in error


@pytest.mark.slow
def test_lost_parts_of_a_transport_stream_are_told(tmp_path: Path) -> None:
    path = film(tmp_path / "a.ts", size=(160, 120), noise=True)
    data = path.read_bytes()
    middle = len(data) // 188 // 2 * 188
    path.write_bytes(data[:middle] + data[middle + 188 * 7 :])
    (error,) = look(path)[1]
    assert "frames are damaged" in error


@pytest.mark.slow
def test_a_recording_that_begins_between_key_frames_is_no_error(tmp_path: Path) -> None:
    path = film(tmp_path / "a.ts", size=(160, 120), noise=True)
    data = path.read_bytes()
    path.write_bytes(data[len(data) // 188 // 20 * 188 :])
    frames, errors, (remark,) = look(path)
    assert errors == []
    assert frames[0].time > 0
    assert "begins between two key frames" in remark
