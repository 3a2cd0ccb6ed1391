"""A path, a folder or a pattern -> the files it stands for; it must not open pictures or videos."""

import glob
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from handlens.errors import InputError
from handlens.io.reading import Remark, silent


def _endings_of(text: str) -> frozenset[str]:
    return frozenset(f".{ending}" for ending in text.split())


PICTURE_ENDINGS = _endings_of("jpg jpeg jpe jfif png bmp dib webp tif tiff pgm ppm pbm pnm jp2 avif")
"""Pictures that OpenCV reads; data sets hold these."""

ALL_PICTURE_ENDINGS = PICTURE_ENDINGS | _endings_of(
    """
    heic heif hif avifs mpo jps exr hdr pic pfm pam pxm sr ras j2k j2c jpc jls qoi tga dds psd pcx sgi dpx xwd xbm xpm
    """
)
"""Every picture that can be read."""

VIDEO_ENDINGS = _endings_of(
    """
    mp4 m4v mov qt mkv mk3d webm avi divx xvid gif apng mpg mpeg mpe m1v m2v mpv vob evo ts mts m2ts m2t m2p tp trp mod
    tod wmv asf dvr-ms wtv flv f4v 3gp 3g2 3gpp ogv ogg ogm ogx mxf gxf nut dv dif rm rmvb y4m ivf obu mjpeg mjpg mj2
    h264 264 avc h26l hevc h265 265 vvc h266 266 vc1 h263 h261 amv swf nsv flc fli dav cine insv lrv 360
    """
)
"""Containers and raw streams that FFmpeg, inside PyAV, reads."""

_ENDINGS = ALL_PICTURE_ENDINGS | VIDEO_ENDINGS
_SOUND_TOO = frozenset({".ogg", ".ogx", ".mod", ".asf", ".rm"})  # may hold nothing but sound, or be something else
_COVER = 0x400  # FFmpeg marks the cover of a song so
_SHOWN = 8
_LISTED = "docs/reference/sources.md lists what is read"


def find_files(name: str, recursive: bool = False, remark: Remark = silent) -> list[str]:
    """Return the files that a path, a folder or a pattern stands for, sorted by name.

    A folder or pattern gives the files with the endings of pictures and videos, and `remark` is told how many others
    were left out; a single file is taken as it is. Names that begin with a dot are left alone. A folder or file that
    exists is taken literally, also within a pattern, before brackets are signs of a pattern.

    Args:
        recursive: Search folders below a folder, too.

    Raises:
        InputError: nothing there, or no picture and no video in it.
    """
    name = re.sub(r"^file://", "", name, flags=re.IGNORECASE)
    if not os.path.lexists(name) and name.startswith("~"):
        name = os.path.expanduser(name)
    if os.path.isdir(name):
        found = list(_walk(name) if recursive else _listed(name))
        where, holds = f"the folder '{name}'", "holds"
    elif os.path.exists(name):
        if stat.S_ISFIFO(os.stat(name).st_mode):
            raise InputError(
                f"'{name}' is a pipe, which cannot be read twice: write what comes from it to a file first."
            )
        return [name]
    elif os.path.islink(name):
        raise InputError(f"'{name}' is a link to '{os.readlink(name)}', which does not exist.")
    elif glob.has_magic(name):
        found = list(dict.fromkeys(_matches(name)))
        if recursive:
            found = [path for top in found for path in (_walk(top) if os.path.isdir(top) else [top])]
        where, holds = f"'{name}'", "matches"
    else:
        raise InputError(f"'{name}' does not exist: give a picture, a video, a folder, a camera number or an address.")
    paths = sorted({path for path in found if _is_ours(path)})
    folders = [path for path in found if os.path.isdir(path)]
    others = [path for path in found if path not in set(paths) and not os.path.isdir(path)]
    if not paths:
        raise InputError(f"{where} {holds} no picture and no video{_why_none(name, folders, others)}.")
    if others:
        remark(f"{_count(len(others), 'file')} left out of {where}: {_endings(others)}.")
    if folders:
        remark(f"{_count(len(folders), 'folder')} in {where} not searched: add --recursive to read what is below.")
    return paths


