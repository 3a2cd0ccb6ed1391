"""How far a study is: for each video what is done with the present settings; it opens no video and no model."""

from typing import Any

from handlens.errors import FrameError
from handlens.study import segments
from handlens.study.config import MACHINE, StudyConfig
from handlens.study.database import Database, VideoRow
from handlens.study.results import Results, VideoResult
from handlens.study.run import is_complete
from handlens.study.stretches import progress


def state_of(config: StudyConfig) -> list[dict[str, Any]]:
    """Return a row for each video of study.toml.

    Keys: video, path, state ("coded", "begun", "new", "gone", "changed"), duration (seconds), segments, segments_done,
    events, coders, reviews (person -> [answered, all]), problem, handlens, model.
    """
    if not config.database.exists():
        return [_row(config, number, "new") for number in range(len(config.videos))]
    with Database(config.database) as base:
        results = Results(config, base)
        coded = {video.entry.name: video for video in results.videos}
        known = base.videos()
        rows = []
        for number, entry in enumerate(config.videos):
            video = known.get(entry.name)
            row = _row(config, number, "new" if video is None else "begun")
            rows.append(row)
            if video is None:
                continue
            row["duration"] = video.duration
            row["coders"] = base.coders(video.id)
            if entry.name in coded:
                row["reviews"] = _reviews(results, coded[entry.name])
            done = [base.segments(int(run[0]), video.id) for run in base.rows("SELECT id FROM runs ORDER BY id DESC")]
            latest = next((each for each in done if each), [])
            row["segments_done"] = len(latest)
            planned = segments.plan(video.duration, config.segment_s)
            row["segments"] = len(latest) if is_complete(latest) else len(planned)
            if entry.name in coded:
                one = coded[entry.name]
                row["state"], row["problem"] = "coded", one.analysis.problem
                row["events"] = len(base.events(video.id, MACHINE, one.analysis.id))
                row["handlens"], row["model"] = one.run.handlens, one.run.model
            row["state"] = _on_disk(config, number, video) or row["state"]
    return rows


def _reviews(results: Results, video: VideoResult) -> dict[str, list[int]]:
    """Return person -> how much of the review of a video is done, and of how much."""
    found = {person: progress(results, video, person) for person in results.base.reviewers(video.analysis.id)}
    return {person: list(told) for person, told in found.items() if told is not None}


def _row(config: StudyConfig, number: int, state: str) -> dict[str, Any]:
    entry = config.videos[number]
    told: dict[str, Any] = {"video": entry.name, "path": entry.path, "state": state, "duration": None}
    return {**told, "segments": 0, "segments_done": 0, "events": None, "coders": [], "reviews": {}, "problem": ""}


def _on_disk(config: StudyConfig, number: int, video: VideoRow) -> str:
    """Return "gone" or "changed" where the file is not as it was, else ""."""
    path = config.file_of(config.videos[number])
    try:
        found = path.stat()
        if (found.st_size, found.st_mtime_ns) == (video.size, video.mtime_ns):
            return ""
        return "" if segments.fingerprint(path) == video.fingerprint else "changed"
    except (OSError, FrameError):
        return "gone"
