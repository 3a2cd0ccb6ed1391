"""Poses of a hand that shows a number or a sign, never twice the same; it must not know skin, cameras or pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handlens.errors import InputError, unknown
from handlens.synth.hand_bones import HandPose
from handlens.synth.rasterize import F32

Rng = np.random.Generator
Span = tuple[float, float]
Triple = tuple[float, float, float]

#: thumb as (across the palm, middle joint, end joint), opposition, adduction, in degrees
_THUMBS: dict[str, tuple[Triple, float, float]] = {
    "out": ((-8, -2, -6), 2, -6),
    "wide": ((-16, -6, -10), -4, -14),
    "beside": ((4, 8, 6), 12, 24),
    "across": ((34, 36, 42), 44, 14),
    "tucked": ((52, 34, 34), 48, 6),
    "on_index": ((-20, 25, 62), 53, 5),
    "on_middle": ((38, 26, 52), 29, -33),
    "on_ring": ((64, 19, 55), 16, -36),
    "up": ((-14, -4, -10), 0, -4),
    "hook": ((8, 12, 12), 46, 0),
}

#: a finger that meets the thumb: its joints and the thumb's, solved so that the pads of both tips touch
RINGS: tuple[tuple[tuple[Triple, Triple, float, float], ...], ...] = (
    (((46, 57, 30), (11, 8, 6), 48, -7), ((39, 67, 30), (4, 11, 11), 44, 2), ((58, 46, 25), (5, 11, 12), 60, -12)),
    (((39, 74, 35), (30, 11, 1), 28, -3), ((29, 86, 35), (22, 13, 5), 41, -1), ((45, 69, 34), (32, 15, 4), 23, -6)),
    (((39, 72, 36), (37, 13, -1), 22, 8), ((26, 86, 37), (31, 15, 4), 30, 8), ((47, 65, 34), (39, 17, 1), 17, 6)),
    (((36, 65, 34), (43, 14, -3), 24, 14), ((22, 82, 36), (38, 17, 2), 29, 15), ((45, 57, 31), (44, 17, -1), 21, 12)),
)

_UP: Triple = (3, 5, 3)
_LOOSE, _TIGHT = np.array([58, 78, 42], np.float32), np.array([84, 101, 60], np.float32)
_BENT = np.array([38, 40, 22], np.float32)


@dataclass(frozen=True)
class _Sign:
    """One way to make a sign: the fingers that are up (i, m, r, l), the thumb, and how far the fingers spread.

    Attributes:
        fan: spread of the fingers in degrees; -7 is closed, 12 is wide.
        ring: the finger that meets the thumb, 0 to 3.
        down: what the other fingers do: "curled", "bent" (as round a ball) or "ring" (along with the ring's finger).
    """

    up: str
    thumb: str
    fan: Span = (-3, 8)
    ring: int | None = None
    down: str = "curled"


_CLOSED, _OPEN = (-8.0, -5.0), (1.0, 12.0)

_SIGNS: dict[str, tuple[_Sign, ...]] = {
    "0": (
        _Sign("", "on_index", _CLOSED), _Sign("", "on_middle", _CLOSED), _Sign("", "on_middle", _CLOSED),
        _Sign("", "beside", _CLOSED), _Sign("", "tucked", _CLOSED), _Sign("", "across", _CLOSED),
        _Sign("", "", (-8, -3), ring=0, down="ring"), _Sign("", "", (-8, -3), ring=0, down="ring"),
    ),
    "1": (_Sign("i", "on_middle"), _Sign("i", "on_middle"), _Sign("i", "across"), _Sign("i", "tucked"),
          _Sign("i", "beside"), _Sign("", "up", _CLOSED), _Sign("", "up", _CLOSED)),
    "2": (_Sign("im", "on_ring", _OPEN), _Sign("im", "on_ring", (-4, 6)), _Sign("im", "across", (-4, 6)),
          _Sign("im", "tucked", _OPEN), _Sign("i", "out"), _Sign("i", "wide")),
    "3": (
        _Sign("imr", "across", (-2, 10)), _Sign("imr", "tucked", _OPEN), _Sign("imr", "", _OPEN, ring=3),
        _Sign("im", "out", _OPEN), _Sign("im", "wide", (-2, 10)), _Sign("im", "out", _OPEN),
    ),
    "4": (_Sign("imrl", "across", _OPEN), _Sign("imrl", "tucked", (-2, 10)), _Sign("imrl", "across", (-5, 4))),
    "5": (_Sign("imrl", "out", _OPEN), _Sign("imrl", "wide", (-3, 14)), _Sign("imrl", "out", (-7, 4))),
    "six": (_Sign("imr", "", (0, 10), ring=3),),
    "seven": (_Sign("iml", "", (0, 10), ring=2),),
    "eight": (_Sign("irl", "", (0, 10), ring=1),),
    "nine": (_Sign("mrl", "", (-4, 10), ring=0),),
    "thumb_up": (_Sign("", "up", _CLOSED),),
    "L": (_Sign("i", "out"), _Sign("i", "wide")),
    "Y": (_Sign("l", "out"), _Sign("l", "wide")),
    "I": (_Sign("l", "on_middle"), _Sign("l", "on_ring"), _Sign("l", "across")),
    "i_love_you": (_Sign("il", "out"), _Sign("il", "wide")),
    "U": (_Sign("im", "on_ring", (-9, -7)), _Sign("im", "across", (-9, -7))),
    "horns": (_Sign("il", "on_middle"), _Sign("il", "on_ring"), _Sign("il", "across")),
    "B": (_Sign("imrl", "across", _CLOSED), _Sign("imrl", "tucked", _CLOSED)),
    "C": (_Sign("", "hook", _CLOSED, down="bent"),),
    "point_side": (_Sign("i", "on_middle"), _Sign("i", "across"), _Sign("i", "beside")),
}  # fmt: skip
FINGER_POSES: tuple[str, ...] = tuple(_SIGNS)
NUMBERS: tuple[str, ...] = ("0", "1", "2", "3", "4", "5")


def finger_pose(name: str, rng: Rng) -> HandPose:
    """Return a pose of `FINGER_POSES` as some person would make it: another variant, looseness and spread each time.

    "1" is the index finger or, as many count, the thumb; "2" is index and middle finger, or thumb and index; "3" is
    index, middle and ring finger, or thumb, index and middle; "0" is a fist or an O; "six" to "nine" are those
    of American sign language (thumb meets little, ring, middle, index finger; "nine" is also F and ok); "B" is "4" with
    closed fingers.

    Raises:
        InputError: for an unknown name.
    """
    if name not in _SIGNS:
        raise InputError(unknown("finger pose", name, FINGER_POSES))
    sign = _SIGNS[name][int(rng.integers(len(_SIGNS[name])))]
    flex, spread = _fingers(sign, rng)
    if sign.ring is None:
        across, opposition, adduction = _THUMBS[sign.thumb]
        flex[4] = across + rng.normal(0, (5, 5, 8))
        thumb = (opposition + float(rng.normal(0, 5)), adduction + float(rng.normal(0, 4)))
    else:
        bent, across, opposition, adduction = RINGS[sign.ring][int(rng.integers(3))]
        flex[sign.ring], flex[4] = bent + rng.normal(0, 2.0, 3), across + rng.normal(0, 1.5, 3)
        spread[sign.ring] = rng.normal(0, 1)
        thumb = (opposition + float(rng.normal(0, 1.5)), adduction + float(rng.normal(0, 1.5)))
        if sign.down == "ring":
            for finger, step in ((1, 0.0), (2, 3.0), (3, 8.0)):
                slack = np.array([1.0 - step, -step, -step / 2])
                flex[finger] = bent + slack + rng.normal(0, 3, 3)
    wrist = (float(np.clip(rng.normal(0, 16), -40, 40)), float(np.clip(rng.normal(0, 9), -22, 22)))
    return HandPose(flex, spread, thumb, wrist)


def _fingers(sign: _Sign, rng: Rng) -> tuple[F32, F32]:
    """Joints (5, 3) and spread (4,) of the fingers; those that are up may lean or bow a little, each on its own."""
    flex = np.zeros((5, 3), np.float32)
    tight = rng.uniform(0.7 if sign.thumb.startswith("on_") else 0, 1.05)  # a thumb lies on closed fingers only
    stiff = abs(rng.normal(0, 1))
    for finger, letter in enumerate("imrl"):
        if letter in sign.up:
            flex[finger] = np.array(_UP) + np.array([3.0, 4.0, 2.0]) * stiff + rng.normal(0, (4, 3, 2))
        elif sign.down == "curled":
            flex[finger] = _LOOSE + (_TIGHT - _LOOSE) * tight + rng.normal(0, (5, 6, 5)) + (1.5 * finger, 0, 0)
        else:
            flex[finger] = _BENT + rng.normal(0, (5, 5, 4))
    spread = np.array([-1.0, -0.25, 0.4, 1.2]) * rng.uniform(*sign.fan) + rng.normal(0, 1.4, 4)
    return flex, np.asarray(spread, np.float32)
