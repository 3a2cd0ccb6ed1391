"""Writes beside the target and renames at the end, so that nothing half-written looks complete; it knows no formats."""

import contextlib
import errno
import os
import re
import stat
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from handlens.errors import OutputError


class KeptWhenWhole(ABC):
    """What is kept on a clean end and on Ctrl-C, as a context manager, and discarded on any other error."""

    @abstractmethod
    def keep(self) -> None:
        """Finish it and give it its name."""

    @abstractmethod
    def discard(self) -> None:
        """Do what is right with something half-written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if worth_keeping(error):
            self.keep()
        else:
            self.discard()


class _Draft(KeptWhenWhole):
    """A file that gets its name when it is complete: what is the same for whole files and for files of lines.

    A context manager: on a clean end, and on Ctrl-C, it is renamed to `path`; on any other error `discard` decides.
    What is not an ordinary file (a pipe, /dev/stdout) is written directly.
    """

    path: Path
    file: BinaryIO
    _direct: bool
    _written: Path
    """The name that it has until it is complete."""
    _made: list[Path]
    """The folders that were made for it, the innermost first."""

    def _open(self, mode: str) -> BinaryIO:
        """Return the open file; folders that are missing above it are made.

        Raises:
            OutputError: no permission, or the disk is full.
        """
        self._made = [folder for folder in self.path.parents if not os.path.exists(folder)]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return cast(BinaryIO, self._written.open(mode))
        except OSError as error:
            self._remove_folders()
            raise output_error(error, self.path) from error

    def _remove_folders(self) -> None:
        """Remove the folders that were made for it, where nothing else lies in them."""
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()

    def keep(self) -> None:
        """Close it and give it its name.

        Raises:
            OutputError: the last bytes do not fit; it is then discarded.
        """
        try:
            self.file.close()
            if not self._direct:
                self._written.replace(self.path)
        except OSError as error:
            self.discard()
            raise output_error(error, self.path) from error

    def discard(self) -> None:
        """Close it and remove what was written."""
        with contextlib.suppress(OSError):  # the bytes that did not fit are not wanted any more
            self.file.close()
        if not self._direct:
            self._written.unlink(missing_ok=True)
            self._remove_folders()


class AtomicFile(_Draft):
    """A file that appears under its name only when it is complete.

    A context manager: on a clean end, and on Ctrl-C, it is renamed to `path`; on any other error it is removed, and so
    are the folders that were made for it. What is not an ordinary file (a pipe, /dev/stdout) is written directly.
    Errors of the disk become OutputError.

    Raises:
        OutputError: no permission, disk full, or a part of the path is a file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._direct = _is_special(self.path)
        refuse_folder(path)  # before the name of the draft: "." and "/" have no name
        self._written = self.path if self._direct else self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self.file = self._open("wb")

    def write(self, data: bytes) -> int:
        """Write bytes.

        Raises:
            OutputError: the disk is full or gone.
        """
        try:
            return self.file.write(data)
        except OSError as error:
            raise output_error(error, self.path) from error


