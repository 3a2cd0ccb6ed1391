"""Code the videos of a study: plan segments, hand them out, store each that comes back, join each whole video.

One process writes the database. The others, here or in a cluster, only look at pictures and send back their answers.
"""

import concurrent.futures
import contextlib
import itertools
import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from handlens import __version__
from handlens.errors import FrameError, HandlensError, InputError, unknown
from handlens.io.atomic import output_error
from handlens.loop import Predicts
from handlens.predictor import load, model_digests
from handlens.study import segments
from handlens.study.config import StudyConfig, VideoEntry
from handlens.study.database import Database, SegmentRow, VideoRow
from handlens.study.join import SegmentsDiffer, analysis_key, analysis_settings, join
from handlens.study.results import asked_for
from handlens.study.segments import Done, Settings, Task

Say = Callable[[str], None]
Executor = Callable[[Iterator[Task]], Iterator[Done]]
"""Codes tasks, in any order; each that comes back is stored at once."""


@dataclass
class RunReport:
    """What a run did. problems: a sentence for each video that was not coded, or not well."""

    segments: int = 0
    frames: int = 0
    seconds: float = 0.0
    joined: int = 0
    events: int = 0
    problems: list[str] = field(default_factory=list)
    interrupted: bool = False


@dataclass(frozen=True)
class Step:
    """One piece of work that is done, for whoever shows the progress: segments, of all that were to be done."""

    video: str
    done: int
    total: int


@dataclass
class _Work:
    """One video that is to be coded: its segments that are missing."""

    entry: VideoEntry
    row: VideoRow
    run_id: int
    tasks: list[Task]


def run_study(
    config: StudyConfig,
    jobs: int = 1,
    executor: Executor | None = None,
    predictor: Predicts | None = None,
    again: Sequence[str] = (),
    say: Say = lambda sentence: None,
    progress: Callable[[Step], None] = lambda step: None,
) -> RunReport:
    """Code what is missing in a study, and make persons and events of each video that is complete.

    Args:
        jobs: Processes that look at pictures.
        executor: In place of processes: codes the tasks, as a cluster does.
        predictor: In place of the model of the study, for one process.
        again: Names of videos whose results are thrown away first.
        say: Is told what went wrong with a video; the others are done.
        progress: Is called after each segment.

    Raises:
        InputError: a video in `again` is unknown, the database is of a newer version, or another run is on it.
        ModelError: the model does not exist, or is not of touches.
        OutputError: the database cannot be written; all that was done before is kept.
    """
    settings = _settings(config, predictor)
    for name in again:
        if name not in {video.name for video in config.videos}:
            raise InputError(unknown("video", name, [video.name for video in config.videos]))
    report = RunReport()

    def complain(sentence: str) -> None:
        report.problems.append(sentence)
        say(sentence)

    with _alone(config.folder), Database(config.database, create=True) as base:
        work = _Plan(config, settings, base, complain).all(again)
        codes = executor or (_here(predictor) if predictor is not None or jobs == 1 else _processes(jobs, settings))
        try:
            _work_off(config, settings, base, work, codes, report, complain, progress)
        except KeyboardInterrupt:
            report.interrupted = True
    return report


def _settings(config: StudyConfig, predictor: Predicts | None) -> Settings:
    if predictor is not None:
        return Settings("given", (("given", "given"),), config.sample_fps)
    model, digests = _model(config.model, ("touch",), "codes touches")
    if not config.hand_model:
        return Settings(model, digests, config.sample_fps)
    hands, hand_digests = _model(config.hand_model, ("hands", "combined"), "asks its hand_model for hands")
    return Settings(model, digests, config.sample_fps, hands, hand_digests)


