"""Wikimedia Commons, searched by its API; it must not save anything.

API: https://commons.wikimedia.org/w/api.php (action=query, generator=search, prop=imageinfo with extmetadata).
"""

import html
import re
from collections.abc import Iterator
from typing import Any

from handlens.data.download.credits import Credit, Offer
from handlens.data.download.http import Web
from handlens.errors import InputError

ADDRESS = "https://commons.wikimedia.org/w/api.php"
PAGES = 20
WIDTH = 1280  # pixels; one of the widths that Wikimedia keeps ready, larger originals come scaled to it
KINDS = ("image/jpeg", "image/png", "image/webp", "image/tiff")
_CREATIVE_COMMONS = re.compile(r"cc-(by(?:-nc)?(?:-sa|-nd)?)(?:-(\d\.\d))?\b")
_ASKED = {
    "action": "query",
    "format": "json",
    "formatversion": "2",
    "generator": "search",
    "gsrnamespace": "6",
    "gsrlimit": "20",
    "prop": "imageinfo",
    "iiprop": "url|size|mime|extmetadata",
    "iiurlwidth": str(WIDTH),
    "iiextmetadatafilter": "License|LicenseShortName|LicenseUrl|Artist",
}


def search(web: Web, keyword: str, licences: tuple[str, ...], address: str = ADDRESS) -> Iterator[Offer]:
    """Yield what Commons offers for a keyword under these licences, best match first.

    Raises:
        InputError: it cannot be reached, says no, or answers something else.
    """
    further: dict[str, str] = {}
    for _ in range(PAGES):
        answer = web.json(address, {**_ASKED, "gsrsearch": f"{keyword} filetype:bitmap", **further})
        if "error" in answer:
            error = answer["error"]
            raise InputError(f"'{address}' says no: {error.get('info') if isinstance(error, dict) else error}.")
        for page in _pages(answer, address):
            offer = _offer(page, keyword, licences)
            if offer is not None:
                yield offer
        more = answer.get("continue")
        if not isinstance(more, dict):
            return
        further = {str(name): str(value) for name, value in more.items()}


def licence_of(meta: dict[str, Any]) -> tuple[str, str]:
    """Return the short name and the version of a file's licence, as ("by-sa", "4.0"), or ("", "") for any other."""
    for name in ("License", "LicenseShortName"):
        text = _value(meta, name).lower().replace(" ", "-")
        found = _CREATIVE_COMMONS.match(text)
        if found:
            return found[1], found[2] or ""
        if text.startswith(("cc0", "cc-zero")):
            return "cc0", ""
        if text == "pd" or text.startswith(("pd-", "public-domain")):
            return "pdm", ""
    return "", ""


def _pages(answer: dict[str, Any], address: str) -> list[dict[str, Any]]:
    query = answer.get("query", {"pages": []})  # nothing found: there is no query in the answer
    pages = query.get("pages") if isinstance(query, dict) else None
    if not isinstance(pages, list):
        raise InputError(f"'{address}' answered without the list 'pages': is it the api.php of Commons?")
    return sorted((page for page in pages if isinstance(page, dict)), key=lambda page: page.get("index", 0))


def _offer(page: dict[str, Any], keyword: str, licences: tuple[str, ...]) -> Offer | None:
    """Return the offer of one file, or None: of another kind, of another licence, or incomplete."""
    info = (page.get("imageinfo") or [{}])[0]
    meta = info.get("extmetadata")
    meta = meta if isinstance(meta, dict) else {}
    licence, version = licence_of(meta)
    if licence not in licences or info.get("mime") not in KINDS or not info.get("url"):
        return None
    credit = Credit(
        keyword=keyword,
        source="commons",
        title=str(page.get("title", "")).removeprefix("File:"),
        creator=_value(meta, "Artist"),
        licence=f"{licence} {version}".strip(),
        licence_url=_value(meta, "LicenseUrl"),
        address=str(info["url"]),
        page=str(info.get("descriptionurl") or ""),
    )
    sides = info.get("thumbwidth") or info.get("width") or 0, info.get("thumbheight") or info.get("height") or 0
    return Offer(credit, str(info.get("thumburl") or info["url"]), int(min(sides)))


def _value(meta: dict[str, Any], name: str) -> str:
    """Return the words of an entry; Commons gives many as HTML."""
    entry = meta.get(name)
    text = str(entry.get("value") or "") if isinstance(entry, dict) else ""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())