def _is_ours(path: str) -> bool:
    ending = Path(path).suffix.lower()
    return ending in _ENDINGS and os.path.isfile(path) and (ending not in _SOUND_TOO or _has_pictures(path))


def _has_pictures(path: str) -> bool:
    """Return whether a file whose ending says little holds moving pictures; what cannot be opened may."""
    import av
    import av.error

    try:
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace") as container:
            return any(not int(stream.disposition) & _COVER for stream in container.streams.video)
    except av.error.InvalidDataError:
        return False
    except (av.error.FFmpegError, OSError, UnicodeError):
        return True


def _listed(folder: str) -> list[str]:
    try:
        return [os.path.join(folder, entry) for entry in os.listdir(folder) if not entry.startswith(".")]
    except OSError as error:
        raise InputError(f"the folder '{folder}' cannot be read: {error.strerror}.") from error


def _walk(top: str) -> Iterator[str]:
    """Yield the files in a folder and below it; a folder that is reached twice, by a link, is searched once."""
    seen: set[tuple[int, int]] = set()
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        about = os.stat(folder)
        if (about.st_dev, about.st_ino) in seen:
            continue
        seen.add((about.st_dev, about.st_ino))
        for path in sorted(_listed(folder)):
            if os.path.isdir(path):
                waiting.append(path)
            else:
                yield path


def _matches(pattern: str) -> Iterator[str]:
    """Yield what a pattern stands for; each part of it that exists as it is written is not a pattern."""
    start = os.path.splitdrive(pattern)[0]
    rest = pattern[len(start) :]
    parts = [part for part in rest.split(os.sep) if part]
    found = [start + (os.sep if rest.startswith(os.sep) else "")]
    for number, part in enumerate(parts, 1):
        found = [path for base in found for path in _step(base, part, last=number == len(parts))]
    yield from found


def _step(base: str, part: str, last: bool) -> list[str]:
    literal = os.path.join(base, part)
    if os.path.lexists(literal):
        return [literal]
    if part == "**":
        return list(_walk(base or os.curdir)) if last else list(_folders(base))
    if not glob.has_magic(part):
        return []
    return sorted(os.path.join(base, entry) for entry in glob.glob(part, root_dir=base or None))


def _folders(base: str) -> Iterator[str]:
    """Yield a folder and all below it."""
    yield base
    seen: set[tuple[int, int]] = set()
    waiting = [base]
    while waiting:
        folder = waiting.pop()
        for path in sorted(_listed(folder or os.curdir)):
            path = path if folder else os.path.basename(path)
            if os.path.isdir(path):
                about = os.stat(path)
                if (about.st_dev, about.st_ino) not in seen:
                    seen.add((about.st_dev, about.st_ino))
                    waiting.append(path)
                    yield path


def _why_none(name: str, folders: list[str], others: list[str]) -> str:
    if folders:
        below = os.path.join(name if os.path.isdir(name) else folders[0], "**")
        rest = f", and {_count(len(others), 'other file')} ({_endings(others)})" if others else ""
        number = _count(len(folders), "folder")
        return f", but {number}{rest}; folders below are not searched: add --recursive, or type '{below}'"
    if others:
        return f", but {_count(len(others), 'file')} of other kinds ({_endings(others)}); {_LISTED}"
    return f"; {_LISTED}"


def _endings(paths: Iterable[str]) -> str:
    counts = Counter(Path(path).suffix.lower() or "no ending" for path in paths)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    known = [ending if number == 1 else f"{ending} ({number})" for ending, number in ranked[:_SHOWN]]
    return ", ".join(known) + (", ..." if len(counts) > _SHOWN else "")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
