"""What a head comes with: eyeballs, inside of the mouth, ears, neck, clothed shoulders and glasses, as clouds.

It must not know about poses, hair or cameras; coordinates are those of `head_shape`.
"""

from __future__ import annotations

import numpy as np

from handlens.synth.face_features import EYE_R, EYE_X, EYE_Z, Face, HeadForm
from handlens.synth.hand_skin import ramp, skin_rgb
from handlens.synth.head_shape import personal
from handlens.synth.head_skin import BODY, EAR, EYE, GEAR, MOUTH, NECK, HeadColour
from handlens.synth.points import Cloud, cloud, joined
from handlens.synth.rasterize import F32, linear, unit


def eyes(colour: HeadColour, form: HeadForm, face: Face) -> Cloud:
    """Both eyeballs with iris, pupil and a wet gloss."""
    a, b = np.meshgrid(np.linspace(-1.15, 1.15, 84), np.linspace(-1.0, 1.0, 74))
    normal = np.stack([np.sin(a) * np.cos(b), np.sin(b), np.cos(a) * np.cos(b)], axis=-1).reshape(-1, 3)
    out = []
    right, up = np.deg2rad(face.gaze)
    for side in (-1, 1):
        gaze = unit([np.sin(right) - 0.02 * side, np.sin(up), np.cos(right) * np.cos(up)])
        off = np.arccos(np.clip(normal @ gaze, -1, 1)) * EYE_R
        turn = np.arctan2(normal[:, 1] - gaze[1], normal[:, 0] - gaze[0])
        iris = (off < 5.9)[:, None]
        streak = 1 + 0.28 * np.sin(turn * 23 + 2 * np.sin(turn * 7)) * (off > 2.4)
        shade = (0.55 + 0.6 * ramp(np.asarray(off, np.float32), 2.0, 4.6)) * (
            1 - 0.75 * ramp(np.asarray(off, np.float32), 5.0, 5.9)
        )
        white = linear([206, 198, 193]) * (1 - 0.20 * ramp(np.abs(normal[:, :1]).astype(np.float32), 0.45, 0.9))
        white = white * np.array([1.0, 0.97, 0.96])
        rgb = np.where(iris, colour.eyes * (shade * streak)[:, None], white)
        rgb = np.where((off < 2.3)[:, None], 0.004, rgb)
        rgb = rgb * (1 - 0.45 * ramp(np.asarray(normal[:, 1:2], np.float32), 0.10, 0.50))  # shadow of the upper lid
        centre = np.array([side * EYE_X * form.eyes[1], 0, EYE_Z])
        cornea = 0.9 * np.clip(1 - (off / 5.9) ** 2, 0, 1)
        at = personal(np.asarray(centre + normal * (EYE_R + cornea)[:, None], np.float32), form)
        out.append(cloud(at, normal, rgb, 0.55, 0.0, EYE, 0.3))
        x, y = (g.ravel() for g in np.meshgrid(np.arange(-14.5, 14.5, 0.5), np.arange(-4, 4, 0.5)))
        corner = np.stack([centre[0] + x, y, 0 * x + EYE_Z + 3.5], axis=1)
        pink = linear([176, 104, 98]) * (1 - 0.6 * colour.tone)
        at = personal(np.asarray(corner, np.float32), form)
        out.append(cloud(at, [[0, 0, 1.0]], pink, 0.1, 1.0, EYE, 0.4))
    return joined(out)


def mouth_inside(form: HeadForm, face: Face) -> Cloud:
    """Return a dark hollow, a tongue and the upper teeth behind the lips."""
    x, y = (a.ravel() for a in np.meshgrid(np.arange(-24, 24, 0.6), np.arange(-90, -54, 0.6)))
    hollow = np.stack([x, y, 68 - 0.02 * x**2], axis=1)
    deep = cloud(hollow, [[0, 0, 1.0]], linear([62, 22, 22]), 0.0, 0.0, MOUTH, 0.6)
    x, y = (a.ravel() for a in np.meshgrid(np.arange(-21, 21, 0.35), np.arange(-69.5, -61, 0.35)))
    gap = np.exp(-((((x + 3.8) % 7.6 - 3.8) / 0.45) ** 2))
    bottom = np.abs(y + 64.0) < 4.5 - 0.004 * x**2
    tooth = np.stack([x, y, 89.5 - 0.020 * x**2 - 0.8 * gap], axis=1)[bottom]
    nx = np.stack([0.04 * x, 0 * x, 1 + 0 * x], axis=1)[bottom]
    teeth = cloud(tooth, nx, linear([226, 216, 196]) * (1 - 0.5 * gap[bottom, None]), 0.25, 0.0, MOUTH, 0.4)
    x, y = (a.ravel() for a in np.meshgrid(np.arange(-17, 17, 0.6), np.arange(-8, 8, 0.6)))
    drop = 11 * face.open
    dome = np.sqrt(np.clip(1 - (x / 18) ** 2 - (y / 9) ** 2, 0.01, 1))
    tongue = np.stack([x, y - 74 - drop, 67 + 8 * dome], axis=1)
    flesh = cloud(tongue, np.stack([x / 18, y / 9, dome], axis=1), linear([176, 84, 80]), 0.2, 1.0, MOUTH, 0.6)
    both = joined([deep, teeth, flesh])
    return Cloud(personal(both.points, form), both.normals, both.rgb, both.gloss, both.soft, both.part, 0.6)


