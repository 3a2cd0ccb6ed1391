"""Openverse, the search among openly licensed pictures; it must not save anything.

API: https://api.openverse.org/v1/ (without an account 20 pictures a page, 20 pages, one request a second).
"""

from collections.abc import Iterator
from typing import Any

from handlens.data.download.credits import Credit, Offer
from handlens.data.download.http import Web
from handlens.errors import InputError

ADDRESS = "https://api.openverse.org/v1/images/"
PAGE, PAGES = 20, 20  # Openverse refuses more to people without an account


def search(web: Web, keyword: str, licences: tuple[str, ...], address: str = ADDRESS) -> Iterator[Offer]:
    """Yield what Openverse offers for a keyword under these licences, best match first.

    Raises:
        InputError: it cannot be reached, says no, or answers something else.
    """
    last = PAGES
    for page in range(1, PAGES + 1):
        if page > last:
            return
        query = {"q": keyword, "license": ",".join(licences), "page": str(page), "page_size": str(PAGE)}
        answer = web.json(address, query)
        results = answer.get("results")
        if not isinstance(results, list):
            raise InputError(f"'{address}' answered without the list 'results': is it Openverse's image search?")
        for result in results:
            if isinstance(result, dict) and result.get("url") and result.get("license") in licences:
                yield _offer(result, keyword)
        last = _positive_int(answer.get("page_count"))


def _offer(result: dict[str, Any], keyword: str) -> Offer:
    def text(name: str) -> str:
        return str(result.get(name) or "")

    credit = Credit(
        keyword=keyword,
        source=f"openverse: {text('source')}".rstrip(": "),
        title=text("title"),
        creator=text("creator"),
        licence=f"{text('license')} {text('license_version')}".strip(),
        licence_url=text("license_url"),
        address=text("url"),
        page=text("foreign_landing_url"),
    )
    return Offer(credit, credit.address, min(_positive_int(result.get("width")), _positive_int(result.get("height"))))


def _positive_int(value: object) -> int:
    return value if isinstance(value, int) else 0