class LineFile(_Draft):
    """A file that is written line by line and is called NAME.part until it is complete.

    Each line is handed to the system at once, so a process that is killed leaves all lines that it had written. A
    context manager: on a clean end, and on Ctrl-C, the file gets its name; on any other error what `checkpoint` made
    safe stays as NAME.part, and without a checkpoint nothing is left. What is not an ordinary file (a pipe,
    /dev/stdout) is written directly.

    Args:
        start: Go on with the file that an unfinished run left, of which so many bytes are kept.
        append: Write to the end of the file itself, which is never removed.

    Raises:
        OutputError: no permission, disk full, a part of the path is a file, or another run is writing it.
    """

    def __init__(self, path: str | Path, start: int = 0, append: bool = False) -> None:
        self.path = Path(path)
        self._direct = append or _is_special(self.path)
        self._append = append
        self._safe = start
        self._written = self.path if self._direct else part_of(self.path)
        refuse_folder(path)
        if start and not self._written.exists() and self.path.exists():
            self.path.replace(self._written)  # the run ended with Ctrl-C, which gave the file its name
        mode = "ab" if append else "r+b" if not self._direct and self._written.exists() else "wb"
        self.file = self._open(mode)
        if not self._direct and not _locked(self.file):
            self.file.close()
            raise OutputError(f"'{path}' is being written by another run: give another name.")
        if mode == "r+b":
            self.file.truncate(start)
            self.file.seek(start)

    def write(self, data: bytes) -> None:
        """Write whole lines and hand them to the system.

        Raises:
            OutputError: the disk is full or gone.
        """
        try:
            self.file.write(data)
            self.file.flush()
        except OSError as error:
            raise output_error(error, self.path) from error

    def checkpoint(self) -> int:
        """Put all that was written on the disk for good and return the length of the file in bytes.

        Raises:
            OutputError: the disk is full or gone.
        """
        try:
            self.file.flush()
            with contextlib.suppress(OSError):  # a pipe cannot be synchronised
                os.fsync(self.file.fileno())
            self._safe = 0 if self._direct else self.file.tell()
        except OSError as error:
            raise output_error(error, self.path) from error
        return self._safe

    def discard(self) -> None:
        """Close it and remove what was written after the last checkpoint; without one, remove it."""
        if self._direct or not self._safe:
            super().discard()
            return
        with contextlib.suppress(OSError):
            self.file.close()
        with contextlib.suppress(OSError):  # after closing: truncating an open file would first write these bytes
            os.truncate(self._written, self._safe)


def refuse_folder(path: str | Path) -> None:
    """Return when this may be the name of a file.

    Raises:
        OutputError: it is a folder.
    """
    if Path(path).is_dir():
        raise OutputError(f"'{path}' is a folder: give the name of a file.")


def part_of(path: str | Path) -> Path:
    """Return the name that a file written line by line has until it is complete."""
    return Path(f"{path}.part")


def is_being_written(path: str | Path) -> bool:
    """Return whether a run that lives writes this file line by line."""
    try:
        with part_of(path).open("rb") as file:
            return not _locked(file)
    except OSError:
        return False


def sweep(folder: Path) -> None:
    """Remove the drafts in a folder whose processes were killed."""
    with contextlib.suppress(OSError):
        for file in folder.iterdir():
            draft = re.fullmatch(r"\..+\.(\d+)\.part", file.name)
            if draft and not _lives(int(draft[1])):
                file.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    if os.name != "posix":
        return False  # there a file that is open cannot be removed
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _locked(file: BinaryIO) -> bool:
    """Return whether the file is ours alone; where the system has no such locks it is."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (OSError, ValueError):  # a disk in the network may know no locks
        return True
    return True


def worth_keeping(error: BaseException | None) -> bool:
    """Return whether what was done before this error is to be kept: no error, or Ctrl-C."""
    return error is None or isinstance(error, KeyboardInterrupt)


def output_error(error: OSError, path: Path) -> OutputError:
    """Return the sentence for an error of the disk."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return OutputError(f"'{path}' was not written: the disk is full. Free some space or choose another place.")
    if error.errno == errno.EEXIST and path.is_file():
        return OutputError(f"'{path}' is a file: give a folder.")
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        file = next((place for place in path.parents if place.exists() and not place.is_dir()), None)
        if file is not None:
            return OutputError(f"'{path}' was not written: '{file}' is a file, not a folder.")
    if error.errno == errno.ENOENT and not path.parent.exists():
        return OutputError(f"'{path}' was not written: the folder '{path.parent}' does not exist.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(f"'{path}' was not written: you may not write there. Choose another place.")
    return OutputError(f"'{path}' was not written: {(error.strerror or str(error)).lower()}.")


def _is_special(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
