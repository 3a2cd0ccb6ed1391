"""The verb `check`: does everything that handlens needs work on this machine? It must not change anything."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from handlens.cli.errors import DONE, OUR_FAULT
from handlens.errors import HandlensError, ModelError

if TYPE_CHECKING:
    from handlens.types import Frame

_LIBRARIES = ("numpy", "onnxruntime", "opencv-python-headless", "av", "typer", "rich")


def check() -> int:
    """Tell whether everything works on this machine."""
    questions: list[tuple[str, Callable[[], str]]] = [
        ("versions", _versions),
        ("providers", _providers),
        ("demo clip", _clip),
        *[(f"model {name}", lambda name=name: _model(name)) for name in _models()],
        ("cameras", _cameras),
        ("sound", _sound),
    ]
    broken = 0
    for name, ask in questions:
        try:
            mark, answer = "ok", ask()
        except (HandlensError, ImportError, OSError) as error:
            mark, answer = "BROKEN", " ".join(str(error).split())
            broken += 1
        print(f"{mark:<7} {name:<15} {answer}", flush=True)
    print("everything works." if not broken else f"{broken} of {len(questions)} things are broken.")
    return OUR_FAULT if broken else DONE


def _versions() -> str:
    import platform
    from importlib.metadata import version

    from handlens import __version__

    versions = [f"{name} {version(name)}" for name in _LIBRARIES]
    return f"handlens {__version__}, Python {platform.python_version()} on {platform.platform()}, {', '.join(versions)}"


def _providers() -> str:
    from handlens.offline import import_onnxruntime

    return f"{', '.join(import_onnxruntime().get_available_providers())}; handlens uses CPUExecutionProvider"


def _models() -> list[str]:
    from handlens.weights import COMPOSED, shipped

    there = shipped()
    composed_models = [name for name, parts in COMPOSED.items() if set(parts.values()) <= set(there)]
    return [*there, *composed_models] or ["touch"]


def _first_frame() -> "Frame":
    from handlens.io.sources.open import open_source
    from handlens.weights import demo_clip

    with open_source(demo_clip()) as source:
        for frame in source.frames():
            return frame
    raise HandlensError("the demo clip holds no frame: install handlens again.")


def _clip() -> str:
    frame = _first_frame()
    return f"{frame.width} x {frame.height}, decodes"


def _silhouette() -> "Frame":
    """Return an open hand, white on black."""
    import cv2
    import numpy as np

    from handlens.types import Frame

    image = np.zeros((240, 240, 3), np.uint8)
    cv2.ellipse(image, (120, 160), (40, 48), 0, 0, 360, (255, 255, 255), -1)
    for tip in ((30, 110), (72, 45), (110, 25), (148, 35), (185, 75)):
        cv2.line(image, (120, 165), tip, (255, 255, 255), 18)
    return Frame(image)


def _model(name: str) -> str:
    """Let a shipped model look at a picture: the first frame of the demo clip, or a silhouette where it wants one."""
    import time

    from handlens.cli.console import verdict
    from handlens.predictor import load
    from handlens.weights import COMPOSED, shipped

    if name not in (*shipped(), *COMPOSED):
        raise ModelError(f"the model '{name}' is missing from the package: install handlens again.")
    began = time.perf_counter()
    predictor = load(name)
    loaded = time.perf_counter()
    card = predictor.card
    frame = _silhouette() if card.options.get("silhouette") or card.options.get("grey") else _first_frame()
    answering = time.perf_counter()
    result = predictor.predict(frame, crop="whole")  # without a second model, where that is possible
    took = f"loads in {(loaded - began) * 1000:.0f} ms, answers in {(time.perf_counter() - answering) * 1000:.0f} ms"
    return f"{took}: {verdict(result, card.threshold('touch', 0.5))}"


def _cameras() -> str:
    from handlens.io.sources.camera import list_cameras

    found = list_cameras()
    return f"numbers {', '.join(map(str, found))}" if found else "none found (a stream or a file can be watched)"


def _sound() -> str:
    from pathlib import Path

    from handlens.io.alarm import find_players, has_device

    players = [Path(command[0]).name for command in find_players("x", Path("beep.wav"))]
    if not players or not has_device():
        missing = "no sound device" if players else "no player (espeak-ng or aplay would do)"
        return f"{missing}; the alarm is the terminal bell"
    return f"{', '.join(players)}"
