"""What the live page costs: time of the loop, memory, delay of the alarm with ten tabs, power saving.

    python benchmarks/live_page.py [--rounds 2] [--tabs 10] [--json FILE]

Plays the demo clip live. Three runs of the whole watch each time: without the page, with the page and one tab, with the
page and ten tabs; the tabs are sockets that take pictures as a browser does. Measured are the time that the loop spends
in the page's observer (it must return at once: 2 ms at the most), as the clock has it and as processor time, which
other programs do not lengthen, the processor time of the loop's own thread for each frame, the resident memory, and the
delay from the frame that opens an event to the start of the alarm's player. Then the processor time of the whole
process when saving power, with somebody there (the clip) and with nobody there (a still wall with sensor noise), as a
share of one core. Times by the clock count on a quiet machine alone: the load of the machine before and after is told,
and `--quiet SECONDS` waits until it is below 0.5.
"""

import argparse
import json
import os
import resource
import statistics
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from websockets.sync.client import connect

from handlens.cli.bench import resident_mb
from handlens.events import EventTracker
from handlens.io.alarm import Alarm
from handlens.io.sources.live import Live
from handlens.io.sources.open import open_source
from handlens.live.desk import Desk, Watching
from handlens.live.feed import Feed
from handlens.live.gate import Gate
from handlens.live.resting import Resting
from handlens.live.server import PageServer
from handlens.live.session import Session
from handlens.live.settings import Settings
from handlens.live.source import Controlled
from handlens.loop import Step, run
from handlens.predictor import Predictor, load
from handlens.track import Tracker
from handlens.types import Frame
from handlens.weights import demo_clip


@dataclass
class Measured:
    """What one run showed. delays_ms: of the alarms; observer_ms: of each call of the page's observer."""

    frames: int = 0
    observer_ms: list[float] = field(default_factory=list)
    observer_cpu_ms: list[float] = field(default_factory=list)
    delays_ms: list[float] = field(default_factory=list)
    loop_cpu_ms: float = 0.0
    memory_mb: float = 0.0
    pictures: int = 0