def ears(colour: HeadColour, form: HeadForm, flare: float = 28.0, size: float = 1.0) -> Cloud:
    """Both ears: a shell with rim, inner ridge, hollow and lobe."""
    p, q = np.meshgrid(np.linspace(-1, 1, 110), np.linspace(-1, 1, 160))
    edge = np.interp(q, [-1, -0.8, -0.45, 0.0, 0.45, 0.8, 1.0], [0.15, 0.44, 0.56, 0.72, 0.88, 0.74, 0.2])
    edge = np.asarray(np.convolve(np.pad(edge[:, 0], 12, "edge"), np.hanning(25) / 12.0, "valid"))[:, None]
    r = np.abs((p + 0.12) / edge)
    inside = (r < 1) & (np.abs(q) < 0.99)
    rim_at = np.minimum(1 - r, (1 - np.abs(q)) * 2.2)
    back_side = ramp(np.asarray(p, np.float32), -0.7, -0.1) + ramp(np.asarray(q, np.float32), 0.45, 0.8)
    rim = (
        3.6
        * np.exp(-(((rim_at - 0.13) / 0.11) ** 2))
        * np.clip(back_side, 0, 1)
        * ramp(np.asarray(q, np.float32), -0.75, -0.4)
    )
    ridge = 3.0 * np.exp(-(((np.hypot((p + 0.15) / 0.42, (q - 0.02) / 0.55) - 1) / 0.22) ** 2)) * (p > -0.25)
    hollow = -7.5 * np.exp(-(((p + 0.12) / 0.26) ** 2) - ((q + 0.02) / 0.30) ** 2)
    knob = 4.0 * np.exp(-(((p + 0.52) / 0.12) ** 2) - ((q + 0.06) / 0.17) ** 2)
    lobe = 2.2 * np.exp(-(((q + 0.78) / 0.2) ** 2))
    height = rim + ridge + hollow + knob + lobe - 3.0 * r**6
    along, up = p * 19 * size, q * 32 * size
    hq, hx = np.gradient(height, 64 * size / 159, 38 * size / 109)
    along, up, height, rim, hollow, lobe = (a[inside] for a in (along, up, height, rim, hollow, lobe))
    hx, hq = np.clip(hx[inside], -2, 2), np.clip(hq[inside], -2, 2)
    skin, blood = skin_rgb(colour.tone) * colour.tint, skin_rgb(colour.tone, blood=True) * colour.tint
    rgb = skin + (blood - skin) * np.clip(0.35 + 0.25 * (rim > 1) + 0.3 * lobe / 2, 0, 0.8)[:, None]
    rgb = rgb * (1 - 0.5 * np.clip(-hollow / 7.5, 0, 1) ** 2)[:, None]
    out = []
    angle = np.deg2rad(flare)
    for side in (-1, 1):
        back, outward = (
            np.array([side * np.sin(angle), 0, -np.cos(angle)]),
            np.array([side * np.cos(angle), 0, np.sin(angle)]),
        )
        upward = unit(np.array([0, 1.0, -0.16]))
        root = np.array([side * 70.5, -14.0, 0.0])
        base = root + (along + 12 * size)[:, None] * back + up[:, None] * upward
        normal = unit(outward - hx[:, None] * back - hq[:, None] * upward)
        for face_of, shift in ((1, height), (-1, height * 0.35 - 3.5)):
            at = personal(np.asarray(base + shift[:, None] * outward, np.float32), form)
            out.append(
                cloud(at, face_of * (normal if face_of > 0 else outward[None] + 0 * normal), rgb, 0.05, 1.0, EAR, 0.4)
            )
    return joined(out)


