"""Takes pictures of a keyword from galleries into a folder, with credits; it must not know any gallery's API."""

import hashlib
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from handlens.data.download.credits import Credits, Offer
from handlens.data.download.http import Web
from handlens.errors import FrameError, HandlensError, InputError
from handlens.io.atomic import AtomicFile, output_error
from handlens.io.pictures.header import read_header
from handlens.io.pictures.read import decode_picture

ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "WebP": ".webp", "BMP": ".bmp", "TIFF": ".tif"}
FAILURES = 8  # pictures in a row that did not arrive: the net is gone, not the pictures
_STALE = 3600.0  # seconds after which an unfinished file is nobody's any more

OnError = Callable[[HandlensError], None]


@dataclass
class Tally:
    """What became of the pictures of one keyword: in the folder before, new, and left out for three reasons."""

    keyword: str
    before: int = 0
    new: int = 0
    small: int = 0
    twice: int = 0
    broken: int = 0

    @property
    def total(self) -> int:
        """How many pictures of the keyword are in the folder now."""
        return self.before + self.new


def open_folder(folder: Path) -> Credits:
    """Make the folder where there is none, and return its credits.

    Raises:
        InputError: its credits.csv is not ours.
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.glob(".*.part"):  # of a run that was killed
            if time.time() - file.stat().st_mtime > _STALE:
                file.unlink()
    except OSError as error:
        raise output_error(error, folder) from error
    return Credits(folder)


def gather(
    tally: Tally,
    offers: Iterable[Offer],
    credits: Credits,
    web: Web,
    limit: int,
    min_side: int = 200,
    on_picture: Callable[[], None] = lambda: None,
    on_error: OnError = lambda error: None,
) -> None:
    """Fetch offers until `limit` pictures of the tally's keyword are in the folder of `credits`.

    Args:
        tally: is counted up as pictures come, so that it is right also after Ctrl-C.
        offers: what galleries offer, best first; what is listed already is left out.
        min_side: pixels of the shorter side below which a picture is left out.
        on_picture: called for each new picture. on_error: called for each that cannot be fetched or read.

    Raises:
        InputError: a gallery fails, or one picture after the other does not arrive.
        OutputError: the folder cannot be written.
    """
    tally.before = credits.there(tally.keyword)
    failures = 0
    if tally.total >= limit:
        return
    for offer in offers:
        if credits.lists(offer.credit.address):
            tally.twice += 1
        elif 0 < offer.side < min_side:
            tally.small += 1
        else:
            try:
                data = web.fetch(offer.fetch)
                failures = 0
                if _keep(offer, data, credits, tally, min_side):
                    on_picture()
            except FrameError as error:
                on_error(error)
                tally.broken += 1
                failures += 1
                if failures >= FAILURES:
                    raise InputError(
                        f"{FAILURES} pictures in a row did not arrive: check that you are online."
                    ) from error
        if tally.total >= limit:
            return


def _keep(offer: Offer, data: bytes, credits: Credits, tally: Tally, min_side: int) -> bool:
    """Save one picture and its credit and return True, or count why not."""
    address = offer.fetch
    image = decode_picture(data, address)
    ending = ENDINGS.get(read_header(data).kind)
    if ending is None:
        raise FrameError(f"'{address}' is of a kind that is not kept; {', '.join(ENDINGS)} are.")
    digest = hashlib.sha256(data).hexdigest()[:16]
    if credits.lists(offer.credit.address, digest):
        tally.twice += 1
    elif min(image.shape[:2]) < min_side:
        tally.small += 1
    else:
        name = f"{slug(offer.credit.keyword)}_{digest}{ending}"
        _save(credits.path.parent / name, data)
        credits.add(replace(offer.credit, file=name))  # after the picture: a kill between the two fetches it again
        tally.new += 1
        return True
    return False


def in_turn(searches: Iterable[Iterator[Offer]], on_error: OnError) -> Iterator[Offer]:
    """Yield one offer of each search in turn, until all have ended.

    One that fails is told to `on_error` and left, as long as there is another or it had offered something.

    Raises:
        InputError: the last search failed, and nothing was offered.
    """
    running, offered = deque(searches), False
    while running:
        search = running.popleft()
        try:
            offer = next(search, None)
        except InputError as error:
            if not running and not offered:
                raise
            on_error(error)
            continue
        if offer is not None:
            offered = True
            running.append(search)
            yield offer


def slug(keyword: str) -> str:
    """Return a keyword as a part of a file's name: "Chin leaning!" -> "chin-leaning"."""
    return re.sub(r"[\W_]+", "-", keyword.lower()).strip("-")[:40] or "picture"


def _save(path: Path, data: bytes) -> None:
    draft = AtomicFile(path)
    try:
        draft.write(data)
    except BaseException:  # Ctrl-C too: half a picture is none
        draft.discard()
        raise
    draft.keep()