def _model(name: str, tasks: Sequence[str], use: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the name by which a worker opens a model, and the digests of its files.

    Raises:
        InputError: it is of another task.
    """
    opened = load(name, threads=1)
    if opened.task not in tasks:
        raise InputError(f"a study {use}, and '{name}' answers '{opened.task}': name another model.")
    if Path(name).is_file():
        name = str(Path(name).resolve())  # the workers may start elsewhere
    return name, model_digests(opened)


def run_key(settings: Settings, rotate: int) -> str:
    """Return the key of the run that these settings belong to: all that decides an answer of the model."""
    decides: dict[str, object] = {
        "handlens": __version__,
        "digests": dict(settings.digests),
        **asked_for(settings.sample_fps, rotate, settings.hand_model),
    }
    if settings.hand_model:
        decides["hand_digests"] = dict(settings.hand_digests)
    return json.dumps(decides, sort_keys=True)


def current_run(config: StudyConfig, base: Database, entry: VideoEntry, settings: Settings) -> int | None:
    """Return the run that study.toml asks for now, or None where it has not begun."""
    return base.find_run(run_key(settings, entry.rotate))


class _Plan:
    """Finds out what is to be done for each video."""

    def __init__(self, config: StudyConfig, settings: Settings, base: Database, complain: Say) -> None:
        self._config, self._settings, self._base, self._complain = config, settings, base, complain

    def all(self, again: Sequence[str]) -> list[_Work]:
        """Return the work of all videos that can be read."""
        known = self._base.videos()
        for name in again:
            if name in known:
                self._base.forget(known[name].id)
                self._base.put_video(replace(known[name], fingerprint=""))
        known = self._base.videos()
        work = []
        for entry in self._config.videos:
            try:
                row = self._video(entry, known.get(entry.name))
            except FrameError as error:
                self._complain(str(error))
                continue
            work.append(self.of(entry, row))
        return work

    def _video(self, entry: VideoEntry, known: VideoRow | None) -> VideoRow:
        """Return the row of a video; a new one is written.

        Raises:
            FrameError: it is gone, unreadable, or not the video that was coded before.
        """
        path = self._config.file_of(entry)
        try:
            state = path.stat()
        except OSError as error:
            kept = "; what was coded before is kept" if known is not None and known.fingerprint else ""
            raise FrameError(
                f"the video '{entry.name}' is not there any more: '{path}' does not exist{kept}."
                if known is not None
                else f"the video '{entry.name}' does not exist: correct the path '{path}' in study.toml."
            ) from error
        if known is not None and known.fingerprint:
            if (known.size, known.mtime_ns) == (state.st_size, state.st_mtime_ns) and known.path == entry.path:
                return known
            if segments.fingerprint(path) != known.fingerprint:
                raise FrameError(
                    f"the video '{entry.name}' ('{path}') has changed since it was coded: put the old file back, or"
                    f" type handlens study run {self._config.folder} --again {entry.name}."
                )
            moved = replace(known, path=entry.path, size=state.st_size, mtime_ns=state.st_mtime_ns)
            self._base.put_video(moved)
            return moved
        found = segments.probe(path, entry.rotate)
        row = VideoRow(
            0 if known is None else known.id,
            entry.name,
            entry.path,
            found.size,
            found.mtime_ns,
            found.fingerprint,
            found.width,
            found.height,
            found.fps,
            found.duration,
        )
        if not found.seekable:
            self._base.note(f"whole:{found.fingerprint}", "1")
        return replace(row, id=self._base.put_video(row))

    def of(self, entry: VideoEntry, row: VideoRow) -> _Work:
        """Return what is missing of one video."""
        settings = self._settings
        run_id = self._base.run(
            run_key(settings, entry.rotate),
            __version__,
            settings.model,
            {**dict(settings.digests), **{f"hand_model {name}": value for name, value in settings.hand_digests}},
            asked_for(settings.sample_fps, entry.rotate, settings.hand_model),
        )
        whole = self._base.noted(f"whole:{row.fingerprint}")
        pieces = segments.plan(None if whole else row.duration, self._config.segment_s)
        done = self._base.segments(run_id, row.id)
        if is_complete(done):
            return _Work(entry, row, run_id, [])
        if any(each.number >= len(pieces) or pieces[each.number] != (each.start, each.stop) for each in done):
            self._base.forget(row.id, run_id)  # cut in other places: the pieces would not fit together
            done = []
        have = {each.number for each in done}
        every = segments.every(row.fps, settings.sample_fps)
        tasks = [
            Task(
                settings,
                row.id,
                row.name,
                str(self._config.file_of(entry).resolve()),
                number,
                start,
                stop,
                every,
                every / row.fps if row.fps else 0.04,
                entry.rotate,
            )
            for number, (start, stop) in enumerate(pieces)
            if number not in have
        ]
        return _Work(entry, row, run_id, tasks)


def is_complete(done: Sequence[SegmentRow]) -> bool:
    """Return whether these segments cover a video from its start to its end."""
    if not done or done[-1].stop is not None or [each.number for each in done] != list(range(len(done))):
        return False
    return all(left.stop == right.start for left, right in itertools.pairwise(done))


def _work_off(
    config: StudyConfig,
    settings: Settings,
    base: Database,
    work: list[_Work],
    codes: Executor,
    report: RunReport,
    complain: Say,
    progress: Callable[[Step], None],
) -> None:
    """Code all tasks; a video whose pieces do not fit together is coded once more in one piece."""
    total = sum(len(each.tasks) for each in work)
    while work:
        waiting = {each.row.id: len(each.tasks) for each in work}
        of = {each.row.id: each for each in work}
        work = []
        for each in of.values():
            if not each.tasks:
                work += _joined(config, settings, base, each, report, complain)
        tasks = (task for each in of.values() for task in segments.placed(each.tasks))
        with contextlib.closing(codes(tasks)) as finished:  # type: ignore[type-var]
            for done in finished:
                mine = of[done.task.video_id]
                base.put_segment(mine.run_id, mine.row.id, done.layout, done.segment, done.frames)
                report.segments += 1
                report.frames += done.segment.frames
                report.seconds += done.segment.seconds
                if done.segment.problem:
                    complain(done.segment.problem)
                progress(Step(mine.row.name, report.segments, total))
                waiting[mine.row.id] -= 1
                if not waiting[mine.row.id]:
                    work += _joined(config, settings, base, mine, report, complain)
        total += sum(len(each.tasks) for each in work)


def _joined(
    config: StudyConfig, settings: Settings, base: Database, work: _Work, report: RunReport, complain: Say
) -> list[_Work]:
    """Join a video that is complete; return it as work where it is to be coded in one piece."""
    key = analysis_key(analysis_settings(config, work.entry))
    if base.analysis(work.run_id, work.row.id, key) is not None:
        return []
    try:
        if segments.fingerprint(config.file_of(work.entry)) != work.row.fingerprint:
            base.forget(work.row.id, work.run_id)
            complain(f"the video '{work.entry.name}' changed while it was being coded: type the same command again.")
            return []
    except FrameError:  # it went away; what was seen of it is whole
        pass
    try:
        made = join(base, config, work.entry, work.row, work.run_id)
    except SegmentsDiffer as error:
        complain(str(error))
        base.forget(work.row.id, work.run_id)
        base.note(f"whole:{work.row.fingerprint}", "1")
        return [_Plan(config, settings, base, complain).of(work.entry, work.row)]
    base.put_analysis(made.row, key, made.persons, made.events)
    report.joined += 1
    report.events += len(made.events)
    return []


def _here(predictor: Predicts | None) -> Executor:
    """Code in this process, one segment after the other."""

    def work(tasks: Iterator[Task]) -> Iterator[Done]:
        for task in tasks:
            yield segments.code(task, predictor)

    return work


def _processes(jobs: int, settings: Settings) -> Executor:
    """Code in so many processes of this machine, each of which opens the model once."""

    def work(tasks: Iterator[Task]) -> Iterator[Done]:
        first = next(tasks, None)
        if first is None:
            return
        context = multiprocessing.get_context("spawn")  # threads of the parent would be lost in a fork
        pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin_worker, initargs=(settings,))
        waiting = {pool.submit(segments.code, first)}
        try:
            while waiting:
                for task in tasks:
                    waiting.add(pool.submit(segments.code, task))
                    if len(waiting) > jobs:
                        break
                ready, waiting = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in ready:
                    yield future.result()
            pool.shutdown()
        except BrokenProcessPool as error:
            raise HandlensError(
                "a process that looked at pictures was ended from outside (is there enough memory?): what was done is"
                " kept; type the same command again, with fewer --jobs."
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                if waiting:
                    child.terminate()

    return work


def _begin_worker(settings: Settings | None = None) -> None:
    """Leave Ctrl-C to the parent, end with it when it is killed, and open the model while the parent looks at files."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent: Any = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    if settings is None:
        return
    with contextlib.suppress(HandlensError):  # the first segment will say it in the parent
        segments.opened(settings)


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one run at a time write a study; the lock goes with the process.

    Raises:
        InputError: another run is on it.
        OutputError: the folder cannot be written.
    """
    path = folder / "study.lock"
    try:
        file = path.open("w")
    except OSError as error:
        raise output_error(error, path) from error
    with file:
        try:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass
        except BlockingIOError as error:
            raise InputError(f"another run is coding '{folder}' now: wait for it, or stop it first.") from error
        except OSError:  # a disk in the network may know no locks
            pass
        yield
