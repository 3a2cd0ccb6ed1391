"""What all tests share: where the pictures of shared/ are, a cache folder that is nobody's, a clock, one thread."""

import contextlib
import io
import itertools
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

# Threads that wait for one another burn more processor time than nets as small as those of the tests need; said before
# anything loads OpenMP, and to all processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from clocks import FakeClock, play_in_step, wait

from handlens.cli import run
from handlens.io.alarm import Alarm

ROOT = Path(__file__).resolve().parents[1]

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would every process they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder shared/; a test that asks for it carries the marker `shared` and is skipped where there is none."""
    folder = Path(os.environ.get("HANDLENS_SHARED") or ROOT.parent / "shared")
    if not (folder / "data").is_dir():
        pytest.skip("no pictures here: set HANDLENS_SHARED to the folder shared/, or put it beside the checkout")
    return folder


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for each test's cache: numbered here, for pytest looks through all earlier ones to number one more."""
    root = tmp_path_factory.mktemp("caches")
    return (root / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def own_cache(caches: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the person at this machine has cached, set and done out of the tests."""
    folder = next(caches)
    folder.mkdir()
    monkeypatch.setenv("HANDLENS_CACHE", str(folder))
    monkeypatch.setenv("HANDLENS_CONFIG", str(folder / "config"))
    monkeypatch.setenv("HANDLENS_DATA", str(folder / "data"))


@pytest.fixture(autouse=True)
def traced_exports(monkeypatch: pytest.MonkeyPatch) -> bool:
    """Graphs are traced, which takes a tenth of the time; returns whether users have torch's exporter of programs."""
    if "torch" not in sys.modules:  # it is asked for by the first lines of the tests of training
        return True
    with contextlib.suppress(ImportError):
        from handlens.train.export import export

        default = export.DYNAMO
        monkeypatch.setattr(export, "DYNAMO", False)
        return default
    return True


@pytest.fixture(autouse=True)
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep `watch` from opening a browser on the desktop of whoever runs the tests."""
    monkeypatch.setattr("webbrowser.open", lambda address: True)


@pytest.fixture
def play_clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock by which files are played; whoever watches takes every frame, and nobody waits."""
    made = FakeClock()
    monkeypatch.setattr("handlens.io.sources.live.time", made)
    monkeypatch.setattr("handlens.io.sources.live.Grabber", play_in_step(made))
    return made


@pytest.fixture
def mute_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No player is found, so that the alarm is the terminal's bell; whoever asks for it waits until it has rung."""

    class Heard(Alarm):
        def start(self) -> bool:
            asked = super().start()
            if asked:
                wait(lambda: self.last_started)
            return asked

    monkeypatch.setattr("handlens.io.alarm.Alarm", Heard)
    monkeypatch.setenv("PATH", "")


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """What `handlens demo --out DIR` leaves: the folder, what it printed, and what it said to people."""
    folder, out, err = tmp_path_factory.mktemp("demo"), io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert run(["demo", "--out", str(folder)]) == 0, err.getvalue()
    return folder, out.getvalue(), err.getvalue()


@pytest.fixture
def quick_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not painted, which takes ten times as long: for runs whose curves no test looks at."""
    figure = pytest.importorskip("matplotlib.figure")
    monkeypatch.setattr(figure.Figure, "savefig", lambda self, file, **more: file.write(b"a figure"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.shared)
            item.add_marker(pytest.mark.slow)
