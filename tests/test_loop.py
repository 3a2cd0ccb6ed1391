"""The promises of the loop: nothing lost from a file, nothing late from a camera, Ctrl-C keeps what was done."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from made_source import Made
from media import BrightPredictor, quadrants, save_picture, save_video, stream_times

from handlens.errors import FrameError, HandlensError, OutputError
from handlens.events import EventTracker
from handlens.io.sinks.annotated import Annotated
from handlens.io.sinks.base import EventFile, JsonLines, Sink
from handlens.io.sinks.threaded import Threaded
from handlens.io.sources.live import Live
from handlens.io.sources.open import open_source
from handlens.loop import Step, run
from handlens.result import Result
from handlens.track import Tracker
from handlens.types import Event, Frame


class Remember(Sink):
    def __init__(self) -> None:
        self.results: list[Result] = []
        self.events: list[Event] = []

    def write(self, frame: Frame, result: Result) -> None:
        assert (frame.index, frame.source) == (result.index, result.source)
        self.results.append(result)

    def note(self, event: Event) -> None:
        self.events.append(event)


def test_a_file_gives_every_frame_its_events_and_a_summary(tmp_path: Path) -> None:
    path = save_video(tmp_path / "a.mp4", range(0, 2000, 40))
    steps: list[Step] = []
    sink, tracker = Remember(), EventTracker(open=0.3, close=0.3)
    with open_source(path) as source:
        summary = run(source, BrightPredictor(), Tracker(), tracker, [sink], progress=steps.append)
    assert [r.time for r in sink.results] == stream_times(path)
    assert summary.frames == len(steps) == 50
    assert summary.sources == 1
    assert summary.seconds == pytest.approx(1.96)
    assert not summary.interrupted
    (event,) = sink.events  # it gets brighter to the end: the source's end closes the event
    assert (event.stop_frame, event.source, event.subject) == (49, str(path), "face 1")
    assert summary.events == 1
    assert [len(step.opened) for step in steps].count(1) == 1
    assert steps[0].total == 50
    assert steps[-1].active


def test_events_that_close_on_the_way_reach_all_sinks_once() -> None:
    sinks = [Remember(), Remember()]
    summary = run(Made(500, (1.0, 2.0)), BrightPredictor(), None, EventTracker(), sinks)
    for sink in sinks:
        (event,) = sink.events
        assert (event.start, event.stop) == (1.0, pytest.approx(1.99))
    assert summary.regions["cheek"].count == 1


def test_unreadable_files_are_told_and_the_rest_is_done(tmp_path: Path) -> None:
    for name in ("a.jpg", "c.jpg"):
        save_picture(tmp_path / name)
    (tmp_path / "b.jpg").write_text("no picture")
    told: list[HandlensError] = []
    with open_source(tmp_path) as source:
        summary = run(source, BrightPredictor(), on_error=told.append)
    assert summary.frames == 2
    assert summary.errors == told
    assert isinstance(told[0], FrameError)


def test_several_sources_can_share_one_summary() -> None:
    summary = run(Made(101), BrightPredictor())
    summary = run(Made(51), BrightPredictor(), summary=summary)
    assert (summary.frames, summary.sources, summary.seconds) == (152, 2, pytest.approx(1.5))


def test_what_the_user_asks_of_the_model_reaches_it() -> None:
    asked = {}

    def predict(frame: Frame, **options: object) -> Result:
        asked.update(options)
        return BrightPredictor().predict(frame)

    run(Made(1), SimpleNamespace(predict=predict), min_score=0.7, crop="whole")
    assert asked == {"min_score": 0.7, "crop": "whole"}


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_done(tmp_path: Path) -> None:
    events = EventTracker()
    sinks = [
        Threaded(JsonLines(tmp_path / "a.jsonl")),
        Threaded(Annotated(tmp_path)),
        Threaded(EventFile(tmp_path / "a.csv")),
    ]
    with sinks[0], sinks[1], sinks[2]:
        summary = run(Made(900, (1.0, 9.0), interrupt_at=300), BrightPredictor(), None, events, sinks)
    assert summary.interrupted
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 300
    assert len(stream_times(tmp_path / "made.mp4")) == 300
    row = (tmp_path / "a.csv").read_text().splitlines()[1]
    assert row == "made.mp4,face 7,cheek,1.000,2.990,100,299,0.902,,hand 8,cheek:1.990,,1"


@pytest.mark.slow
def test_a_real_ctrl_c_in_the_middle_of_writing_leaves_whole_files(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from made_source import Made
from media import BrightPredictor
from handlens.events import EventTracker
from handlens.io.sinks.annotated import Annotated
from handlens.io.sinks.base import JsonLines
from handlens.io.sinks.threaded import Threaded
from handlens.loop import run
sinks = [Threaded(JsonLines("a.jsonl")), Threaded(Annotated("out"))]
def tell(step):
    print(step.frame.index, flush=True)
with sinks[0], sinks[1]:
    summary = run(Made(10**6), BrightPredictor(), None, EventTracker(), sinks, progress=tell)
print("interrupted", summary.interrupted, summary.frames)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while process.stdout.readline() != "200\n":
        pass
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    assert process.wait(20) == 0
    process.stdout.close()
    assert "interrupted True" in rest
    frames = [json.loads(line)["frame"] for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert frames == list(range(len(frames)))
    assert len(frames) >= 201
    assert abs(len(stream_times(tmp_path / "out" / "made.mp4")) - len(frames)) <= 1
    assert sorted(os.listdir(tmp_path)) == ["a.jsonl", "out"]


def test_an_answer_that_cannot_be_written_ends_the_run() -> None:
    class Full(Sink):
        def write(self, frame: Frame, result: Result) -> None:
            raise OutputError("the disk is full")

    with pytest.raises(OutputError, match="the disk is full"):
        run(Made(10), BrightPredictor(), sinks=[Full()])


def test_max_seconds_ends_a_run_even_when_nothing_comes() -> None:
    stopped: list[bool] = []

    def silent(stopping: threading.Event) -> Iterator[Frame]:
        stopped.append(stopping.wait(60))
        yield from ()

    with Live("0", "camera", silent) as source:
        summary = run(source, BrightPredictor(), max_seconds=0.2)
    assert stopped == [True]
    assert (summary.frames, summary.errors) == (0, [])
    began = time.monotonic()
    summary = run(Made(10**6), BrightPredictor(0.01), max_seconds=0.2)
    assert 0 < summary.frames < 10**6
    assert time.monotonic() - began >= 0.2


@pytest.mark.slow
def test_memory_stays_constant_over_hundreds_of_frames(tmp_path: Path) -> None:
    class Forgetful(BrightPredictor):
        def predict(self, frame: Frame, min_score: float | None = None, crop: str = "hand") -> Result:
            self.seen.clear()
            return super().predict(frame, min_score, crop)

    peaks: list[int] = []

    def measure(step: Step) -> None:
        if step.frame.index in (100, 599):
            peaks.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    try:
        with Threaded(JsonLines(tmp_path / "a")) as lines, Threaded(EventFile(tmp_path / "a.csv")) as table:
            sinks = [lines, table]
            run(Made(600, (1.0, 5.0)), Forgetful(), Tracker(), EventTracker(), sinks, progress=measure)
    finally:
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 50_000


def test_frames_are_never_mirrored(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png")
    predictor = BrightPredictor()
    with open_source(tmp_path / "a.png") as source:
        run(source, predictor)
    assert np.array_equal(predictor.seen[0].image, quadrants())
