"""Charts as SVG texts for a page without scripts and without network; they know numbers, not where these come from."""

from collections.abc import Mapping, Sequence
from html import escape

from handlens.study.database import CodedEvent

COLOURS = {
    "forehead": "#e69f00",
    "eye": "#56b4e9",
    "nose": "#009e73",
    "mouth": "#b8a800",
    "cheek": "#0072b2",
    "chin": "#d55e00",
    "ear": "#cc79a7",
    "touch": "#666666",
}
"""Region -> colour; told apart by people who see few colours (after Okabe and Ito)."""
_INK, _GRID, _PAPER = "#222", "#ddd", "#f4f4f2"


def _svg(width: float, height: float, title: str, inside: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
        f' height="{height:g}" role="img" aria-label="{escape(title, quote=True)}" font-family="sans-serif"'
        f' font-size="11"><title>{escape(title)}</title>{inside}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = _INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def clock(seconds: float) -> str:
    """Return a time as m:ss or h:mm:ss."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def timeline(lanes: Mapping[str, Sequence[CodedEvent]], duration: float, width: int = 860) -> str:
    """Return a lane for each person with a bar for each touch, in the colour of its region."""
    left, lane = 130, 26
    inner = width - left - 14
    height = lane * max(1, len(lanes)) + 24
    parts = []
    for tick in _ticks(duration):
        x = left + inner * tick / max(1e-9, duration)
        parts.append(f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{height - 20}" stroke="{_GRID}"/>')
        parts.append(_text(x, height - 6, clock(tick), "middle"))
    for row, (name, events) in enumerate(lanes.items()):
        y = row * lane + 3
        parts.append(f'<rect x="{left}" y="{y}" width="{inner}" height="{lane - 8}" fill="{_PAPER}"/>')
        parts.append(_text(left - 8, y + 14, name if len(name) <= 20 else name[:19] + "…", "end"))
        for event in events:
            x = left + inner * event.start / max(1e-9, duration)
            wide = max(1.2, inner * event.seconds / max(1e-9, duration))
            colour = COLOURS.get(event.region or "touch", COLOURS["touch"])
            sure = "" if event.peak is None else f", p = {event.peak:.2f}"
            told = f"{event.region or 'touch'} {event.side}".strip()
            tip = f"{told}, {clock(event.start)}, {event.seconds:.1f} s{sure}"
            parts.append(
                f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{lane - 8}" fill="{colour}">'
                f"<title>{escape(tip)}</title></rect>"
            )
    return _svg(width, height, "touches over time", "".join(parts))


def _ticks(duration: float) -> list[float]:
    steps = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)
    step = next((each for each in steps if duration / each <= 9), 28800)
    return [float(step * number) for number in range(int(duration / step) + 1)]


def legend() -> str:
    """Return the colours of the regions."""
    parts = [
        f'<rect x="{place * 92}" y="2" width="12" height="12" fill="{colour}"/>{_text(place * 92 + 17, 12, name)}'
        for place, (name, colour) in enumerate(COLOURS.items())
    ]
    return _svg(92 * len(COLOURS), 18, "colours of the regions", "".join(parts))


def region_bars(regions: Mapping[str, tuple[int, float]], width: int = 300) -> str:
    """Return a bar for each region: its seconds, and how many touches were mostly there."""
    known = [(name, regions[name]) for name in COLOURS if name in regions]
    most = max((seconds for _, (_, seconds) in known), default=0.0) or 1.0
    row, left = 20, 62
    parts = []
    for place, (name, (count, seconds)) in enumerate(known):
        y = place * row + 4
        wide = (width - left - 96) * seconds / most
        parts.append(_text(left - 6, y + 11, name, "end"))
        parts.append(f'<rect x="{left}" y="{y}" width="{wide:.1f}" height="{row - 6}" fill="{COLOURS[name]}"/>')
        parts.append(_text(left + wide + 5, y + 11, f"{seconds:.1f} s, {count} touch{'' if count == 1 else 'es'}"))
    return _svg(width, row * max(1, len(known)) + 8, "regions", "".join(parts) or _text(4, 14, "no touch"))


def heat(cells: Sequence[Sequence[float]], width: int = 168) -> str:
    """Return the map of a face: the darker a cell, the longer it was touched; the outline is the box of the face."""
    rows, columns = len(cells), len(cells[0]) if cells else 0
    if not rows or not columns:
        return ""
    most = max(max(line) for line in cells)
    side = width / columns
    parts = [f'<rect width="{width}" height="{rows * side:.1f}" fill="{_PAPER}"/><g shape-rendering="crispEdges">']
    for y, line in enumerate(cells):
        for x, seconds in enumerate(line):
            if most > 0 and seconds > 0.02 * most:
                parts.append(
                    f'<rect x="{x * side:.1f}" y="{y * side:.1f}" width="{side:.1f}" height="{side:.1f}"'
                    f' fill="#b2182b" fill-opacity="{min(1.0, 0.08 + 0.92 * seconds / most):.2f}"/>'
                )
    parts.append("</g>")
    cx, cy, wide, high = width / 2, rows * side / 2, width / 1.5 / 2, rows * side / 1.5 / 2
    outline = 'fill="none" stroke="#555" stroke-width="1.5"'
    parts.append(f'<ellipse cx="{cx:.1f}" cy="{cy:.1f}" rx="{wide * 0.9:.1f}" ry="{high:.1f}" {outline}/>')
    for shift in (-0.4, 0.4):
        eye = cx + shift * wide
        radii = f'rx="{wide * 0.15:.1f}" ry="{high * 0.06:.1f}"'
        parts.append(f'<ellipse cx="{eye:.1f}" cy="{cy - high * 0.2:.1f}" {radii} {outline}/>')
    nose = f"M{cx:.1f} {cy - high * 0.15:.1f} l{-wide * 0.1:.1f} {high * 0.35:.1f} h{wide * 0.18:.1f}"
    mouth = f"M{cx - wide * 0.28:.1f} {cy + high * 0.48:.1f} q{wide * 0.28:.1f} {high * 0.12:.1f} {wide * 0.56:.1f} 0"
    parts.append(f'<path d="{nose}" {outline}/><path d="{mouth}" {outline}/>')
    return _svg(width, round(rows * side, 1), "where the face is touched", "".join(parts))


def histogram(counts: Sequence[int], width: int = 260, height: int = 110) -> str:
    """Return how often the model was how sure, from 0 to 1; heights are square roots, for most frames are calm."""
    total = sum(counts)
    if not total:
        return ""
    most = max(counts) ** 0.5
    wide = (width - 20) / len(counts)
    parts = []
    for place, count in enumerate(counts):
        tall = (height - 30) * count**0.5 / most
        share = count / total
        parts.append(
            f'<rect x="{10 + place * wide:.1f}" y="{height - 18 - tall:.1f}" width="{wide - 1:.1f}" height="{tall:.1f}"'
            f' fill="#5b7a99"><title>{place / len(counts):.2f} to {(place + 1) / len(counts):.2f}: {count} frames'
            f" ({share:.1%})</title></rect>"
        )
    for tick in (0.0, 0.5, 1.0):
        parts.append(_text(10 + (width - 20) * tick, height - 4, f"{tick:g}", "middle"))
    return _svg(width, height, "certainty of the model", "".join(parts))
