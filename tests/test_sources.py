"""The promises of io/sources.py and the files behind it: exact times, upright pictures, one sentence per bad input."""

import os
import struct
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import corners, quadrants, save_picture, save_sound, save_video, stream_times, turn_video

from handlens.errors import FrameError, HandlensError, InputError
from handlens.io.header import read_header
from handlens.io.pictures import decode_picture, read_picture
from handlens.io.sources import open_source
from handlens.types import Frame

UNEVEN = [0, 33, 70, 71, 150, 400, 410, 1000, 1017, 1500, 3000, 3040, 3041, 3100, 5000, 5001, 5040, 5080, 6000, 6100]


def read(text: str | Path, every: int = 1) -> tuple[list[Frame], list[HandlensError]]:
    errors: list[HandlensError] = []
    with open_source(str(text), every) as source:
        return list(source.frames(errors.append)), errors


# --- pictures


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".bmp", ".tif", ".ppm"])
def test_a_picture_is_one_frame_in_rgb(tmp_path: Path, ending: str) -> None:
    path = save_picture(tmp_path / f"a{ending}")
    frames, errors = read(path)
    assert errors == []
    assert [(f.index, f.time, f.source, f.width, f.height) for f in frames] == [(0, 0.0, str(path), 64, 48)]
    assert corners(frames[0].image) == ["red", "green", "blue", "white"]


def exif(orientation: int, order: str = "<") -> bytes:
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return start + struct.pack(order + "HHHIHHI", 1, 274, 3, 1, orientation, 0, 0)


