"""study.toml: which videos are coded, and how; it must not open videos or the database.

The file is written once, with remarks, and edited by hand; `load` refuses what it does not know.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from handlens.errors import InputError, unknown
from handlens.io.atomic import AtomicFile
from handlens.io.reading import QUARTERS
from handlens.tasks.touch import REGIONS

FILE = "study.toml"
ZONES = ("left", "middle", "right")
"""Parts of the picture, as the viewer sees it, by which a subject can be named."""
MACHINE = "handlens"
"""The name of the coder whose events the model made."""


@dataclass(frozen=True)
class EventRule:
    """When a touch begins and ends: the four numbers of `handlens predict`."""

    open: float = 0.5
    close: float = 0.35
    min_time: float = 0.25
    gap: float = 0.5


@dataclass(frozen=True)
class VideoEntry:
    """One video of a study.

    Attributes:
        name: How it is called in reports and exports; no two are the same.
        path: As written in study.toml, relative to the folder of the study.
        subjects: Zone ("left", "middle", "right") or "face N" -> the subject; "*" for the one subject of a video.
        offset: Seconds that are added to the times of this video, so that several cameras share one clock.
        start: When its first frame was taken, or None.
        scene: Videos with the same scene show the same persons at the same time and are merged.
        rotate: Degrees clockwise.
    """

    name: str
    path: str
    subjects: Mapping[str, str] = field(default_factory=dict, hash=False)
    offset: float = 0.0
    start: datetime | None = None
    scene: str = ""
    rotate: int = 0


@dataclass(frozen=True)
class StudyConfig:
    """What study.toml says.

    Attributes:
        sample_fps: Frames a second that are looked at, 0 for all.
        hand_model: Tells for each touch which hand it is; "" for none.
        segment_s: Seconds of video that are coded in one piece, and lost at most when a run is killed.
        regions: Events whose label is another region are left out.
        behaviours: What people call a touch in their own files -> "touch" or a region.
        bin_s, tolerance_s: For agreement: the width of a bin, and how far apart two onsets of one event may be.
    """

    folder: Path
    name: str
    videos: tuple[VideoEntry, ...]
    model: str = "touch"
    sample_fps: float = 5.0
    hand_model: str = ""
    segment_s: float = 120.0
    events: EventRule = EventRule()
    regions: tuple[str, ...] = REGIONS
    behaviours: Mapping[str, str] = field(default_factory=dict, hash=False)
    bin_s: float = 1.0
    tolerance_s: float = 1.0

    @property
    def database(self) -> Path:
        """The file that holds all results."""
        return self.folder / "study.sqlite"

    def file_of(self, video: VideoEntry) -> Path:
        """Return where a video lies."""
        return Path(video.path) if Path(video.path).is_absolute() else self.folder / video.path

    def video(self, name: str) -> VideoEntry:
        """Return the video of that name.

        Raises:
            InputError: there is none.
        """
        for video in self.videos:
            if video.name == name:
                return video
        raise InputError(unknown("video", name, [video.name for video in self.videos]))


_KNOWN: dict[str, tuple[str, ...]] = {
    "": ("study", "model", "events", "regions", "coding", "agreement", "video"),
    "study": ("name", "version"),
    "model": ("name", "sample_fps", "hand_model", "segment_s"),
    "events": ("open", "close", "min_time", "gap"),
    "regions": ("keep",),
    "coding": ("behaviours",),
    "agreement": ("bin_s", "tolerance_s"),
    "video": ("name", "path", "subjects", "offset", "start", "start_at", "scene", "rotate"),
}


def load(folder: str | Path) -> StudyConfig:
    """Return what the study.toml of a folder says.

    Raises:
        InputError: there is none, it is not TOML, or it says something that is not known or not allowed.
    """
    place = Path(folder)
    path = place / FILE
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        raise InputError(
            f"'{folder}' is not a study: it has no {FILE}. Type handlens study init {folder} --videos PATTERN."
        ) from error
    except (OSError, UnicodeError) as error:
        raise InputError(f"'{path}' cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"'{path}' is not valid TOML: {error}.") from error
    try:
        return _config(place, told)
    except InputError as error:
        raise InputError(f"'{path}': {error}") from error


def _config(folder: Path, told: Mapping[str, Any]) -> StudyConfig:
    _check_keys("", told)
    tables = {name: told.get(name, {}) for name in _KNOWN if name not in ("", "video")}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise InputError(f"[{name}] must be a table.")
        _check_keys(name, table)
    videos = told.get("video", [])
    if not isinstance(videos, list):
        raise InputError("each video begins with [[video]].")
    study, model, coding = tables["study"], tables["model"], tables["coding"]
    made = StudyConfig(
        folder=folder,
        name=_text(study, "name", folder.resolve().name),
        videos=tuple(_video(entry, number) for number, entry in enumerate(videos, 1)),
        model=_text(model, "name", "touch"),
        sample_fps=_number(model, "sample_fps", 5.0, least=0.0),
        hand_model=_text(model, "hand_model", ""),
        segment_s=_number(model, "segment_s", 120.0, least=1.0),
        events=_rule(tables["events"]),
        regions=_regions(tables["regions"]),
        behaviours=_texts(coding.get("behaviours", {}), "behaviours"),
        bin_s=_number(tables["agreement"], "bin_s", 1.0, least=0.01),
        tolerance_s=_number(tables["agreement"], "tolerance_s", 1.0, least=0.0),
    )
    _check_videos(made)
    return made


def _check_keys(table: str, told: Mapping[str, Any]) -> None:
    for key in told:
        if key not in _KNOWN[table]:
            raise InputError(unknown(f"key in [{table}]" if table else "key", key, _KNOWN[table]))


def _check_videos(config: StudyConfig) -> None:
    """Refuse two videos of one name, and one video under two names."""
    names: set[str] = set()
    places: dict[Path, str] = {}
    for video in config.videos:
        if video.name in names:
            raise InputError(f"two videos are called '{video.name}': give each [[video]] a name of its own.")
        names.add(video.name)
        place = config.file_of(video).resolve()
        if place in places:
            raise InputError(f"'{places[place]}' and '{video.name}' are the same file '{video.path}': remove one.")
        places[place] = video.name


def _video(told: Any, number: int) -> VideoEntry:
    if not isinstance(told, dict):
        raise InputError("each video begins with [[video]].")
    _check_keys("video", told)
    path = _text(told, "path", "")
    if not path:
        raise InputError(f"[[video]] number {number} has no path.")
    rotate = told.get("rotate", 0)
    if rotate not in QUARTERS:
        raise InputError(f"rotate must be 0, 90, 180 or 270, got {rotate!r}.")
    return VideoEntry(
        name=_text(told, "name", Path(path).stem),
        path=path,
        subjects=_subjects(told.get("subjects", {})),
        offset=_number(told, "offset", 0.0),
        start=_began(told),
        scene=_text(told, "scene", ""),
        rotate=int(rotate),
    )


def _subjects(told: Any) -> dict[str, str]:
    if isinstance(told, str):
        return {"*": told} if told else {}
    subjects = _texts(told, "subjects")
    for key in subjects:
        if key not in ZONES and not (key.startswith("face ") and key[5:].isdigit()):
            raise InputError(
                f"subjects knows left, middle, right and 'face 1', 'face 2' ..., not '{key}'; the one subject of a"
                ' video is written subjects = "P01".'
            )
    if any(key in ZONES for key in subjects) and any(key not in ZONES for key in subjects):
        raise InputError("subjects names either parts of the picture (left, right) or faces ('face 1'), not both.")
    return subjects


def _began(told: Mapping[str, Any]) -> datetime | None:
    """Return when the first frame was taken: `start`, which may be what a clock in the picture says at `start_at`."""
    start, at = _moment(told.get("start", "")), _number(told, "start_at", 0.0, least=0.0)
    return None if start is None else start - timedelta(seconds=at)


def _moment(told: Any) -> datetime | None:
    if isinstance(told, datetime):
        return told
    if told == "":
        return None
    try:
        return datetime.fromisoformat(told)
    except (TypeError, ValueError) as error:
        raise InputError(f"start must be a time such as 2026-11-30T14:05:00, got {told!r}.") from error


def _rule(told: Mapping[str, Any]) -> EventRule:
    base = EventRule()
    rule = EventRule(*(_number(told, name, getattr(base, name), least=0.0) for name in _KNOWN["events"]))
    if not 0.0 <= rule.close <= rule.open <= 1.0:
        raise InputError(f"events need 0 <= close <= open <= 1, got close {rule.close:g}, open {rule.open:g}.")
    return rule


def _regions(told: Mapping[str, Any]) -> tuple[str, ...]:
    kept = told.get("keep", list(REGIONS))
    if not isinstance(kept, list) or not kept:
        raise InputError(f"keep must list regions; known: {', '.join(REGIONS)}.")
    for name in kept:
        if name not in REGIONS:
            raise InputError(unknown("region", str(name), REGIONS))
    return tuple(name for name in REGIONS if name in kept)


def _text(told: Mapping[str, Any], key: str, default: str) -> str:
    value = told.get(key, default)
    if not isinstance(value, str):
        raise InputError(f"{key} must be a text in quotes, got {value!r}.")
    return value


def _texts(told: Any, key: str) -> dict[str, str]:
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
        raise InputError(f'{key} must be written {{ name = "text" }}, got {told!r}.')
    return dict(told)


def _number(told: Mapping[str, Any], key: str, default: float, least: float | None = None) -> float:
    value = told.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise InputError(f"{key} must be a number, got {value!r}.")
    if least is not None and value < least:
        raise InputError(f"{key} must be at least {least:g}, got {value:g}.")
    return float(value)


_HEAD = """\
# A study of handlens: which videos are coded, and how.
# A line that begins with # is a remark. After a change type: handlens study run DIR
# Results of other settings are kept apart in study.sqlite and never mixed.

