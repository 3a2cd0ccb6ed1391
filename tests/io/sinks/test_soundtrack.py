"""An annotated video keeps the sound of its source, at the same times."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media import quadrants, touch_result

from handlens.io.sinks.annotated import Annotated
from handlens.io.sources.open import open_source

BEEP = 1.2  # seconds at which the sound begins


def clip(
    path: Path,
    codec: str | None = "aac",
    tracks: int = 1,
    picture: tuple[float, float] = (0.0, 2.0),
    sound: tuple[float, float] = (0.0, 2.0),
    beep: float = BEEP,
    format: str | None = None,
) -> Path:
    """Write a video with silence and, from `beep` on, a tone. picture, sound: when they begin and end, in seconds."""
    rate = 48000
    with av.open(str(path), "w", format=format) as out:
        video = out.add_stream("libx264", rate=10, options={"preset": "ultrafast", "bf": "0"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        heard = [out.add_stream(codec, rate=rate, layout="mono") for _ in range(tracks)] if codec else []
        time = np.arange(round(sound[0] * rate), round(sound[1] * rate)) / rate
        wave = (0.5 * np.sin(2 * np.pi * 1000 * time) * (time >= beep)).astype(np.float32)
        for track in heard:
            kind = track.codec_context.format.name
            resampler = av.AudioResampler(kind, "mono", rate, frame_size=track.codec_context.frame_size or 1024)
            block = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
            block.sample_rate, block.pts, block.time_base = rate, round(sound[0] * rate), Fraction(1, rate)
            for part in [*resampler.resample(block), *resampler.resample(None), None]:
                out.mux(track.encode(part))
        for number in range(round(picture[0] * 10), round(picture[1] * 10)):
            frame = av.VideoFrame.from_ndarray(quadrants(), format="rgb24")
            frame.pts, frame.time_base = number * 100, Fraction(1, 1000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def annotate(source: Path, out: Path, every: int = 1, frames: slice = slice(None)) -> tuple[Path, list[str]]:
    """Draw on all frames of a video, or on some; return the film and the remarks."""
    remarks: list[str] = []
    with open_source(str(source), every) as opened, Annotated(out, remark=remarks.append) as sink:
        for frame in list(opened.frames())[frames]:
            sink.write(frame, touch_result(0.9, frame.time, frame.index, frame.source))
    (film,) = out.glob("*.mp4")
    return film, remarks


def heard(path: Path, track: int = 0) -> tuple[float, float, str]:
    """Return when the tone begins, when the sound ends, both from the container's start, and the codec."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[track]
        start = (container.start_time or 0) / av.time_base
        begins, end = -1.0, 0.0
        for frame in container.decode(stream):
            wave = np.abs(frame.to_ndarray().astype(np.float64)).reshape(-1)
            wave /= 1.0 if frame.format.name.startswith("flt") else 32768.0
            at = float(frame.pts * frame.time_base) - start
            loud = np.flatnonzero(wave > 0.2)
            if begins < 0 and len(loud):
                begins = at + loud[0] / frame.sample_rate
            end = at + frame.samples / frame.sample_rate
        return begins, end, stream.codec_context.name


def shown(path: Path) -> tuple[float, float]:
    """Return the times of the first and the last picture, counted from the container's start."""
    with av.open(str(path)) as container:
        start = (container.start_time or 0) / av.time_base
        times = [float(frame.pts * frame.time_base) - start for frame in container.decode(video=0)]
    return min(times), max(times)


@pytest.mark.parametrize(
    ("name", "codec", "kept"),
    [
        ("a.mp4", "aac", "aac"),
        ("a.ts", "aac", "aac"),
        ("a.mkv", "libmp3lame", "mp3float"),
        ("a.mkv", "libopus", "opus"),
        ("a.mkv", "flac", "flac"),
        ("a.mov", "pcm_s16le", "aac"),
        ("a.avi", "mp2", "aac"),
    ],
)
def test_the_sound_is_copied_or_encoded_anew_and_begins_when_it_did(
    tmp_path: Path, name: str, codec: str, kept: str
) -> None:
    source = clip(tmp_path / name, codec)
    film, remarks = annotate(source, tmp_path / "out")
    begins, end, coded = heard(film)
    assert (remarks, coded) == ([], kept)
    assert begins == pytest.approx(heard(source)[0], abs=0.03)
    assert begins == pytest.approx(BEEP, abs=0.06)
    assert end == pytest.approx(2.0, abs=0.1)
    assert shown(film) == pytest.approx((0.0, 1.9), abs=0.03)


def test_a_file_without_sound_stays_without(tmp_path: Path) -> None:
    film, remarks = annotate(clip(tmp_path / "a.mp4", None), tmp_path / "out")
    with av.open(str(film)) as container:
        assert (len(container.streams.audio), remarks) == (0, [])


def test_every_track_is_kept(tmp_path: Path) -> None:
    film, _ = annotate(clip(tmp_path / "a.mkv", "aac", tracks=2), tmp_path / "out")
    assert [heard(film, track)[0] for track in (0, 1)] == pytest.approx([BEEP, BEEP], abs=0.06)


def test_a_picture_that_begins_after_the_sound_still_does(tmp_path: Path) -> None:
    film, _ = annotate(clip(tmp_path / "a.mp4", picture=(0.8, 2.0)), tmp_path / "out")
    assert heard(film)[0] == pytest.approx(BEEP, abs=0.06)
    assert shown(film)[0] == pytest.approx(0.8, abs=0.03)


def test_sound_that_is_longer_than_the_picture_stays(tmp_path: Path) -> None:
    film, _ = annotate(clip(tmp_path / "a.mp4", sound=(0.0, 3.5)), tmp_path / "out")
    assert heard(film)[1] == pytest.approx(3.5, abs=0.1)


def test_every_third_frame_has_all_of_the_sound(tmp_path: Path) -> None:
    film, _ = annotate(clip(tmp_path / "a.mp4"), tmp_path / "out", every=3)
    begins, end, _ = heard(film)
    assert begins == pytest.approx(BEEP, abs=0.06)
    assert end == pytest.approx(2.0, abs=0.1)


def test_of_a_part_of_the_frames_only_their_sound_is_kept(tmp_path: Path) -> None:
    film, _ = annotate(clip(tmp_path / "a.mp4"), tmp_path / "out", frames=slice(10, 15))
    with av.open(str(film)) as container:
        times = [float(p.pts * p.time_base) for p in container.demux(audio=0) if p.pts is not None]
    assert min(times) == pytest.approx(1.0, abs=0.05)
    assert max(times) == pytest.approx(1.5, abs=0.05)


def test_broken_sound_is_a_remark_and_the_pictures_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Sequence[object]) -> None:
        raise ValueError("no such codec")

    source = clip(tmp_path / "a.mp4")
    monkeypatch.setattr("handlens.io.sinks.soundtrack._track", broken)
    film, remarks = annotate(source, tmp_path / "out")
    assert len(remarks) == 1
    assert "could not be kept" in remarks[0]
    assert shown(film)[1] == pytest.approx(1.9, abs=0.03)