STORED = {  # orientation -> how upright quadrants lie in the file
    1: lambda i: i,
    2: lambda i: i[:, ::-1],
    3: lambda i: i[::-1, ::-1],
    4: lambda i: i[::-1],
    5: lambda i: i.transpose(1, 0, 2),
    6: lambda i: np.rot90(i, 1),
    7: lambda i: np.rot90(i, 2).transpose(1, 0, 2),
    8: lambda i: np.rot90(i, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_a_picture_stands_upright_whatever_its_exif_says(tmp_path: Path, orientation: int, ending: str) -> None:
    path = save_picture(tmp_path / f"a{ending}", np.ascontiguousarray(STORED[orientation](quadrants())))
    data = path.read_bytes()
    order = "<" if orientation % 2 else ">"
    if ending == ".jpg":
        block = b"Exif\0\0" + exif(orientation, order)
        data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    else:
        import zlib

        chunk = b"eXIf" + exif(orientation, order)
        chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        data = data[:33] + chunk + data[33:]  # after IHDR
    image = decode_picture(data, "a")
    assert image.shape == (48, 64, 3)
    assert corners(image) == ["red", "green", "blue", "white"]


def test_grey_alpha_and_16_bit_pictures_become_8_bit_rgb(tmp_path: Path) -> None:
    grey = read_picture(str(save_picture(tmp_path / "grey.png", np.full((5, 7), 100, np.uint8))))
    assert (grey.shape, grey.dtype, grey.min(), grey.max()) == ((5, 7, 3), np.uint8, 100, 100)

    bgra = np.zeros((2, 3, 4), np.uint8)
    bgra[:, 0] = (0, 0, 255, 255)
    bgra[:, 1] = (0, 0, 255, 0)
    bgra[:, 2] = (0, 0, 255, 128)
    (tmp_path / "alpha.png").write_bytes(cv2.imencode(".png", bgra)[1].tobytes())
    assert read_picture(str(tmp_path / "alpha.png"))[0].tolist() == [[255, 0, 0], [255, 255, 255], [255, 127, 127]]

    deep = np.full((4, 4, 3), (65535, 32768, 256), np.uint16)
    (tmp_path / "deep.png").write_bytes(cv2.imencode(".png", deep)[1].tobytes())
    assert read_picture(str(tmp_path / "deep.png"))[0, 0].tolist() == [1, 128, 255]
    deep_grey = np.full((4, 4), 40000, np.uint16)
    (tmp_path / "deep.tif").write_bytes(cv2.imencode(".tif", deep_grey)[1].tobytes())
    assert read_picture(str(tmp_path / "deep.tif"))[0, 0].tolist() == [156] * 3


def test_one_pixel_and_20000_pixels_wide_pictures_can_be_read(tmp_path: Path) -> None:
    assert read_picture(str(save_picture(tmp_path / "dot.png", np.full((1, 1, 3), 9, np.uint8)))).shape == (1, 1, 3)
    wide = save_picture(tmp_path / "wide.jpg", np.zeros((300, 20000, 3), np.uint8))
    assert read_picture(str(wide)).shape == (300, 20000, 3)


def test_a_picture_too_large_for_memory_is_refused_before_it_is_decoded() -> None:
    data = bytearray(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes())
    struct.pack_into(">II", data, 16, 60000, 20000)
    with pytest.raises(FrameError, match=r"60000 x 20000 pixels \(1200 megapixels\); at most 400"):
        decode_picture(bytes(data), "bomb.png")


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".bmp", ".tif"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_a_picture_that_is_cut_off_is_an_error_without_noise(
    tmp_path: Path, ending: str, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    path = save_picture(tmp_path / f"a{ending}", rng.integers(0, 255, (90, 120, 3), np.uint8))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    frames, (error,) = read(path)
    assert frames == []
    assert isinstance(error, FrameError)
    assert str(path) in str(error)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("content", [b"hello, I am a text\n" * 20, b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM"])
def test_what_is_no_picture_is_a_sentence(tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text.jpg"
    path.write_bytes(content)
    frames, (error,) = read(path)
    assert frames == []
    assert isinstance(error, FrameError)
    assert capfd.readouterr().err == ""


def test_headers_of_damaged_files_never_raise() -> None:
    rng = np.random.default_rng(1)
    for ending in (".jpg", ".png", ".webp", ".tif", ".bmp"):
        good = cv2.imencode(ending, quadrants())[1].tobytes()
        assert (read_header(good).width, read_header(good).height, read_header(good).whole) == (64, 48, True)
        for _ in range(200):
            bad = bytearray(good[: rng.integers(2, len(good))])
            bad[rng.integers(2, len(bad)) if len(bad) > 2 else 0] = rng.integers(0, 256)
            read_header(bytes(bad))


# --- folders, globs, batches


def test_a_folder_gives_its_pictures_and_videos_in_order(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", ".hidden.jpg"):
        save_picture(tmp_path / name)
    save_video(tmp_path / "c.mp4", pts=[0, 40, 80])
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "deeper").mkdir()
    save_picture(tmp_path / "deeper" / "d.jpg")
    frames, errors = read(tmp_path)
    assert errors == []
    assert [(os.path.relpath(f.source, tmp_path), f.index) for f in frames] == [
        ("a.jpg", 0),
        ("b.png", 0),
        ("c.mp4", 0),
        ("c.mp4", 1),
        ("c.mp4", 2),
    ]
    assert [f.source for f in read(tmp_path / "*.png")[0]] == [str(tmp_path / "b.png")]
    with open_source(tmp_path / "*g") as source:
        assert (source.kind, source.total, source.live) == ("pictures", 2, False)


def test_one_bad_file_among_many_is_told_and_the_rest_is_done(tmp_path: Path) -> None:
    for name in ("a.jpg", "c.jpg"):
        save_picture(tmp_path / name)
    (tmp_path / "b.jpg").write_text("no picture")
    (tmp_path / "d.mp4").write_text("no video")
    frames, errors = read(tmp_path)
    assert [Path(f.source).name for f in frames] == ["a.jpg", "c.jpg"]
    assert all(isinstance(error, FrameError) for error in errors)
    assert len(errors) == 2


def test_what_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    for text in (tmp_path / "none.jpg", tmp_path, tmp_path / "*.jpg"):
        with pytest.raises(InputError, match=r"does not exist|holds no|matches no"):
            open_source(text)
    with pytest.raises(InputError, match="every"):
        open_source(save_picture(tmp_path / "a.jpg"), every=0)
    with pytest.raises(InputError, match="predict"):
        open_source(tmp_path / "a.jpg", live=True)


def test_a_name_with_glob_signs_or_of_digits_is_still_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_picture(Path("a[1].jpg"))
    assert len(read("a[1].jpg")[0]) == 1
    save_picture(Path("0.jpg")).rename("0")
    assert open_source("0").kind == "video"  # without an ending FFmpeg decides
    save_video(Path("x.mp4"), pts=[0, 40]).rename("a:b.mp4")
    assert len(read("a:b.mp4")[0]) == 2


# --- videos


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.webm", "libvpx"), ("a.ts", "libx264")]
)
@pytest.mark.parametrize("pts", [list(range(0, 800, 40)), UNEVEN, [t + 1234 for t in UNEVEN]])
def test_times_are_those_of_the_stream_exactly(tmp_path: Path, name: str, codec: str, pts: list[int]) -> None:
    path = save_video(tmp_path / name, pts, codec)
    frames, errors = read(path)
    assert errors == []
    assert [f.time for f in frames] == stream_times(path)
    assert [f.time for f in frames] == pytest.approx([(t - pts[0]) / 1000 for t in pts], abs=1e-4)
    assert [f.index for f in frames] == list(range(len(pts)))
    assert all(f.source == str(path) for f in frames)


@pytest.mark.parametrize("codec", ["mpeg4", "libx264", "mjpeg"])
def test_an_avi_is_read_with_a_constant_rate(tmp_path: Path, codec: str) -> None:
    path = save_video(tmp_path / "a.avi", range(30), codec, base=Fraction(1, 25))
    frames, errors = read(path)
    assert errors == []
    assert [f.time for f in frames] == pytest.approx([n / 25 for n in range(30)])
    brightness = [float(f.image.mean()) for f in frames]
    assert brightness == sorted(brightness)


def test_an_animated_picture_is_a_video(tmp_path: Path) -> None:
    path = save_video(tmp_path / "a.gif", [0, 10, 50, 60], "gif", base=Fraction(1, 100))
    frames, errors = read(path)
    assert errors == []
    assert [f.time for f in frames] == pytest.approx([0, 0.1, 0.5, 0.6])


def test_a_video_filmed_upright_is_turned(tmp_path: Path) -> None:
    frames, _ = read(turn_video(save_video(tmp_path / "a.mp4")))
    assert frames[0].image.shape == (64, 48, 3)
    bright = frames[-1].image.astype(int) - frames[-1].image.min(axis=(0, 1))
    assert corners((bright * 2).clip(0, 255)) == ["blue", "red", "white", "green"]


def test_every_counts_frames_of_the_file_and_keeps_their_index_and_time(tmp_path: Path) -> None:
    path = save_video(tmp_path / "a.mp4", UNEVEN)
    frames, _ = read(path, every=7)
    assert [f.index for f in frames] == [0, 7, 14]
    assert [f.time for f in frames] == [stream_times(path)[i] for i in (0, 7, 14)]
    with open_source(path, every=7) as source:
        assert (source.total, source.kind, source.live) == (3, "video", False)


def test_a_video_whose_index_is_missing_is_a_sentence(tmp_path: Path) -> None:
    path = save_video(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(FrameError, match="cut off: its index, at the end of the file, is missing"):
        open_source(path)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {"movflags": "faststart"}),
        ("b.mp4", "libx264", {"movflags": "frag_every_frame+empty_moov"}),
        ("a.mkv", "libx264", {}),
        ("a.webm", "libvpx", {}),
        ("a.avi", "mpeg4", {}),
    ],
)
def test_a_video_that_is_cut_off_gives_its_frames_and_then_an_error(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    base = Fraction(1, 25) if name.endswith("avi") else Fraction(1, 1000)
    pts = range(60) if name.endswith("avi") else range(0, 2400, 40)
    path = save_video(tmp_path / name, pts, codec, base, options=options)
    assert read(path)[1] == []
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    frames, (error,) = read(path)
    assert 5 < len(frames) < 60
    assert [f.index for f in frames] == list(range(len(frames)))
    assert isinstance(error, FrameError)
    assert f"cut off or damaged: {len(frames)} frames" in str(error).replace(" (invalid data found)", "")


@pytest.mark.parametrize("name", ["a.mp4", "a.m4a", "a.mkv"])
def test_a_video_without_frames_is_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(FrameError, match="only sound"):
        open_source(save_sound(tmp_path / name))


@pytest.mark.parametrize("name", ["a.mp4", "a.txt", "a", "a.avi", "a.m3u8"])
@pytest.mark.parametrize("content", [b"I am a text.\n" * 40, b"", b"\0" * 4000])
def test_what_is_no_video_is_a_sentence(
    tmp_path: Path, name: str, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FrameError, match=r"neither a picture nor a video|is empty|without"):
        read(path)
    assert capfd.readouterr().err == ""


def test_a_play_list_cannot_reach_the_network(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        (tmp_path / "a.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n")
        with pytest.raises(FrameError):
            read(tmp_path / "a.m3u8")
        with pytest.raises(TimeoutError):
            server.accept()


def test_memory_stays_constant_over_a_long_video(tmp_path: Path) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    if not Path("/proc/self/statm").exists():
        pytest.skip("reads the memory from /proc")
    path = save_video(tmp_path / "a.mp4", range(0, 1500 * 40, 40), size=(160, 120))
    with open_source(path) as source:
        frames = source.frames()
        for _ in range(300):
            next(frames)
        before = resident()
        assert sum(1 for _ in frames) == 1200
        assert resident() - before < 10e6