#: y, half width, front, back of neck and shoulders
_TORSO = (
    (-60, 54, 22, -72), (-95, 54, 28, -74), (-125, 55, 30, -76), (-142, 58, 33, -80), (-152, 68, 40, -86),
    (-160, 92, 48, -91), (-168, 122, 56, -95), (-178, 150, 62, -98), (-192, 174, 70, -100), (-212, 188, 78, -102),
    (-245, 188, 88, -104), (-300, 178, 100, -106), (-380, 166, 106, -108), (-520, 158, 106, -110),
    (-1000, 165, 104, -112),
)  # fmt: skip


def torso(
    colour: HeadColour, cloth: F32, style: str, broad: float = 1.0, second: F32 | None = None, seed: int = 0
) -> Cloud:
    """Neck and shoulders; `style` is "tee", "vee", "shirt", "high" or "hood"; in the shoulders' own coordinates."""
    table = np.asarray(_TORSO, np.float64)
    fine = np.linspace(0, 1, 860)
    at = np.concatenate([[0], np.cumsum(np.hypot(np.diff(table[:, 0]), np.diff(table[:, 1])))])
    rows = np.stack([np.interp(fine * at[-1], at, table[:, c]) for c in range(4)], axis=1)
    kernel = np.hanning(49) / np.hanning(49).sum()
    padded = np.pad(rows, ((24, 24), (0, 0)), "reflect", reflect_type="odd")
    rows = np.stack([np.convolve(padded[:, c], kernel, "valid") for c in range(4)], axis=1)
    u = np.linspace(-1, 1, 440)
    angle = 1.7 * np.sign(u) * np.abs(u) ** 1.3
    y, w, front, back = (rows[:, c : c + 1] for c in range(4))
    w = w * np.interp(y, [-165, -140], [broad, 1 + 0.35 * (broad - 1)])
    power = np.interp(y, [-200, -150], [2.6, 2.0])
    centre, sine, cosine = (front + back) / 2, np.sin(angle)[None], np.cos(angle)[None]
    x = w * np.sign(sine) * np.abs(sine) ** (2 / power)
    z = centre + (front - back) / 2 * np.sign(cosine) * np.abs(cosine) ** (2 / power)
    x, y, z = np.broadcast_arrays(x, y, z)
    cords = np.exp(-(((np.abs(x) - 12 - 0.32 * (y + 150)) / 9) ** 2)) * ramp(y, -185, -140)
    z = z + (
        3.5 * cords
        - 3.0 * np.exp(-((x / 8) ** 2) - ((y + 155) / 8) ** 2)
        + 2.2 * np.exp(-((x / 9) ** 2) - ((y + 128) / 9) ** 2)
    ) * ramp(z, -25, 25)
    edge = _neckline(np.asarray(x, np.float32), np.asarray(z, np.float32), style)
    on = y < edge
    rng = np.random.default_rng(seed)
    waves = sum(
        (np.sin(x * rng.uniform(-0.03, 0.03) + y * rng.uniform(-0.05, 0.05) + z * 0.03 + k) for k in range(5)), 0 * x
    )
    band = on & (edge - y < (26 if style == "high" else 9))
    swell = on * (4.0 + 1.6 * waves) + 2.5 * band
    points = np.stack([x, y, z], axis=-1).astype(np.float32)
    rough = _grid_normals(points)
    points = points + rough * swell[..., None]
    normals = _grid_normals(np.asarray(points, np.float32))
    rgb = _cloth(x, y, cloth, second, style, band, rng)
    rgb = np.where(on[..., None], rgb, skin_rgb(colour.tone) * colour.tint * np.array([0.97, 0.95, 0.95]))
    part = np.where(on, BODY, NECK)
    flat = on.ravel()
    return cloud(points.reshape(-1, 3), normals.reshape(-1, 3), rgb.reshape(-1, 3), np.where(flat, 0.012, 0.04),
                 np.where(flat, 0.0, 1.0), part.ravel(), 0.95)  # fmt: skip


def _neckline(x: F32, z: F32, style: str) -> F32:
    ax = np.abs(x)
    if style == "high":
        return np.full_like(x, -112.0)
    deep = {"tee": 26.0, "vee": 78.0, "shirt": 70.0, "hood": 34.0}[style]
    ahead = ramp(z, -30, 30)
    shape = np.clip(1 - ax / 62.0, 0, 1) if style in ("vee", "shirt") else np.sqrt(np.clip(1 - (ax / 72.0) ** 2, 0, 1))
    return np.asarray(-146.0 - deep * shape * ahead, np.float32)


