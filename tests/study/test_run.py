"""The promises of `study run`: the joined result is the sequential one, nothing is done twice, nothing is mixed."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from media import save_video
from study_fakes import Pixels, Restless, Steady, change, study
from tiny_clips import BRIGHT, DARK, level_video
from tiny_models import brightness_model

from handlens.cli.outputs import Notes
from handlens.errors import HandlensError, InputError, OutputError
from handlens.events import EventTracker, event_fields
from handlens.io.sources.video import Video
from handlens.loop import run as run_loop
from handlens.predictor import load as load_model
from handlens.study import segments
from handlens.study.config import MACHINE, load
from handlens.study.database import Database
from handlens.study.join import analysis_key, analysis_settings, results
from handlens.study.packing import Layout
from handlens.study.run import RunReport, run_study
from handlens.track import Tracker
from handlens.types import Detections
from handlens.weights import demo_clip


def sequential(path, predictor, open=0.5, close=0.35):
    """What one pass of the loop makes of a video, as `handlens predict` does."""
    notes = Notes()
    with Video(str(path)) as video:
        run_loop(video, predictor, Tracker(), EventTracker(open, close, 0.25, 0.5), [notes])
    return notes


def stored(config, name=None):
    """The events of the model and the analysis of one video, as study.toml asks for them."""
    with Database(config.database) as base:
        entry = config.videos[0] if name is None else config.video(name)
        row = base.videos()[entry.name]
        found = base.rows(
            "SELECT id FROM analyses WHERE video_id=? AND key=? ORDER BY id DESC LIMIT 1",
            (row.id, analysis_key(analysis_settings(config, entry))),
        )
        return base.events(row.id, MACHINE, found[0][0]) if found else None


def told(events):
    return [(e.subject, e.region, e.start, e.stop, e.start_frame, e.stop_frame, e.peak, e.regions) for e in events]


def expected(events):
    rows = []
    for event in events:
        fields = event_fields(event)
        numbers = (fields["start"], fields["stop"], event.start_frame, event.stop_frame, round(event.peak, 4))
        rows.append((event.subject, event.label.replace("touch", ""), *numbers, fields["regions"]))
    return sorted(rows, key=lambda row: (row[2], row[3], row[0]))


@pytest.mark.parametrize("seed", range(6))
def test_any_cut_gives_the_tracks_and_events_of_one_pass(tmp_path, seed):
    rng = np.random.default_rng(seed)
    times = [int(t) for t in np.cumsum(rng.integers(10, 120, 260))]  # milliseconds, a variable frame rate
    clip = tmp_path / "clip.mp4"
    if seed % 2:
        save_video(clip, times)
    else:
        level_video(clip, [int(level) for level in rng.integers(0, 255, 260)])
    once = sequential(clip, Restless())
    config = study(tmp_path / "s", [clip], segment_s=f"{rng.uniform(1, 4):.3f}")
    report = run_study(config, predictor=Restless())
    assert report.segments > 3
    assert report.problems == []
    assert len(once.events) >= 3
    assert told(stored(config)) == expected(once.events)
    with Database(config.database) as base:
        layout = Layout.from_text(base.layout(1))
        tracker = Tracker()
        rows = list(base.frames(1, 1))
        assert [row.frame for row in rows] == [result.index for result in once.results]
        assert [row.duration for row in rows] == [result.duration for result in once.results]
        tracked = [
            tracker.update(result) for _, result in results(iter(rows), layout, base.videos()["clip"], 64, 48, "")
        ]
        for mine, other in zip(tracked, once.results, strict=True):
            assert mine.value.id.tolist() == other.value.id.tolist()
            assert mine.value.xyxy.tobytes() == other.value.xyxy.tobytes()


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {"g": "12", "bf": "3"}),
        ("a.mkv", "libx264", {"x264-params": "open-gop=1:keyint=12:min-keyint=12:bframes=3"}),
        ("a.mp4", "mpeg4", {"g": "9", "bf": "2"}),
        ("a.avi", "mpeg4", {"g": "9", "bf": "2"}),
        ("a.avi", "mpeg4", {"g": "14", "bf": "4"}),
        ("a.avi", "mpeg4", {"g": "9"}),
        ("a.avi", "libx264", {"g": "12", "bf": "3"}),
        ("a.avi", "libx264", {"x264-params": "open-gop=1:keyint=12:min-keyint=12:bframes=3"}),
        ("a.avi", "mjpeg", {}),
        ("a.ts", "mpeg2video", {"g": "9", "bf": "2"}),
        ("a.mov", "mjpeg", {}),
        ("a.webm", "libvpx", {"g": "14"}),
    ],
)
def test_each_piece_of_a_file_shows_the_very_pictures_of_one_pass(tmp_path, name, codec, options):
    rng = np.random.default_rng(0)
    with av.open(str(tmp_path / name), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height = 96, 64
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        ground = rng.integers(0, 255, (64, 96, 3))
        for number in range(160):
            image = np.roll(ground, number, axis=1) + rng.integers(0, 20, ground.shape)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.clip(image, 0, 255).astype(np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    once = sequential(tmp_path / name, Pixels())
    config = study(tmp_path / "s", [tmp_path / name], segment_s="1.3")
    report = run_study(config, predictor=Pixels())
    assert report.problems == [], "no file had to be read in one piece because its pieces differed"
    assert len(once.events) >= 2
    assert told(stored(config)) == expected(once.events)
    with Database(config.database) as base:
        layout = Layout.from_text(base.layout(1))
        for row, result in zip(base.frames(1, 1), once.results, strict=True):
            assert (row.frame, row.time, row.duration) == (result.index, result.time, result.duration)
            assert layout.unpack(row.value).face_touch.tobytes() == result.value.face_touch.tobytes()


@pytest.mark.slow
def test_the_shipped_model_gives_the_same_events_in_pieces_as_in_one(tmp_path):
    config = study(tmp_path / "s", [demo_clip()], segment_s="3.3")
    run_study(config)
    once = sequential(demo_clip(), load_model("touch", threads=1))
    assert len(once.events) >= 3
    assert told(stored(config)) == expected(once.events)


@pytest.mark.slow
def test_two_processes_give_what_one_gives(tmp_path):
    brightness_model(tmp_path / "light.onnx")
    level_video(tmp_path / "clip.mp4", ([DARK] * 20 + [BRIGHT] * 15) * 4)
    model = f'"{tmp_path / "light.onnx"}"'
    configs = [study(tmp_path / name, [tmp_path / "clip.mp4"], segment_s="1.5") for name in ("one", "two")]
    for config, jobs in zip(configs, (1, 2), strict=True):
        path = config.folder / "study.toml"
        path.write_text(path.read_text().replace('name = "touch"', f"name = {model}"))
        assert run_study(load(config.folder), jobs=jobs).segments == 7
    one, two = (told(stored(config)) for config in configs)
    assert one == two
    assert len(one) == 4


def test_a_second_run_does_nothing_and_a_threshold_changes_events_without_looking_again(tmp_path):
    level_video(tmp_path / "clip.mp4")
    config = study(tmp_path / "s", [tmp_path / "clip.mp4"])
    predictor = Steady([(1, 3), (5, 5.6)])
    assert run_study(config, predictor=predictor).frames == 100
    before = len(predictor.asked)
    assert run_study(config, predictor=predictor) == RunReport()
    changed = change(tmp_path / "s", "min_time", "1.0")
    report = run_study(changed, predictor=predictor)
    assert (report.segments, report.joined, len(predictor.asked)) == (0, 1, before)
    assert len(stored(changed)) == 1
    assert len(stored(config)) == 2, "the results of the earlier settings are still there"


def test_another_sampling_is_another_run(tmp_path):
    level_video(tmp_path / "clip.mp4")
    config = study(tmp_path / "s", [tmp_path / "clip.mp4"])
    run_study(config, predictor=Steady([(1, 3)]))
    path = tmp_path / "s" / "study.toml"
    path.write_text(path.read_text().replace("sample_fps = 0 ", "sample_fps = 5 "))
    predictor = Steady([(1, 3)])
    assert run_study(load(tmp_path / "s"), predictor=predictor).frames == 34
    assert predictor.asked == list(range(0, 100, 3))
    with Database(config.database) as base:
        assert base.rows("SELECT run_id, count(*) FROM frames GROUP BY run_id") == [(1, 100), (2, 34)]


def test_ctrl_c_loses_only_the_segment_in_work(tmp_path):
    level_video(tmp_path / "clip.mp4")
    config = study(tmp_path / "s", [tmp_path / "clip.mp4"], segment_s="2")

    class Tired(Steady):
        def predict(self, frame, /, min_score=None, crop="hand"):
            if frame.time > 4.5:
                raise KeyboardInterrupt
            return super().predict(frame)

    report = run_study(config, predictor=Tired([(1, 3)]))
    assert (report.interrupted, report.segments) == (True, 2)
    predictor = Steady([(1, 3)])
    assert run_study(config, predictor=predictor).segments == 2
    assert min(predictor.asked) == 60
    assert [(event.start, event.stop) for event in stored(config)] == [(1.0, 3.0)]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kill -9 is of POSIX")
def test_kill_9_loses_only_the_segment_in_work(tmp_path):
    brightness_model(tmp_path / "light.onnx")
    level_video(tmp_path / "clip.mp4", ([DARK] * 20 + [BRIGHT] * 15) * 4)
    config = study(tmp_path / "s", [tmp_path / "clip.mp4"], segment_s="1")
    path = config.folder / "study.toml"
    path.write_text(path.read_text().replace('name = "touch"', f'name = "{tmp_path / "light.onnx"}"'))
    program = (
        "import time\n"
        "from handlens.study import config, run\n"
        "def slow(step):\n    print(step.done, flush=True)\n    time.sleep(60 if step.done == 4 else 0)\n"
        f"run.run_study(config.load({str(config.folder)!r}), progress=slow)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    while child.stdout.readline().strip() != "4":
        assert child.poll() is None
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    report = run_study(load(config.folder))
    assert report.segments == 10 - 4
    assert [(e.start_frame, e.stop_frame) for e in stored(load(config.folder))] == [
        (20, 34),
        (55, 69),
        (90, 104),
        (125, 139),
    ]


def test_a_video_that_is_gone_is_said_in_one_sentence_and_its_results_stay(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        level_video(tmp_path / name)
    config = study(tmp_path / "s", [tmp_path / "a.mp4"])
    run_study(config, predictor=Steady([(1, 3)]))
    path = tmp_path / "s" / "study.toml"
    path.write_text(path.read_text() + f'\n[[video]]\nname = "b"\npath = "{tmp_path / "b.mp4"}"\n')
    (tmp_path / "a.mp4").unlink()
    config = load(tmp_path / "s")
    said = []
    report = run_study(config, predictor=Steady([(1, 3)]), say=said.append)
    assert said == report.problems
    assert len(said) == 1
    assert "'a' is not there any more" in said[0]
    assert "what was coded before is kept" in said[0]
    assert len(stored(config, "a")) == len(stored(config, "b")) == 1


def test_a_video_that_changed_is_refused_until_it_is_asked_for_again(tmp_path):
    level_video(tmp_path / "a.mp4")
    config = study(tmp_path / "s", [tmp_path / "a.mp4"])
    run_study(config, predictor=Steady([(1, 3)]))
    level_video(tmp_path / "a.mp4", [DARK] * 60)
    report = run_study(config, predictor=Steady([(0, 1)]))
    assert "'a'" in report.problems[0]
    assert "has changed since it was coded" in report.problems[0]
    assert "--again a" in report.problems[0]
    assert [event.start for event in stored(config)] == [1.0]
    assert run_study(config, predictor=Steady([(0, 1)]), again=["a"]).problems == []
    assert [event.start for event in stored(config)] == [0.0]


def test_a_video_that_was_only_touched_or_copied_is_the_same_video(tmp_path):
    level_video(tmp_path / "a.mp4")
    config = study(tmp_path / "s", [tmp_path / "a.mp4"])
    run_study(config, predictor=Steady([(1, 3)]))
    shutil.copy(tmp_path / "a.mp4", tmp_path / "c.mp4")
    (tmp_path / "c.mp4").replace(tmp_path / "a.mp4")
    os.utime(tmp_path / "a.mp4", (1, 1))
    assert run_study(config, predictor=Steady([(1, 3)])) == RunReport()


def test_pieces_that_saw_other_pictures_are_coded_again_in_one(tmp_path):
    level_video(tmp_path / "clip.mp4")
    config = study(tmp_path / "s", [tmp_path / "clip.mp4"], segment_s="2")

    class Moody(Steady):
        """Sees another thing the second time it is shown a frame, as where a file cannot be read from its middle."""

        def predict(self, frame, /, min_score=None, crop="hand"):
            result = super().predict(frame)
            if self.asked.count(frame.index) > 1 and len(self.asked) < 105:
                result.value.score[0] = 0.5
            return result

    report = run_study(config, predictor=Moody([(1, 3)]))
    assert len(report.problems) == 1
    assert "cannot be read exactly from its middle" in report.problems[0]
    assert len(stored(config)) == 1
    with Database(config.database) as base:
        assert base.rows("SELECT number, stop FROM segments") == [(0, None)]


def test_an_unreadable_video_does_not_stop_the_others(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    level_video(tmp_path / "b.mp4")
    config = study(tmp_path / "s", [tmp_path / "a.mp4", tmp_path / "b.mp4"])
    report = run_study(config, predictor=Steady([(1, 3)]))
    assert len(report.problems) == 1
    assert "a.mp4" in report.problems[0]
    assert report.joined == 1


def test_a_newer_database_is_refused_and_not_touched(tmp_path):
    level_video(tmp_path / "a.mp4")
    config = study(tmp_path / "s", [tmp_path / "a.mp4"])
    run_study(config, predictor=Steady([]))
    with sqlite3.connect(config.database) as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    before = config.database.read_bytes()
    with pytest.raises(InputError, match=r"newer handlens \(its format is 99.*pip install -U handlens"):
        run_study(config, predictor=Steady([]))
    assert config.database.read_bytes() == before


def test_an_older_database_is_converted_and_its_events_are_made_anew(tmp_path):
    level_video(tmp_path / "a.mp4")
    config = study(tmp_path / "s", [tmp_path / "a.mp4"])
    run_study(config, predictor=Steady([(1, 3)]))
    before = stored(config)
    with sqlite3.connect(config.database) as old:
        old.executescript("DROP TABLE stretches; ALTER TABLE persons DROP COLUMN seen; PRAGMA user_version = 1")
        old.execute("UPDATE analyses SET key=replace(key, '\"version\": 2', '\"version\": 1')")
    watcher = Steady([(1, 3)])
    run_study(config, predictor=watcher)
    assert watcher.asked == [], "the pictures need not be looked at again"
    assert told(stored(config)) == told(before)
    with Database(config.database) as base:
        assert base.stretches("anna", 1) == []
        assert base.persons(1)[0].seen == ()
        assert base.persons(2)[0].seen == ((0.0, pytest.approx(base.persons(2)[0].observed, abs=1e-3)),)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    level_video(tmp_path / "a.mp4")
    config = study(tmp_path / "s", [tmp_path / "a.mp4"])
    config.database.write_bytes(b"something else entirely, and long enough to be read" * 50)
    with pytest.raises(InputError, match="damaged or no database"):
        run_study(config, predictor=Steady([]))


def test_a_full_disk_keeps_what_was_done(tmp_path):
    level_video(tmp_path / "a.mp4", [DARK] * 600)
    config = study(tmp_path / "s", [tmp_path / "a.mp4"], segment_s="10")
    real = Database.put_segment

    def small(self, *more):
        real(self, *more)
        (pages,) = self._base.execute("PRAGMA page_count").fetchone()
        self._base.execute(f"PRAGMA max_page_count = {pages + 1}")  # SQLite says "full" as a full disk does

    try:
        Database.put_segment = small
        with pytest.raises(OutputError, match=r"disk is full.*keeps all that was done before"):
            run_study(config, predictor=Steady([]))
    finally:
        Database.put_segment = real
    with Database(config.database) as base:
        done = base.rows("SELECT number, frames FROM segments")
        assert done == [(0, 150)]
        assert base.rows("SELECT count(*) FROM frames") == [(150,)]
    assert run_study(config, predictor=Steady([])).segments == 3


def test_two_runs_at_once_are_refused(tmp_path):
    level_video(tmp_path / "a.mp4")
    config = study(tmp_path / "s", [tmp_path / "a.mp4"])
    program = (
        "import time, sys\nfrom pathlib import Path\nfrom handlens.study.run import _alone\n"
        f"with _alone(Path({str(config.folder)!r})):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline().strip() == "held"
        with pytest.raises(InputError, match="another run is coding"):
            run_study(config, predictor=Steady([]))
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_a_model_of_another_task_is_refused(tmp_path):
    level_video(tmp_path / "a.mp4")
    config = study(tmp_path / "s", [tmp_path / "a.mp4"])
    path = config.folder / "study.toml"
    path.write_text(path.read_text().replace('name = "touch"', 'name = "digits"'))
    with pytest.raises(InputError, match="'digits' answers 'gesture'"):
        run_study(load(config.folder))
    assert not config.database.exists()


def test_packing_loses_nothing_and_carries_fields_that_are_not_known_yet():
    rng = np.random.default_rng(0)
    for count in (0, 1, 5):
        found = Detections(
            rng.random((count, 4)).astype(np.float32) * 1000,
            rng.random(count).astype(np.float32),
            rng.integers(0, 2, count),
            ("face", "hand"),
            face=np.full(count, -1),
            hand=np.full(count, -1),
            touch=None if count == 1 else float(rng.random()),
            face_touch=None if count == 0 else np.where(rng.random(count) > 0.5, np.nan, 0.3).astype(np.float32),
        )
        layout = Layout.from_text(Layout.of(found).text)
        again = layout.unpack(layout.pack(found))
        for name in layout.fields:
            before, after = getattr(found, name), getattr(again, name)
            if isinstance(before, np.ndarray):
                assert before.tobytes() == after.tobytes(), name
                assert before.dtype == after.dtype
            else:
                assert before == after, name
    with pytest.raises(HandlensError, match="labels changed"):
        layout.pack(Detections.empty(("face",)))


def test_the_wait_for_workers_ends_with_the_parent():
    program = (
        "import multiprocessing as m, os, time\n"
        "from handlens.study.run import _begin_worker\n"
        "def idle(pipe):\n    _begin_worker()\n    pipe.send(os.getpid())\n    time.sleep(60)\n"
        "if __name__ == '__main__':\n    mine, other = m.Pipe()\n"
        "    p = m.get_context('fork').Process(target=idle, args=(other,))\n    p.start()\n"
        "    print(mine.recv(), flush=True)\n    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-W", "ignore", "-c", program], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(200):
        if not Path(f"/proc/{worker}").exists() or "Z" in Path(f"/proc/{worker}/stat").read_text().split()[2]:
            break
        time.sleep(0.05)
    else:
        os.kill(worker, signal.SIGKILL)
        pytest.fail("the worker outlived its parent")


def test_segments_cover_all_and_share_no_frame():
    assert segments.plan(None, 60) == [(0, None)]
    assert segments.plan(100, 20) == [(0, 20), (20, 40), (40, 60), (60, 80), (80, None)]
    assert segments.plan(41, 20) == [(0, 20), (20, None)], "a rest of a second is not a segment of its own"
    assert segments.plan(100, 120) == [(0, 30), (30, 60), (60, 90), (90, None)], "two processes have the same to do"
    assert segments.plan(600, 120)[:2] == [(0, 38), (38, 76)]
    assert len(segments.plan(600, 120)) == 16
    assert segments.plan(3600, 120)[1] == (120, 240), "never longer than study.toml says"
    assert segments.every(30.0, 5.0) == 6
    assert segments.every(None, 5.0) == segments.every(4.0, 5.0) == segments.every(30.0, 0) == 1
