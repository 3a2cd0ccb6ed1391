"""The ModelCard a model file carries inside it, so that the file explains itself; it must not know how models run."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from handlens.errors import ModelError, unknown

KEY = "handlens"  # the name of the entry in the metadata of the .onnx
KINDS: dict[str, dict[str, str]] = {
    "detect": {},
    "classify": {},
    "segment": {},
    "contact": {},
    "combined": {"hand": "the number of that class in its masks"},
    "landmarks": {
        "holds": "how many of its names, behind the two sides, say what a hand does",
        "things": "how many of the names behind those say what it holds; the rest are signs",
    },
}
"""The kinds of answer that there are, each with the options that its cards must have, and what they mean."""
RESIZES = ("letterbox", "stretch", "fit")


@dataclass(frozen=True)
class ModelCard:
    """What a model is and how to ask it.

    Attributes:
        names: Label names, by class number.
        size: (height, width) of the network's input; for "fit" a square, its side being the longest side of the
            picture.
        stride: "fit" pads the picture to a multiple of it.
        mean, std: Of RGB in 0-255, the network sees (pixel - mean) / std.
        thresholds: Label name -> score from which it counts, "score" for all others.
        calibration: {"a", "b"}: probability = sigmoid(a * logit + b); of labels as `kinds.classify` says.
        parts: Other models this one stands on, or that were put into it, role -> name ({"detector": "facehand"}).
        options: Numbers its task reads.
        data: The sources it learned from.
        scores: How well it did on its validation data.

    Raises:
        ModelError: the fields contradict each other.
    """

    name: str
    task: str
    kind: str
    names: tuple[str, ...]
    size: tuple[int, int]
    resize: str
    stride: int = 32
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (255.0, 255.0, 255.0)
    thresholds: dict[str, float] = field(default_factory=dict)
    calibration: dict[str, float] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    options: dict[str, float] = field(default_factory=dict)
    version: str = "0"
    data: tuple[str, ...] = ()
    licence: str = ""
    scores: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        who = f"the card of model '{self.name}'"
        if self.kind not in KINDS:
            raise ModelError(f"{who}: {unknown('kind', self.kind, KINDS)}")
        if self.resize not in RESIZES:
            raise ModelError(f"{who}: {unknown('resize rule', self.resize, RESIZES)}")
        for name, length in (("size", 2), ("mean", 3), ("std", 3)):
            if len(getattr(self, name)) != length:
                raise ModelError(f"{who}: '{name}' needs {length} numbers, got {len(getattr(self, name))}.")
        if min(self.size) < 1 or self.stride < 1:
            raise ModelError(f"{who}: size {self.size} and stride {self.stride} must be at least 1.")
        if self.resize == "fit" and self.size[0] != self.size[1]:
            raise ModelError(f"{who}: the rule 'fit' needs a square size, got {self.size}.")
        if not self.names or len(set(self.names)) != len(self.names):
            raise ModelError(f"{who}: needs at least one label name and none twice, got {list(self.names)}.")
        if min(self.std) <= 0:
            raise ModelError(f"{who}: std must be above 0, got {self.std}.")
        for option, meaning in KINDS[self.kind].items():
            if option not in self.options:
                raise ModelError(f"{who}: a {self.kind} model needs the option '{option}', {meaning}.")
        missing = {"a", "b"} - self.calibration.keys() if self.calibration else set()
        if missing:
            raise ModelError(f"{who}: the calibration needs 'a' and 'b', got {sorted(self.calibration)}.")

    def threshold(self, label: str, default: float = 0.25) -> float:
        """Return the score from which a label counts: its own threshold, else "score", else `default`."""
        return self.thresholds.get(label, self.thresholds.get("score", default))

    def calibrated(self, logit: float) -> float:
        """Return the probability a raw logit stands for."""
        z = self.calibration.get("a", 1.0) * logit + self.calibration.get("b", 0.0)
        return 1.0 / (1.0 + math.exp(-z)) if z >= 0 else math.exp(z) / (1.0 + math.exp(z))

    def to_json(self) -> str:
        """Return the text that is stored in the model file."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Return the card of that text.

        Raises:
            ModelError: not JSON, an unknown key, a missing key, or a value of the wrong type.
        """
        try:
            given = json.loads(text)
        except json.JSONDecodeError as error:
            raise ModelError(f"the model's card is not JSON: {error}.") from error
        if not isinstance(given, dict):
            raise ModelError(f"the model's card must be a JSON object, got {type(given).__name__}.")
        fields = {f.name: f for f in dataclasses.fields(cls)}
        for key in given:
            if key not in fields:
                raise ModelError(f"the model's card was written by another version: {unknown('key', key, fields)}")
        required = [n for n in fields if n in ("name", "task", "kind", "names", "size", "resize")]
        missing = [name for name in required if name not in given]
        if missing:
            raise ModelError(f"the model's card misses the key '{missing[0]}'; it needs {', '.join(required)}.")
        return cls(**{key: _typed(key, value) for key, value in given.items()})


_TEXTS = {"name", "task", "kind", "resize", "version", "licence"}
_TEXT_LISTS = {"names", "data"}
_NUMBER_MAPS = {"thresholds", "calibration", "options", "scores"}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _typed(key: str, value: Any) -> Any:
    """Return the JSON value as the card's own type, or raise ModelError saying what the key needs."""
    if key in _TEXTS:
        ok, want = isinstance(value, str), "a text"
    elif key in _TEXT_LISTS:
        ok, want = isinstance(value, list) and all(isinstance(v, str) for v in value), "a list of texts"
    elif key == "parts":
        ok = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        want = "an object of texts"
    elif key in _NUMBER_MAPS:
        ok, want = isinstance(value, dict) and all(map(_is_number, value.values())), "an object of numbers"
    elif key == "stride":
        ok, want = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    elif key == "size":
        ok, want = isinstance(value, list) and all(type(v) is int for v in value), "a list of two whole numbers"
    else:
        ok, want = isinstance(value, list) and all(map(_is_number, value)), "a list of numbers"
    if not ok:
        raise ModelError(f"the model's card: '{key}' needs {want}, got {json.dumps(value)}.")
    return tuple(value) if isinstance(value, list) else value


class _Meta(Protocol):
    custom_metadata_map: Mapping[str, str]


class _Session(Protocol):
    def get_modelmeta(self) -> _Meta: ...


def read_card(session: _Session) -> ModelCard:
    """Return the card stored in a loaded model (an onnxruntime session).

    Raises:
        ModelError: the file has no card of ours, or a wrong one.
    """
    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    if text is None:
        raise ModelError(
            "this .onnx carries no handlens card; write one with 'handlens export', or give a shipped model."
        )
    return ModelCard.from_json(text)