class Tab(threading.Thread):
    """Takes pictures as a page does: the next one is asked for when the last was taken."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self._address = address
        self.pictures = 0

    def run(self) -> None:
        """Take until the server ends."""
        try:
            with connect(self._address, proxy=None, compression=None) as page:
                while True:
                    told = page.recv()
                    if isinstance(told, bytes):
                        self.pictures += len(told) > 4 + struct.unpack("<I", told[:4])[0]
                        page.send('{"do":"next"}')
        except Exception:  # the watch has ended
            return


def watch(predictor: Predictor, tabs: int | None) -> Measured:
    """Play the clip once; tabs: None without the page."""
    told, session = Measured(), Session(Settings(cooldown=0.3))
    feed, tracker = Feed(), EventTracker()
    waiting: list[float] = []
    with ExitStack() as stack:
        alarm = stack.enter_context(Alarm(cooldown=0.0, bell=lambda: None, say=lambda line: None))
        desk = Desk(session, Watching("clip", "video", "touch", "touch"))
        source = stack.enter_context(Controlled(open_source(demo_clip(), live=True), session, _no_camera))
        crowd: list[Tab] = []
        if tabs is not None:
            server = stack.enter_context(PageServer(feed, session, desk, port=0))
            live = server.address.replace("http:", "ws:").replace("/?", "/live?")
            crowd = [Tab(live) for _ in range(tabs)]
            for tab in crowd:
                tab.start()
            time.sleep(1.0)

        def observe(step: Step) -> None:
            began, cpu = time.perf_counter(), time.thread_time()
            if tabs is not None:
                feed(step)
            told.observer_cpu_ms.append((time.thread_time() - cpu) * 1000)
            told.observer_ms.append((time.perf_counter() - began) * 1000)
            if waiting and alarm.last_started is not None and alarm.last_started >= waiting[0]:
                told.delays_ms.append((alarm.last_started - waiting.pop(0)) * 1000)
            if step.opened:
                waiting[:] = [step.moment - step.seconds]

        began = time.thread_time()
        gate = Gate(alarm, tracker, session, feed.warned)
        told.frames = run(source, Resting(predictor, session), Tracker(), tracker, (), gate, observe).frames
        told.loop_cpu_ms = (time.thread_time() - began) * 1000 / max(1, told.frames)
        told.memory_mb = resident_mb()
        told.pictures = sum(tab.pictures for tab in crowd)
    return told


def _no_camera(number: int) -> Any:
    raise SystemExit(f"there is no camera {number} in this benchmark")


def saving(predictor: Predictor, frames: Callable[[threading.Event], Iterator[Frame]], seconds: float) -> float:
    """Return the share of one core that saving power takes. frames: the camera, 25 pictures a second."""
    session = Session(Settings(low_power=True))
    source = Controlled(Live("0", "stream", frames), session, _no_camera)
    with source:
        marks: list[tuple[float, float]] = []

        def observe(step: Step) -> None:
            if step.frame.time > 8.0:  # it has settled
                marks.append((time.monotonic(), _cpu()))

        run(source, Resting(predictor, session), Tracker(), EventTracker(), progress=observe, max_seconds=seconds + 8)
    (begin, cpu), (end, later) = marks[0], marks[-1]
    return (later - cpu) / (end - begin)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def pictures_of(images: list[np.ndarray[Any, Any]]) -> Callable[[threading.Event], Iterator[Frame]]:
    """Return a camera that shows pictures again and again, without the cost of decoding them."""

    def read(stopping: threading.Event) -> Iterator[Frame]:
        begin, index = time.monotonic(), 0
        while not stopping.wait(max(0.0, begin + index / 25 - time.monotonic())):
            yield Frame(images[index % len(images)], index, index / 25, "0", clock=time.time())
            index += 1

    return read


@contextmanager
def _clip() -> Iterator[list[np.ndarray[Any, Any]]]:
    with open_source(demo_clip()) as source:
        yield [frame.image for frame in source.frames()]


def _is_quiet(seconds: float) -> bool:
    """Wait until hardly anything else runs; return False when it does not in so many seconds. 0: not asked for."""
    end = time.monotonic() + seconds
    while seconds and os.getloadavg()[0] >= 0.5:
        if time.monotonic() > end:
            return False
        time.sleep(5.0)
    return True


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--tabs", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement when saving power")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quiet", type=float, default=0.0, metavar="SECONDS", help="wait so long for a quiet machine")
    given = parser.parse_args()
    if not _is_quiet(given.quiet):
        print(f"the machine did not become quiet in {given.quiet:.0f} s: nothing was measured", file=sys.stderr)
        return 1
    predictor = load("touch", 1)
    table: dict[str, Any] = {"load_before": round(os.getloadavg()[0], 2)}
    for name, tabs in (("no page", None), ("one tab", 1), (f"{given.tabs} tabs", given.tabs)):
        runs = [watch(predictor, tabs) for _ in range(given.rounds)]
        observer = sorted(ms for each in runs for ms in each.observer_ms)
        cpu = sorted(ms for each in runs for ms in each.observer_cpu_ms)
        delays = [ms for each in runs for ms in each.delays_ms]
        table[name] = {
            "frames": sum(each.frames for each in runs),
            "observer_ms_median": round(statistics.median(observer), 3),
            "observer_ms_p99": round(observer[int(0.99 * len(observer))], 3),
            "observer_ms_worst": round(observer[-1], 3),
            "observer_cpu_ms_p99": round(cpu[int(0.99 * len(cpu))], 3),
            "observer_cpu_ms_worst": round(cpu[-1], 3),
            "loop_cpu_ms": round(statistics.mean(each.loop_cpu_ms for each in runs), 2),
            "memory_mb": round(max(each.memory_mb for each in runs), 1),
            "alarm_ms_median": round(statistics.median(delays), 1) if delays else None,
            "alarm_ms_worst": round(max(delays), 1) if delays else None,
            "pictures": sum(each.pictures for each in runs),
        }
        print(name, table[name], flush=True)
    with _clip() as images:
        rng = np.random.default_rng(0)
        wall = np.full(images[0].shape, 90, np.int16) + np.linspace(0, 60, images[0].shape[1]).astype(np.int16)[:, None]
        noise = [np.clip(wall + rng.normal(0, 3, wall.shape), 0, 255).astype(np.uint8) for _ in range(5)]
        table["saving power"] = {
            "somebody": round(saving(predictor, pictures_of(images[:50]), given.seconds), 3),
            "nobody": round(saving(predictor, pictures_of(noise), given.seconds), 3),
        }
    print("saving power, share of one core:", table["saving power"])
    table["load_after"] = round(os.getloadavg()[0], 2)
    print("load of the machine before and after:", table["load_before"], table["load_after"])
    if given.json:
        given.json.write_text(json.dumps(table, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
