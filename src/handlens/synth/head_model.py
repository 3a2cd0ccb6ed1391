"""A whole person above the chest, drawn at random or described, as clouds of points.

It must not know about hands, cameras or pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from handlens.synth.face_features import Face, HeadForm
from handlens.synth.facial_hair import BEARDS, beard, brows
from handlens.synth.hair import STYLES, hairline, head_hair
from handlens.synth.head_parts import ears, eyes, glasses, mouth_inside, torso
from handlens.synth.head_shape import build_head
from handlens.synth.head_skin import HeadColour, paint_head, region_of
from handlens.synth.points import Cloud, cloud
from handlens.synth.rasterize import F32, linear

Rng = np.random.Generator

_HAIR_COLOURS = np.array(
    [
        (18, 15, 14),
        (34, 25, 20),
        (58, 40, 28),
        (86, 60, 40),
        (120, 84, 50),
        (168, 128, 80),
        (205, 172, 120),
        (130, 62, 34),
        (150, 148, 146),
        (214, 212, 208),
    ]
)
_EYE_COLOURS = np.array([(52, 34, 22), (78, 52, 32), (98, 84, 52), (86, 104, 84), (92, 122, 150), (110, 128, 138)])
_STYLES_OF_CLOTH = ("tee", "vee", "shirt", "high", "hood")


@dataclass(frozen=True, eq=False)
class Person:
    """How one person looks; every field has a plain default.

    Attributes:
        form, colour: shape and skin of the head.
        hair: one of `hair.STYLES`; recede: hairline moved up, 0-1.
        beard: one of `whiskers.BEARDS`; brow: thickness of the brows.
        specs: (shape, linear RGB, dark) or None.
        cloth: linear RGB; second: stripes or None; dress: kind of neckline.
        headwear: linear RGB of a beanie or scarf; broad: width of the shoulders.
        ear: (flare in degrees, size); seed: of everything that is scattered.
    """

    form: HeadForm = field(default_factory=HeadForm)
    colour: HeadColour = field(default_factory=HeadColour)
    hair: str = "short"
    recede: float = 0.0
    beard: str = "none"
    brow: float = 1.0
    specs: tuple[str, F32, bool] | None = None
    cloth: F32 = field(default_factory=lambda: linear([70, 88, 120]))
    second: F32 | None = None
    dress: str = "tee"
    headwear: F32 = field(default_factory=lambda: linear([90, 40, 50]))
    broad: float = 1.0
    ear: tuple[float, float] = (28.0, 1.0)
    seed: int = 0


def random_person(rng: Rng, tone: float | None = None) -> Person:
    """Anybody: any skin, age, hair and dress."""
    male = rng.random() < 0.5
    tone = float(rng.uniform(0, 1)) if tone is None else tone
    pale = 1 - tone

    def around(middle: float, spread: float) -> float:
        return float(middle + np.clip(rng.normal(0, spread), -2.2 * spread, 2.2 * spread))

    form = HeadForm(
        width=around(1.0, 0.035), jaw=around(1.03 if male else 0.93, 0.05), length=around(1.0, 0.04),
        nose=(around(1.0, 0.06), around(0.96 + 0.22 * tone, 0.10), around(1.0 - 0.12 * tone, 0.12)),
        lips=around(0.92 + 0.30 * tone, 0.14),
        chin=around(1.0 if male else -0.6, 1.4), brow=around(1.0 if male else -0.8, 0.9),
        cheek=around(0.2, 1.3), cleft=float(rng.choice([0.0, 0.1, 0.5], p=[0.5, 0.4, 0.1])),
        eyes=(around(1.02, 0.06), around(1.0, 0.025), around(4.0, 3.0)),
    )  # fmt: skip
    age = float(rng.uniform(0, 1) ** 1.3)
    dark = rng.random() < 0.35 + 0.6 * tone
    shades = np.arange(3) if dark else np.arange(2, 8)
    pick = int(rng.choice([8, 9])) if age > 0.75 and rng.random() < 0.6 else int(rng.choice(shades))
    hair = linear(np.clip(_HAIR_COLOURS[pick] * np.exp(rng.normal(0, 0.15)), 5, 240))
    styles = (
        np.array([0.06, 0.09, 0.2, 0.12, 0.1, 0.06, 0.08, 0.06, 0.01, 0.04, 0.02, 0.03, 0.1, 0.03])
        if male
        else np.array([0.01, 0.02, 0.05, 0.04, 0.03, 0.06, 0.08, 0.06, 0.15, 0.17, 0.11, 0.11, 0.05, 0.06])
    )
    beards = np.array([0.38, 0.17, 0.12, 0.14, 0.06, 0.07, 0.06]) if male else np.eye(7)[0]
    style, whiskers = str(rng.choice(STYLES, p=styles / styles.sum())), str(rng.choice(BEARDS, p=beards / beards.sum()))
    paint = linear(np.array([rng.uniform(120, 205), rng.uniform(25, 85), rng.uniform(45, 105)]))
    colour = HeadColour(
        tone=tone, tint=np.asarray(1 + rng.normal(0, 0.025, 3), np.float32),
        lips=(paint, 0.0 if male or rng.random() < 0.5 else float(rng.uniform(0.2, 0.9))), hair=hair,
        cropped=float(rng.uniform(0.25, 0.7)) if style == "buzz" else 0.92,
        stubble=float(rng.uniform(0.3, 1.0)) if whiskers != "none" else (float(rng.uniform(0, 0.25)) if male else 0.0),
        freckles=float(max(rng.normal(-0.3, 0.5), 0) * pale), age=age, flush=float(rng.uniform(0.5, 1.5)),
        eyes=linear(_EYE_COLOURS[int(rng.integers(0, 2 if dark else 6))] * rng.uniform(0.8, 1.2)),
        seed=int(rng.integers(1 << 30)),
    )  # fmt: skip
    specs = None
    if rng.random() < 0.3:
        rim = linear(rng.choice([[18, 17, 18], [60, 38, 24], [150, 150, 155], [120, 30, 30]]))
        specs = (str(rng.choice(["round", "square", "wide"])), rim, bool(rng.random() < 0.2))
    cloth = linear(rng.uniform(12, 235) * np.clip(1 + rng.normal(0, 0.25, 3), 0.3, 1.08))
    return Person(
        form, colour, style, float(max(rng.normal(-0.1, 0.5), 0)) * (1.0 if male else 0.3), whiskers,
        float(rng.uniform(0.8, 1.5) if male else rng.uniform(0.5, 1.1)), specs, cloth,
        linear(rng.uniform(12, 235, 3)) if rng.random() < 0.25 else None, str(rng.choice(_STYLES_OF_CLOTH)),
        linear(rng.uniform(15, 225, 3)), around(1.04 if male else 0.9, 0.05), (around(26, 7), around(1.0, 0.07)),
        int(rng.integers(1 << 30)),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Bust:
    """A person as clouds: `skin` alone decides face regions; `over` moves with the head; `body` stays.

    Attributes:
        skin: face, eyes and ears; over: hair, beard, glasses; body: neck and shoulders.
        outline: (k, 3) points of hairline middle, temples, jaw and chin: what a face box encloses.
        anchors: face point per region name: position (3,) and outward normal (3,), on the picture's right half.
    """

    skin: list[Cloud]
    over: list[Cloud]
    body: list[Cloud]
    outline: F32
    anchors: dict[str, list[tuple[F32, F32]]]


#: frontal coordinates of places that hands touch; x is mirrored for the other half
_PLACES: dict[str, tuple[tuple[float, float], ...]] = {
    "forehead": ((0, 40), (22, 42), (42, 36), (58, 30)),
    "eye": ((36, 3), (30, -6), (40, 14)),
    "nose": ((0, -38), (13, -44), (6, -20), (0, -50)),
    "mouth": ((0, -66), (14, -66), (24, -67), (0, -58)),
    "cheek": ((44, -34), (52, -14), (55, -50), (38, -52)),
    "chin": ((0, -98), (14, -98), (0, -108), (22, -104)),
}


def build_bust(person: Person, face: Face, detail: float = 1.0, known: Bust | None = None) -> Bust:
    """All of a person with one expression; `detail` below 1 uses fewer points.

    The hair and body of a `known` bust of the same person are taken over, for video.
    """
    rows, columns = (520, 680) if detail > 0.7 else (400, 520)
    grid = build_head(person.form, face, rows, columns)
    covered = person.hair in ("beanie", "scarf")
    edge = np.broadcast_to(
        hairline(grid.angle, person.recede, "bald" if person.hair == "bald" else "short"), grid.front.shape
    )
    shown = np.asarray(np.minimum(edge, 76.0 + 0 * edge) if person.hair == "bald" else edge, np.float32)
    region = region_of(grid, shown)
    rgb, gloss, soft = paint_head(grid, person.colour, person.form, face, np.asarray(edge, np.float32))
    keep = grid.open.ravel()
    size = 0.4 if detail > 0.7 else 0.52

    def flat(a: F32) -> F32:
        return np.asarray(a.reshape(len(keep), -1)[keep], np.float32)

    skin = cloud(
        flat(grid.points),
        flat(grid.normals),
        flat(rgb),
        flat(gloss)[:, 0],
        flat(soft)[:, 0],
        region.ravel()[keep],
        size,
    )
    parts = [skin, eyes(person.colour, person.form, face)]
    flat_ear = (5.0, 0.9 * person.ear[1])  # pressed to the head below a scarf
    parts.append(ears(person.colour, person.form, *(flat_ear if person.hair == "scarf" else person.ear)))
    if face.open > 0.02 or face.smile > 0.6:
        parts.append(mouth_inside(person.form, face))
    if known is not None:
        return replace(known, skin=parts)
    rng = np.random.default_rng(person.seed)
    over = [brows(grid, person.form, person.colour.hair, rng, person.brow)]
    over += beard(person.beard, grid, person.colour.hair, rng, region)
    top = person.headwear if covered else person.colour.hair
    over += head_hair(person.hair, grid, top, rng, person.recede, detail)
    if person.specs is not None:
        over.append(glasses(person.form, person.specs[1], person.specs[0], person.specs[2]))
    body = [torso(person.colour, person.cloth, person.dress, person.broad, person.second, person.seed)]
    points, normals = grid.points.reshape(-1, 3), grid.normals.reshape(-1, 3)
    on = np.flatnonzero((grid.front.ravel() > 0.1) & (region.ravel() > 0) & (region.ravel() < 8))
    where = grid.flat.reshape(-1, 2)[on]
    anchors: dict[str, list[tuple[F32, F32]]] = {}
    for name, positions in _PLACES.items():
        rows_of = [on[np.argmin(((where - p) ** 2).sum(1))] for p in positions]
        anchors[name] = [(points[r], normals[r]) for r in rows_of]
    anchors["ear"] = [(np.array([82, -10, -14], np.float32), np.array([0.9, 0, 0.44], np.float32)),
                      (np.array([78, -40, -8], np.float32), np.array([0.9, -0.2, 0.4], np.float32))]  # fmt: skip
    face_rows = on[::97]
    return Bust(parts, over, body, points[face_rows], anchors)
