"""Pictures of a study for papers, as SVG and as PNG with 300 dots an inch; needs matplotlib, in the extra `study`."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handlens.errors import InputError
from handlens.io.atomic import AtomicFile, output_error
from handlens.offline import keep_caches_out_of_home
from handlens.study.agreement import BlandAltman
from handlens.study.charts import COLOURS
from handlens.study.figures import PersonFigures, persons_of, together, worth_showing
from handlens.study.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from handlens.study.agree import Pair

DPI = 300
_WIDTH = 6.9  # inches: two columns of most journals


def write_pictures(results: Results, folder: str | Path) -> list[Path]:
    """Write the timelines, rates, durations, regions and maps of faces; return the files.

    Raises:
        InputError: matplotlib is missing.
        OutputError: a file cannot be written.
    """
    figure = _figure_class()
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, place) from error
    files = []
    rows: list[PersonFigures] = []
    lengths: dict[str, list[float]] = {}
    for video in results.videos:
        everyone, events = persons_of(results, video)
        persons, _ = worth_showing(everyone)
        rows += persons
        for event in events:
            lengths.setdefault(event.subject, []).append(event.seconds)
        lanes = {one.subject: [e for e in events if e.subject == one.subject] for one in persons}
        duration = max(video.row.duration or 0.0, video.analysis.stop)
        files += _save(_timeline(figure, lanes, duration), place / f"{_safe(video.entry.name)}-timeline")
        for one in persons:
            if one.person is not None and one.person.heat and any(map(any, one.person.heat)):
                name = f"{_safe(video.entry.name)}-{_safe(one.subject)}-face"
                files += _save(_face(figure, one.person.heat), place / name)
    every = together(rows)
    files += _save(_regions(figure, every), place / "regions")
    files += _save(_durations(figure, lengths), place / "durations")
    return files


def write_agreement(pairs: "Sequence[Pair]", folder: str | Path) -> list[Path]:
    """Write the plots of Bland and Altman of rate and time touched for each pair of coders; return the files.

    Raises:
        InputError: matplotlib is missing.
        OutputError: a file cannot be written.
    """
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, place) from error
    files = []
    for pair in pairs:
        name = f"{_safe(pair.first)}-{_safe(pair.second)}"
        files += write_bland_altman(pair.all.rate, "touches per hour", place / f"{name}-rate")
        files += write_bland_altman(pair.all.share, "share of time touched", place / f"{name}-share")
    return files


def write_bland_altman(told: BlandAltman, title: str, path: Path) -> list[Path]:
    """Write the plot of Bland and Altman of one measure; return the files.

    Raises:
        InputError: matplotlib is missing.
        OutputError: a file cannot be written.
    """
    figure = _figure_class()(figsize=(_WIDTH / 2, 2.6))
    axes = figure.add_subplot()
    axes.scatter([x for x, _ in told.points], [y for _, y in told.points], s=14, color="#0072b2")
    for value, style in ((told.bias, "-"), (told.low, "--"), (told.high, "--")):
        if value is not None:
            axes.axhline(value, color="0.3", linewidth=0.8, linestyle=style)
    axes.set_xlabel(f"mean {title}", fontsize=8)
    axes.set_ylabel("difference", fontsize=8)
    return _save(figure, path)


def _figure_class() -> Any:
    keep_caches_out_of_home()
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("pictures need matplotlib: type pip install 'handlens[study]'.") from error
    return Figure


def _timeline(figure: Any, lanes: dict[str, list[Any]], duration: float) -> "Figure":
    made = figure(figsize=(_WIDTH, 0.55 + 0.32 * max(1, len(lanes))))
    axes = made.add_subplot()
    for row, events in enumerate(lanes.values()):
        spans = [(event.start, max(event.seconds, duration / 2000)) for event in events]
        colours = [COLOURS.get(event.region or "touch", COLOURS["touch"]) for event in events]
        axes.broken_barh(spans, (row - 0.35, 0.7), facecolors=colours)
    axes.set_yticks(range(len(lanes)), list(lanes), fontsize=8)
    axes.set_ylim(len(lanes) - 0.4, -0.6)
    axes.set_xlim(0, max(duration, 0.001))
    axes.set_xlabel("time (s)", fontsize=8)
    return made  # type: ignore[no-any-return]


def _face(figure: Any, cells: Sequence[Sequence[float]]) -> "Figure":
    made = figure(figsize=(2.2, 2.8))
    axes = made.add_subplot()
    image = axes.imshow(cells, cmap="Reds", interpolation="bilinear")
    rows, columns = len(cells), len(cells[0])
    x1, y1 = columns / 6 - 0.5, rows / 6 - 0.5  # a quarter of the box around it on each side
    axes.plot(
        [x1, columns - 1 - x1, columns - 1 - x1, x1, x1],
        [y1, y1, rows - 1 - y1, rows - 1 - y1, y1],
        color="0.3",
        linewidth=0.8,
    )
    axes.set_axis_off()
    bar = made.colorbar(image, ax=axes, fraction=0.05)
    bar.set_label("seconds", fontsize=7)
    bar.ax.tick_params(labelsize=7)
    return made  # type: ignore[no-any-return]


def _regions(figure: Any, rows: Sequence[PersonFigures]) -> "Figure":
    made = figure(figsize=(_WIDTH, 0.7 + 0.3 * max(1, len(rows))))
    axes = made.add_subplot()
    left = [0.0] * len(rows)
    names = [row.subject for row in rows]
    for name, colour in COLOURS.items():
        wide = [row.regions.get(name, (0, 0.0))[1] for row in rows]
        if any(wide):
            axes.barh(names, wide, left=left, color=colour, label=name)
            left = [a + b for a, b in zip(left, wide, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("time touched (s)", fontsize=8)
    axes.tick_params(labelsize=8)
    if any(left):
        axes.legend(
            fontsize=7, ncols=4, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2 - 0.6 / max(1, len(rows)))
        )
    return made  # type: ignore[no-any-return]


def _durations(figure: Any, lengths: dict[str, list[float]]) -> "Figure":
    made = figure(figsize=(_WIDTH / 2, 2.6))
    axes = made.add_subplot()
    told = [seconds for each in lengths.values() for seconds in each]
    axes.hist(told or [0.0], bins=20, color="#5b7a99")
    axes.set_xlabel("duration of a touch (s)", fontsize=8)
    axes.set_ylabel("touches", fontsize=8)
    axes.tick_params(labelsize=8)
    return made  # type: ignore[no-any-return]


def _safe(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in name)


def _save(figure: "Figure", path: Path) -> list[Path]:
    files = []
    for kind in ("svg", "png"):
        data = io.BytesIO()
        figure.savefig(
            data, format=kind, dpi=DPI, bbox_inches="tight", metadata={"Date": None} if kind == "svg" else {}
        )
        file = path.with_name(f"{path.name}.{kind}")
        with AtomicFile(file) as draft:
            draft.write(data.getvalue())
        files.append(file)
    return files
