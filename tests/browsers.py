"""A Chromium of this machine, driven by Playwright, for tests of pages; where it is missing they skip with a reason."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import av
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
)


def chromium() -> str:
    """The program, or a skipped test that says what is missing."""
    pytest.importorskip("playwright", reason="playwright is not installed: pip install playwright")
    named = os.environ.get("HANDLENS_CHROMIUM")
    path = named or next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium here: apt-get install chromium, or name one in HANDLENS_CHROMIUM")
    return path


@contextmanager
def browser(*flags: str) -> Iterator["Browser"]:
    """A browser without a window."""
    program = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=program, args=[*FLAGS, *flags])
        try:
            yield made
        finally:
            made.close()


def slowed(clip: Path, target: Path, times: int) -> Path:
    """The same frames, each shown for so many times as long."""
    with av.open(str(clip)) as source, av.open(str(target), "w") as film:
        stream = film.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None and packet.pts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts * times, packet.dts * times, stream
                packet.duration = (packet.duration or 0) * times
                film.mux(packet)
    return target
