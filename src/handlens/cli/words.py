"""A result or an event in a few words for a person; it must not know terminals."""

from handlens.summary import clock
from handlens.types import Detections, Event, Label, Mask, Result

_SHOWN = 0.5  # regions below this are in the JSON, not in the words


def verdict(result: Result, threshold: float) -> str:
    """Say what was seen in one frame.

    "touch 93%: chin", "no touch (4%), 1 face, 2 hands", "3 (90%, -12 deg)", "hand 12.3%, no face".
    """
    value = result.value
    if isinstance(value, Detections):
        return _touch(value, threshold)
    if isinstance(value, Mask):
        return ", ".join(_area(name, value.fraction(name)) for name in value.parts)
    labels = [value] if isinstance(value, Label) else [hand.gesture for hand in value]
    return ", ".join(map(_hand, labels)) or "no hand"


def regions(found: Detections, least: float = _SHOWN) -> str:
    """Name the touched regions that score at least `least`, surest first."""
    rows = [(score, name) for score, name in zip(found.score, found.label_names, strict=True)]
    touched = [name for score, name in sorted(rows, reverse=True) if name not in ("face", "hand") and score >= least]
    return ", ".join(dict.fromkeys(touched))


def began(event: Event) -> str:
    """Say that an event opened."""
    return f"{clock(event.start):>8}  {event.label}{_whose(event)}"


def ended(event: Event) -> str:
    """Say that an event closed, and how long it was."""
    return f"{clock(event.stop):>8}  {event.label}{_whose(event)} ended after {event.stop - event.start:.1f} s"


def _whose(event: Event) -> str:
    return f" ({event.subject})" if event.subject else ""


def _touch(found: Detections, threshold: float) -> str:
    sure = found.best_touch
    if sure >= threshold:
        where = regions(found)
        return f"touch {sure:.0%}{': ' if where else ''}{where}"
    seen = [_count(int(found.of(name).sum()), name) for name in ("face", "hand")]
    return f"no touch ({sure:.0%}), {', '.join(seen)}"


def _hand(label: Label) -> str:
    turned = "" if label.angle is None else f", {round(label.angle)} deg"
    return f"{label.name} ({label.score:.0%}{turned})"


def _area(name: str, share: float) -> str:
    return f"{name} {share:.1%}" if share >= 0.0005 else f"no {name}"


def _count(number: int, name: str) -> str:
    return f"{number or 'no'} {name}{'' if number == 1 else 's'}"
