"""The promises of io/sources.py and the files behind it: exact times, upright pictures, one sentence per bad input."""

import itertools
import os
from fractions import Fraction
from pathlib import Path

import pytest
from media import corners, read, save_picture, save_sound, save_video, stream_times, turn_video

from handlens.errors import FrameError, InputError
from handlens.io.sources.open import open_source

UNEVEN = [0, 33, 70, 71, 150, 400, 410, 1000, 1017, 1500, 3000, 3040, 3041, 3100, 5000, 5001, 5040, 5080, 6000, 6100]


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_frame_says_how_long_it_is_shown(tmp_path: Path, name: str) -> None:
    path = save_video(tmp_path / name, UNEVEN)
    frames, _ = read(path)
    steps = [b.time - a.time for a, b in itertools.pairwise(frames)]
    assert [f.duration for f in frames[:-1]] == pytest.approx(steps)
    assert 0 < frames[-1].duration <= 0.1
    third = read(path, every=3)[0]
    assert third[0].duration == pytest.approx(0.071)
    assert third[-1].time + third[-1].duration == pytest.approx(frames[-1].time + frames[-1].duration)
    assert read(save_picture(tmp_path / "a.png"))[0][0].duration == 0
