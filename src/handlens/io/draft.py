"""Writes beside the target and renames at the end, so that nothing half-written is left; it knows no formats."""

import contextlib
import errno
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from handlens.errors import OutputError


class Draft:
    """A file that appears under its name only when it is complete.

    A context manager: on a clean end, and on Ctrl-C, it is renamed to `path`; on any other error it is removed. What is
    not an ordinary file (a pipe, /dev/stdout) is written directly. Errors of the disk become OutputError.

    Raises:
        OutputError: no such folder, no permission, disk full.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.file: BinaryIO
        self._direct = _is_special(self.path)
        self._temporary = self.path if self._direct else self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        if self.path.is_dir():
            raise OutputError(f"'{path}' is a folder: give the name of a file.")
        try:
            self.file = self._temporary.open("wb")
        except OSError as error:
            raise output_error(error, self.path) from error

    def write(self, data: bytes) -> int:
        """Write bytes.

        Raises:
            OutputError: the disk is full or gone.
        """
        try:
            return self.file.write(data)
        except OSError as error:
            raise output_error(error, self.path) from error

    def keep(self) -> None:
        """Close it and give it its name.

        Raises:
            OutputError: the last bytes do not fit; the file is then removed.
        """
        try:
            self.file.close()
            if not self._direct:
                self._temporary.replace(self.path)
        except OSError as error:
            self.discard()
            raise output_error(error, self.path) from error

    def discard(self) -> None:
        """Close it and remove what was written."""
        with contextlib.suppress(OSError):  # the bytes that did not fit are not wanted any more
            self.file.close()
        if not self._direct:
            self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if worth_keeping(error):
            self.keep()
        else:
            self.discard()


def worth_keeping(error: BaseException | None) -> bool:
    """Return whether what was done before this error is to be kept: no error, or Ctrl-C."""
    return error is None or isinstance(error, KeyboardInterrupt)


def output_error(error: OSError, path: Path) -> OutputError:
    """Return the sentence for an error of the disk."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return OutputError(f"'{path}' was not written: the disk is full. Free some space or choose another place.")
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