[study]
name = {name}
version = 1

[model]
name = {model}        # a shipped model, or an .onnx file
sample_fps = {fps:g}          # frames a second that are looked at; 0 looks at every frame
hand_model = ""         # "hands" also asks the model of hands which hand touches, left or right
segment_s = 120         # seconds of video in one piece: at most so much is done again after a kill

[events]                # changing these needs no new look at the videos
open = 0.5              # a touch begins when the probability has been at least this ...
min_time = 0.25         # ... for so many seconds,
close = 0.35            # and ends when it has been below this ...
gap = 0.5               # ... for so many seconds

[regions]
keep = [{regions}]

[coding]                # what people call a touch in their own files: a region, or "touch" for any place
behaviours = {{ }}        # such as {{ "self-touch" = "touch", "chin touch" = "chin" }}

[agreement]
bin_s = 1.0             # width of the bins of kappa and alpha
tolerance_s = 1.0       # onsets that are farther apart are not the same event

# One entry for each video. Times are in seconds.
#   subjects = "P01"                               one person; the largest face counts
#   subjects = {{ left = "child", right = "mother" }}  by the part of the picture; also middle
#   subjects = {{ "face 1" = "P01" }}                by the number of the face in the results
#   offset = 2.5                                   is added to the times of this video
#   start = 2026-11-30T14:05:00                    when its first frame was taken, and with
#   start_at = 12.4                                what a clock in the picture says at this time of the video
#   scene = "lab"                                  cameras of one scene are merged
#   rotate = 90                                    degrees clockwise
"""


def write_new(
    folder: str | Path,
    videos: Sequence[str],
    name: str = "",
    model: str = "touch",
    fps: float = 5.0,
    starts: Mapping[str, str] | None = None,
) -> Path:
    """Write the study.toml of a new study and return its path; the folder is made.

    Args:
        videos: Paths of the videos; those of one name are told apart by their folders.
        starts: Path -> when its first frame was taken, as ISO 8601, as far as the files say.

    Raises:
        InputError: there is a study already, no video, or a path that is not text.
        OutputError: the file cannot be written.
    """
    place = Path(folder)
    path = place / FILE
    if path.exists():
        raise InputError(f"'{path}' exists already: edit it, or give another folder.")
    if not videos:
        raise InputError("no video was found: give --videos a pattern such as 'videos/*.mp4'.")
    if place.exists() and not place.is_dir():
        raise InputError(f"'{folder}' is a file: give the name of a folder.")
    kept = ", ".join(f'"{region}"' for region in REGIONS)
    title = name or place.resolve().name
    text = _HEAD.format(name=_quoted(title), model=_quoted(model), fps=fps, regions=kept)
    for video, called in zip(videos, unique_names(videos), strict=True):
        text += f'\n[[video]]\nname = {_quoted(called)}\npath = {_quoted(_relative(video, place))}\nsubjects = ""\n'
        if starts and starts.get(video):
            text += f"start = {starts[video]}  # as the file says\n"
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError("the name of a video is not valid text: rename the file.") from error
    place.mkdir(parents=True, exist_ok=True)
    with AtomicFile(path) as draft:
        draft.write(data)
    return path


def unique_names(paths: Sequence[str]) -> list[str]:
    """Return a name for each path: its stem, with as many folders before it as make it the only one."""
    parts = [Path(path).resolve().with_suffix("").parts for path in paths]
    names: list[str] = []
    for number, own in enumerate(parts):
        depth = 1
        others = [other for place, other in enumerate(parts) if place != number]
        while depth < len(own) and any(other[-depth:] == own[-depth:] for other in others):
            depth += 1
        names.append("_".join(own[-depth:]))
    taken: dict[str, int] = {}
    for number, name in enumerate(names):  # a.mp4 and a.mkv in one folder
        taken[name] = taken.get(name, 0) + 1
        if names.count(name) > 1:
            names[number] = f"{name}_{Path(paths[number]).suffix.lstrip('.').lower() or taken[name]}"
    return names


def _relative(video: str, folder: Path) -> str:
    """Return the path relative to the study where it lies inside, else absolute."""
    place = Path(video).resolve()
    home = folder.resolve()
    return place.relative_to(home).as_posix() if place.is_relative_to(home) else place.as_posix()


def _quoted(text: str) -> str:
    """Return a TOML string; JSON's escapes are valid in it, and only DEL is left raw."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