def _cloth(x: F32, y: F32, cloth: F32, second: F32 | None, style: str, band: F32, rng: np.random.Generator) -> F32:
    rgb = np.broadcast_to(cloth, (*x.shape, 3)) * (1 + 0.04 * rng.normal(0, 1, x.shape))[..., None]
    if second is not None:
        width = rng.uniform(8, 30)
        along = y if rng.random() < 0.6 else x
        rgb = np.where((np.sin(along * 2 * np.pi / width) > 0.3)[..., None], second, rgb)
    if style == "shirt":
        placket = (np.abs(x) < 9) & (y < -214)
        rgb = rgb * (1 - 0.18 * (placket & (np.abs(np.abs(x) - 8) < 1.2)))[..., None]
        button = (np.abs(x) < 2.6) & (np.abs((y + 230) % 38 - 19) < 2.6) & (y < -214)
        rgb = np.where(button[..., None], linear([225, 222, 215]), rgb)
    return np.asarray(rgb * np.where(band, 0.86, 1.0)[..., None], np.float32)


def _grid_normals(points: F32) -> F32:
    return unit(np.cross(np.gradient(points, axis=0), np.gradient(points, axis=1)))


def glasses(form: HeadForm, rgb: F32, shape: str, dark: bool) -> Cloud:
    """Spectacles: "round", "square" or "wide" rims, bridge and temples; sunglasses when `dark`."""
    half, tall, power = {"round": (22.0, 21.0, 2.0), "square": (25.0, 17.0, 4.0), "wide": (27.0, 20.0, 2.8)}[shape]
    lines = []
    t = np.linspace(0, 2 * np.pi, 420)
    for side in (-1, 1):
        x = side * 33.5 + half * np.sign(np.cos(t)) * np.abs(np.cos(t)) ** (2 / power)
        y = -3 + tall * np.sign(np.sin(t)) * np.abs(np.sin(t)) ** (2 / power)
        lines.append(np.stack([x, y, 103.0 - 0.0055 * (np.abs(x) - 15) ** 2 * (np.abs(x) > 15)], axis=1))
        s = np.linspace(0, 1, 300)
        hinge = side * (33.5 + half)
        lines.append(
            np.stack([hinge + side * (77 - abs(hinge)) * np.minimum(s * 3, 1) ** 0.7, 3 - 2 * s, 95 - 95 * s], axis=1)
        )
    s = np.linspace(-1, 1, 90)
    lines.append(np.stack([s * (34 - half), 1 + 4 * (1 - s**2), 103.0 + 1.5 * (1 - s**2)], axis=1))
    line = np.concatenate(lines)
    k = np.arange(26)
    up, turn = 1 - 2 * (k + 0.5) / 26, 2.399963 * k  # an even spread over a ball
    ball = np.stack([np.sqrt(1 - up**2) * np.cos(turn), np.sqrt(1 - up**2) * np.sin(turn), up], axis=1)
    points = (line[:, None] + 1.4 * ball[None]).reshape(-1, 3)
    normals = np.broadcast_to(ball[None], (len(line), 26, 3)).reshape(-1, 3)
    frame = cloud(personal(np.asarray(points, np.float32), form), normals, rgb, 0.35, 0.0, GEAR, 0.55)
    if not dark:
        return frame
    u, v = (a.ravel() for a in np.meshgrid(np.linspace(-1, 1, 130), np.linspace(-1, 1, 110)))
    on = np.abs(u) ** power + np.abs(v) ** power < 1
    glass = []
    for side in (-1, 1):
        x, y = side * 33.5 + half * u[on], -3 + tall * v[on]
        at = np.stack([x, y, 102.5 - 0.0055 * (np.abs(x) - 15) ** 2 * (np.abs(x) > 15)], axis=1)
        tint = linear([22, 22, 26]) * (1 + 0.8 * (y[:, None] + 20) / 40)
        glass.append(
            cloud(
                personal(np.asarray(at, np.float32), form),
                np.stack([0.01 * (x - side * 33), 0.012 * y, 1 + 0 * x], axis=1),
                tint,
                0.7,
                0.0,
                GEAR,
                0.45,
            )
        )
    return joined([frame, *glass])
