"""The promises of the live loop: a slow model never sees the past, a slow disk or sound never holds it up."""

import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from media import BrightPredictor, shade

from handlens.events import EventTracker
from handlens.io.live import Live
from handlens.io.sinks import Sink
from handlens.io.sound import Alarm
from handlens.io.threads import Threaded
from handlens.loop import Step, run
from handlens.track import Tracker
from handlens.types import Frame, Result


def camera(seconds: float, interval: float, bright: tuple[float, float], begun: list[float]) -> Live:
    def read(stopping: threading.Event) -> Iterator[Frame]:
        begun.append(time.monotonic())
        for index in range(round(seconds / interval)):
            wait = begun[0] + index * interval - time.monotonic()
            time.sleep(max(0.0, wait))
            now = time.monotonic() - begun[0]
            yield Frame(shade(now, bright), index, now, "0")

    return Live("0", "camera", read)


def test_a_slow_model_never_sees_the_past() -> None:
    begun: list[float] = []
    ages: list[float] = []
    predictor = BrightPredictor(0.08)

    def predict(frame: Frame, **options: object) -> Result:
        ages.append(time.monotonic() - begun[0] - frame.time)
        return predictor.predict(frame)

    with camera(2.0, 0.02, (0, 0), begun) as source:
        summary = run(source, SimpleNamespace(predict=predict))
    assert len(ages) == summary.frames <= 26
    assert max(ages) < 0.02 + 0.03  # one frame interval, and what a busy machine adds
    assert summary.dropped == 100 - summary.frames


def test_the_alarm_starts_within_200_ms_of_the_opening_though_the_player_hangs_and_the_disk_is_slow(
    tmp_path: Path,
) -> None:
    player = tmp_path / "player"
    player.write_text("#!/bin/sh\nexec sleep 60\n")
    player.chmod(0o755)
    begun: list[float] = []
    opened: list[float] = []
    fired: list[float] = []

    class SlowDisk(Sink):
        def write(self, frame: Frame, result: Result) -> None:
            time.sleep(0.5)

    def watch(step: Step) -> None:
        opened.extend(step.moment for _ in step.opened)
        if alarm.last_started is not None and alarm.last_started not in fired:
            fired.append(alarm.last_started)

    alarm = Alarm(cooldown=0.6, players=lambda text, wav: [[str(player)]], device=lambda: True)
    disk = Threaded(SlowDisk(), live=True, depth=2)
    with alarm, camera(2.2, 0.02, (0.2, 2.2), begun) as source, disk:
        summary = run(source, BrightPredictor(), Tracker(), EventTracker(), [disk], alarm, watch)
    assert len(opened) == summary.events == 1
    assert opened[0] - begun[0] == pytest.approx(0.2 + 0.25, abs=0.1)
    assert fired[0] - opened[0] < 0.2
    assert len(fired) == 3  # while the touch goes on it warns again after each cool-down
    assert all(later - earlier > 0.55 for earlier, later in pairwise(fired))
    assert summary.frames > 90
    assert disk.dropped > 80
