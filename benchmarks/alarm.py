"""How long after an event opens does the alarm begin to sound? The demo clip is played live, several times.

    python benchmarks/alarm.py [--video FILE] [--rounds 3] [--json FILE]

The clock starts when the loop takes the frame that opens the event, so the answer's own time counts, and stops when the
player's process has been started (or the terminal bell rung, where nothing can play). Prints the median and the worst,
and fails over 200 ms.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

from handlens.events import EventTracker
from handlens.io.alarm import Alarm
from handlens.io.sources.open import open_source
from handlens.loop import Step, run
from handlens.predictor import Predictor, load
from handlens.track import Tracker
from handlens.weights import demo_clip

LIMIT_MS = 200.0


class Openings:
    """Notes when each event opened and when the alarm that it asked for began."""

    def __init__(self, alarm: Alarm) -> None:
        self.delays_ms: list[float] = []
        self._alarm = alarm
        self._waits: float | None = None

    def __call__(self, step: Step) -> None:
        """Take the step of one frame."""
        self.collect()
        if step.opened:
            self._waits = step.moment - step.seconds  # the loop took the frame then

    def collect(self) -> None:
        """Look whether the alarm has begun since the event that waits for it opened."""
        began = self._alarm.last_started
        if self._waits is not None and began is not None and began >= self._waits:
            self.delays_ms.append((began - self._waits) * 1000)
            self._waits = None


def play(video: Path, predictor: Predictor) -> list[float]:
    """Play the video once and return the delay of each event in milliseconds."""
    with (
        open_source(video, live=True) as source,
        Alarm(cooldown=0.3, bell=lambda: None, say=lambda line: None) as alarm,
    ):
        openings = Openings(alarm)
        run(source, predictor, Tracker(), EventTracker(), alarm=alarm, progress=openings)
        time.sleep(0.5)
        openings.collect()
    return openings.delays_ms


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--model", default="touch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    predictor = load(args.model)
    delays = [delay for _ in range(args.rounds) for delay in play(args.video or demo_clip(), predictor)]
    if not delays:
        print("no event opened, so no alarm was asked for", file=sys.stderr)
        return 1
    middle, worst = statistics.median(delays), max(delays)
    print(f"{len(delays)} alarms: median {middle:.1f} ms, worst {worst:.1f} ms from the opening (limit {LIMIT_MS:g})")
    if args.json:
        args.json.write_text(json.dumps({"delays_ms": [round(delay, 1) for delay in delays]}, indent=1) + "\n")
    return 0 if worst <= LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
