"""Which sources of an unfinished run are done, for `--resume`; it must not know how they are read.

The record is NAME.resume beside the first output: JSON lines, a heading and one line for each step that was finished.
It exists from the first finished source to the end of the run, and is a heading alone where Ctrl-C came before that.
"""

import contextlib
import json
import os
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from handlens import __version__
from handlens.cli.errors import complain
from handlens.errors import HandlensError, InputError, OutputError
from handlens.io.atomic import is_being_written, output_error, part_of
from handlens.io.sinks.base import Sink
from handlens.io.sinks.paths import OutputPaths
from handlens.summary import Summary, clock

_NOT_SETTINGS = frozenset(
    {"sources", "model", "json", "events", "landmarks", "out", "threads", "resume", "recursive", "jobs"}
)
"""Parameters of the command that change no result; which files there are is seen from the files."""


class RunRecord:
    """The record of one run: what it needs to be the same run again, and what is done.

    Args:
        outputs: Flag -> path, None where it was not given.
        settings: Parameters that change results.
        models: The digests of the model files.
        command: What was typed, without the program's name.

    Raises:
        InputError: `resume` with other settings, models, outputs or sources than the unfinished run had; or, without
            `resume`, an unfinished run whose results would be lost.
    """

    def __init__(
        self,
        outputs: Mapping[str, str | None],
        settings: Mapping[str, Any],
        models: Mapping[str, str],
        command: Sequence[str] = (),
        resume: bool = False,
    ) -> None:
        named = {flag: os.path.abspath(path) for flag, path in outputs.items() if path not in (None, "-")}
        self.path = _record_path(named)
        self._given = [path for path in outputs.values() if path not in (None, "-")]
        self.command = [word for word in command if word != "--resume"]
        self._heading = {
            "handlens": __version__,
            "command": self.command,
            "outputs": named,
            "settings": json.loads(json.dumps(dict(settings), default=str)),
            "models": dict(models),
        }
        self._done: list[dict[str, Any]] = []
        self._now: list[dict[str, Any]] = []
        self._begun = False
        self._resume = resume
        if resume and self.path is None:
            raise InputError("--resume needs the output of the unfinished run: give its --events, --json or --out.")
        self._take(resume)

    def _take(self, resume: bool) -> None:
        """Read what an unfinished run left."""
        heading, done = _read(self.path) if self.path is not None else ({}, [])
        if done and not resume:
            busy = next(filter(is_being_written, self._files()), None)
            if busy is not None:
                raise InputError(f"'{busy}' is being written by another run: give another name.")
            many = sum(len(step["sources"]) for step in done)
            raise InputError(
                f"an earlier run into '{self._shown('outputs')}' is not finished ({_count(many)} done): add --resume to"
                f" go on with it, or delete '{self.path}' to start over."
            )
        if done:
            for what, name in (("outputs", "outputs"), ("models", "model"), ("settings", "settings")):
                if heading.get(what) != self._heading[what]:
                    raise InputError(_differs(name, heading.get(what) or {}, self._heading[what], self.path))
            if heading.get("handlens") != __version__:
                old = heading.get("handlens")
                raise InputError(
                    f"the unfinished run was made by handlens {old}, this is {__version__}: {self._start_over()}"
                )
            self._done, self._begun = done, True
            return
        for path in self._files():
            if part_of(path).exists() and not resume and not is_being_written(path):
                complain(f"'{part_of(path)}', left by a run that was killed within its first source, is replaced.")

    def _files(self) -> list[str]:
        return [path for flag, path in self._heading["outputs"].items() if flag != "out"]

    def _shown(self, what: str) -> str:
        return str(next(iter(self._heading[what].values())))

    def _start_over(self) -> str:
        return f"delete '{self.path}' to start over."

    @property
    def lengths(self) -> dict[str, int]:
        """File -> the bytes in it that are of finished sources."""
        return self._done[-1]["lengths"] if self._done else {}

    @property
    def sources(self) -> list[str]:
        """The finished sources as they were given, in order."""
        return [source["given"] for step in self._done for source in step["sources"]]

    def complete(self, sources: Sequence[str]) -> str:
        """Return that nothing is left to do where a finished run looked at these sources and nothing changed, or ""."""
        outputs = [Path(path) for path in self._heading["outputs"].values()]
        begun = self.path is not None and self.path.exists()
        if not self._resume or begun or not all(path.exists() for path in outputs):
            return ""
        if any(part_of(path).exists() for path in outputs) or not all(os.path.exists(source) for source in sources):
            return ""
        newest = max(max(found.st_mtime_ns, found.st_ctime_ns) for found in map(os.stat, sources))
        if newest > min(path.stat().st_mtime_ns for path in outputs) or not self._all_seen(sources):
            return ""
        names = ", ".join(f"'{path}'" for path in self._given)
        return (
            f"nothing is left to do: {names} {'is' if len(outputs) == 1 else 'are'} complete, and newer than"
            f" {_count(len(sources))}. To look again, leave out --resume."
        )

    def _all_seen(self, sources: Sequence[str]) -> bool:
        """Whether the lines of frames, and the folder of drawn copies, tell that each source was looked at.

        Other outputs cannot tell: a source without an event leaves no row.
        """
        frames, folder = (self._heading["outputs"].get(flag) for flag in ("json", "out"))
        if frames is None and folder is None:
            return False
        if frames is not None and not set(sources) <= _sources_in(Path(frames)):
            return False
        if folder is None:
            return True
        paths = OutputPaths(folder, sources)
        return all(paths.drawing(source).is_file() for source in sources)

    def left(self, jobs: Sequence[Sequence[str]]) -> list[list[str]]:
        """Return the jobs without the sources that are done.

        Raises:
            InputError: a finished source has changed since, or is not among these.
        """
        if self._resume and not self._done:
            complain("no unfinished run into these files is left with a finished source: this run begins at the start.")
        done = Counter(source["path"] for step in self._done for source in step["sources"])
        requested = {_path(source) for job in jobs for source in job}
        for step in self._done:
            for source in step["sources"]:
                if source["path"] not in requested:
                    raise InputError(
                        f"the unfinished run also read '{source['given']}', which is not among these sources: give the"
                        f" same ones, or {self._start_over()}"
                    )
                if _key(source["given"], source["path"]) != source:
                    raise InputError(f"'{source['given']}' has changed since the unfinished run: {self._start_over()}")
        rest = []
        for job in jobs:
            kept = []
            for source in job:
                if done[_path(source)] > 0:
                    done[_path(source)] -= 1
                else:
                    kept.append(source)
            rest.append(kept)
        return [job for job in rest if job]

    def summary(self, begun: Summary) -> Summary:
        """Return the summary with what the finished sources add to it."""
        for step in self._done:
            begun.merge(Summary.from_dict(step["summary"]))
        return begun

    def begin(self, sources: Sequence[str]) -> None:
        """Note what the sources are before they are read."""
        self._now = [_key(source, _path(source)) for source in sources]

    def finish(self, summary: Summary, sinks: Sequence[Sink]) -> None:
        """Note that the sources which were begun are done, once all of them is safe.

        Raises:
            OutputError: something cannot be written.
        """
        lengths: dict[str, int] = {}
        for sink in sinks:
            lengths |= sink.checkpoint()
        step = {"sources": self._now, "lengths": lengths, "summary": summary.to_dict()}
        self._done.append(step)
        if self.path is None:
            return
        lines = [step] if self._begun else [self._heading, step]
        try:
            with self.path.open("a" if self._begun else "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write("".join(json.dumps(line) + "\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise output_error(error, self.path) from error
        self._begun = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say how to go on where an error ended a run in which something is done."""
        if isinstance(error, HandlensError) and self.path is not None and self.sources and self._now:
            complain(f"{_count(len(self.sources))} done and kept. {self._go_on()}")

    def _go_on(self) -> str:
        return f"To go on after the finished ones, type: {shlex.join(['handlens', *self.command, '--resume'])}"

    def _note_begun(self) -> None:
        """Leave a heading alone, so that files which Ctrl-C cut off are not taken for those of a finished run."""
        if self.path is not None and all(os.path.exists(source["path"]) for source in self._now):
            with contextlib.suppress(OSError):
                self.path.write_text(json.dumps(self._heading) + "\n", "utf-8", "surrogateescape")

    def close(self) -> None:
        """Remove the record: the run is finished."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def advice(self, total: int, source: str | None, at: float) -> str:
        """Return what was done when Ctrl-C came, and how to go on. source, at: what was cut off, and where."""
        done = len(self.sources)
        cut = f", '{source}' was cut off at {clock(at)}" if source is not None else ""
        text = f"interrupted: {done} of {_count(total)} done{cut}."
        if self.path is None:
            return text
        if not done:
            self._note_begun()
            return f"{text} The files hold what was seen so far; the same command starts over."
        return f"{text} {self._go_on()}"


def settings_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return those parameters of a command that change its results."""
    return {name: value for name, value in parameters.items() if name not in _NOT_SETTINGS}


def _record_path(outputs: Mapping[str, str]) -> Path | None:
    for flag in ("events", "json", "landmarks"):
        if flag in outputs:
            return Path(f"{outputs[flag]}.resume")
    return Path(outputs["out"]) / "handlens.resume" if "out" in outputs else None


def _sources_in(path: Path) -> set[str]:
    """Return the sources in a file of JSON lines, one for each frame, with those of a source behind one another."""
    found: set[str] = set()
    known = "\n"
    with path.open(encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            if line.startswith(known):
                continue
            try:
                source = json.loads(line)["source"]
            except (ValueError, TypeError, KeyError):
                continue
            found.add(source)
            known = f'{{"source": {json.dumps(source)},'
    return found


def _read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the heading and the finished steps of a record; a line that was cut off counts for nothing."""
    try:
        lines = path.read_text("utf-8", "surrogateescape").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}, []
    except OSError as error:
        raise output_error(error, path) from error
    records = []
    for line in lines:
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    if lines and (not records or "models" not in records[0]):
        raise OutputError(f"'{path}' is not a record of a run: remove or rename it.")
    return (records[0], records[1:]) if records else ({}, [])


def _path(source: str) -> str:
    return os.path.abspath(source) if os.path.exists(source) else source


def _key(given: str, path: str) -> dict[str, Any]:
    """Return what tells a source from another one and from a later version of itself."""
    try:
        found = os.stat(path)
    except OSError:  # an address
        return {"given": given, "path": path, "size": None, "mtime_ns": None}
    return {"given": given, "path": path, "size": found.st_size, "mtime_ns": found.st_mtime_ns}


def _differs(what: str, before: Mapping[str, Any], now: Mapping[str, Any], path: Path | None) -> str:
    """Say what is not as it was in the unfinished run."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if what == "model":
        detail = f"another model ({', '.join(names)})"
    else:
        changes = (
            f"--{name.replace('_', '-')} was {_value(before.get(name))}, is {_value(now.get(name))}" for name in names
        )
        detail = f"other {what} ({'; '.join(changes)})"
    return f"the unfinished run had {detail}: give the same, or delete '{path}' to start over."


def _value(value: Any) -> str:
    return "not given" if value is None else f"{value}"


def _count(sources: int) -> str:
    return f"{sources} source{'' if sources == 1 else 's'}"
