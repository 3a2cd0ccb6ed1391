"""The promises of the live loop: a slow model never sees the past, a slow disk or sound never holds it up."""

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from clocks import FakeClock, SteppedCamera, StillClock, wait
from media import BrightPredictor, shade

from handlens.events import EventTracker
from handlens.io.alarm import Alarm
from handlens.io.sinks.base import Sink
from handlens.io.sinks.threaded import Threaded
from handlens.loop import Step, run
from handlens.result import Result
from handlens.track import Tracker
from handlens.types import Frame


def test_a_slow_model_never_sees_the_past() -> None:
    clock = FakeClock()
    camera = SteppedCamera(clock, 100, 0.02, lambda time: shade(time, (0, 0)))
    seen: list[int] = []
    ages: list[float] = []
    predictor = BrightPredictor()

    def predict(frame: Frame, **options: object) -> Result:
        seen.append(frame.index)
        ages.append(clock.now - camera.begin - frame.time)
        camera.send(4)  # the model takes as long as four pictures
        return predictor.predict(frame)

    with camera.open() as source:
        summary = run(source, SimpleNamespace(predict=predict))
    assert seen == [*range(0, 100, 4), 99]  # always the newest, and the last one is not lost
    assert ages == pytest.approx([0.0] * 26, abs=1e-9)
    assert (summary.frames, summary.dropped) == (26, 74)


def test_the_alarm_starts_at_the_opening_though_the_player_hangs_and_the_disk_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = tmp_path / "player"
    player.write_text("#!/bin/sh\nexec sleep 60\n")
    player.chmod(0o755)
    clock = StillClock()
    for room in ("handlens.io.alarm", "handlens.io.sources.live", "handlens.loop"):
        monkeypatch.setattr(f"{room}.time", clock)
    camera = SteppedCamera(clock, 110, 0.02, lambda time: shade(time, (0.2, 2.2)))
    opened: list[float] = []
    asked: list[float] = []
    fired: list[float] = []
    repaired = threading.Event()

    class HangingDisk(Sink):
        def write(self, frame: Frame, result: Result) -> None:
            assert repaired.wait(60)

    class Asked(Alarm):
        def start(self) -> bool:
            answer = super().start()
            asked.extend([clock.now] * answer)
            return answer

    def watch(step: Step) -> None:
        opened.extend(step.moment for _ in step.opened)
        if len(fired) < len(asked):
            # The clock stands still, the disk hangs and so does the player of the time before: it starts nevertheless.
            wait(lambda: alarm.last_started is not None and alarm.last_started >= asked[-1])
            assert alarm.last_started is not None
            fired.append(alarm.last_started)
        camera.send()

    alarm = Asked(cooldown=0.6, players=lambda text, wav, volume: [[str(player)]], device=lambda: True)
    disk = Threaded(HangingDisk(), live=True, depth=2)
    with alarm, camera.open() as source, disk:
        summary = run(source, BrightPredictor(), Tracker(), EventTracker(), [disk], alarm, watch)
        repaired.set()
    assert len(opened) == summary.events == 1
    assert opened[0] - camera.begin == pytest.approx(0.2 + 0.25, abs=0.03)
    assert fired == asked
    assert fired[0] == opened[0]
    # While the touch goes on it warns again, at the first picture after each cool-down.
    assert [at - fired[0] for at in fired] == pytest.approx([0.0, 0.6, 1.2], abs=0.045)
    assert all(at - fired[0] >= n * 0.6 - 1e-9 for n, at in enumerate(fired))
    assert summary.frames == 110
    assert disk.dropped == 108
