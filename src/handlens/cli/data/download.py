"""The verb `data download`: pictures of keywords from open galleries; it must not know how they are asked."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from handlens.cli.errors import DONE, INTERRUPTED, WRONG_INPUT, complain
from handlens.errors import HandlensError, InputError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handlens.data.download.credits import Offer
    from handlens.data.download.download import Tally
    from handlens.data.download.http import Web

SOURCES = ("openverse", "commons", "all")

Keyword = Annotated[
    list[str], typer.Option("--keyword", "-k", metavar="WORDS", help="What to look for; may be given again.")
]
Limit = Annotated[int, typer.Option(min=1, max=100_000, metavar="N", help="Pictures of each keyword in the folder.")]
Dest = Annotated[str, typer.Option(metavar="DIR", help="The folder for the pictures and credits.csv.")]
Origin = Annotated[str, typer.Option("--source", metavar="|".join(SOURCES), help="Which galleries to ask.")]
Licence = Annotated[
    str, typer.Option(metavar="LIST", help="Licences to take: by, by-sa, by-nc, by-nd, by-nc-sa, by-nc-nd, cc0, pdm.")
]
MinSide = Annotated[int, typer.Option(min=1, metavar="PX", help="Leave out pictures whose shorter side is shorter.")]
Pause = Annotated[float, typer.Option(min=0.1, max=3600, metavar="SEC", help="Wait between requests to one server.")]
Contact = Annotated[
    str, typer.Option(metavar="MAIL|URL", help="Who you are, told to the servers; Wikimedia asks for it.")
]


def download(
    keyword: Keyword,
    dest: Dest,
    limit: Limit = 100,
    source: Origin = "all",
    licence: Licence = "by,by-sa,cc0,pdm",
    min_side: MinSide = 200,
    pause: Pause = 1.0,
    contact: Contact = "",
) -> int:
    """Download openly licensed pictures of keywords, with credits.

    The pictures come from Openverse and Wikimedia Commons into DIR, and DIR/credits.csv says for each who made it, its
    licence, its address and its page: keep it with the pictures, most licences ask for it. The same command goes on
    where it stopped. A picture that you delete is not fetched again; another one takes its place at the next run.

    HANDLENS_OPENVERSE and HANDLENS_COMMONS name other addresses of the two search APIs, as of a mirror.
    """
    from pathlib import Path

    from handlens.cli.console import Bar
    from handlens.data.download.credits import licences_of
    from handlens.data.download.download import Tally, gather, in_turn, open_folder
    from handlens.data.download.http import Web

    searches = _searches(source)
    licences = licences_of(licence)
    tallies = [Tally(word) for word in dict.fromkeys(" ".join(text.split()) for text in keyword)]
    if not all(tally.keyword for tally in tallies):
        raise InputError("--keyword is empty: type what to look for, as in --keyword 'chin leaning'.")
    web = Web(contact, pause)
    credits = open_folder(Path(dest))
    complaints: list[HandlensError] = []

    def refused(error: HandlensError) -> None:
        complaints.append(error)
        complain(str(error))

    try:
        with Bar() as bar:
            for tally in tallies:
                bar.begin(tally.keyword, max(1, limit - credits.there(tally.keyword)))
                offers = in_turn([search(web, tally.keyword, licences) for search in searches], refused)
                gather(tally, offers, credits, web, limit, min_side, bar.count, lambda error: complain(str(error)))
    except KeyboardInterrupt:
        _print_tallies(tallies, limit, dest)
        complain("interrupted: what is complete is kept, and the same command goes on from there.")
        return INTERRUPTED
    except HandlensError:
        _print_tallies([tally for tally in tallies if tally.new], limit, dest)
        raise
    _print_tallies(tallies, limit, dest)
    return WRONG_INPUT if complaints or not all(tally.total for tally in tallies) else DONE


def _searches(source: str) -> "list[Callable[[Web, str, tuple[str, ...]], Iterator[Offer]]]":
    """Return the searches of the galleries that were asked for."""
    from functools import partial

    from handlens.data.download import commons, openverse

    if source.lower() not in SOURCES:
        raise InputError(unknown("source", source, SOURCES))
    galleries = {
        "openverse": partial(openverse.search, address=os.environ.get("HANDLENS_OPENVERSE") or openverse.ADDRESS),
        "commons": partial(commons.search, address=os.environ.get("HANDLENS_COMMONS") or commons.ADDRESS),
    }
    return list(galleries.values()) if source.lower() == "all" else [galleries[source.lower()]]


def _print_tallies(tallies: "list[Tally]", limit: int, dest: str) -> None:
    """Say for each keyword what there is now, and why it is not more."""
    for tally in tallies:
        left = {"too small": tally.small, "there already": tally.twice, "broken": tally.broken}
        out = ", ".join(f"{number} {why}" for why, number in left.items() if number)
        if tally.total:
            less = "" if tally.total >= limit else f" of {limit} wanted"
            print(
                f"'{tally.keyword}': {tally.total} pictures{less}, {tally.new} new{f'; left out: {out}' if out else ''}"
            )
        else:
            why = f"all that was offered was left out ({out})" if out else "try other words, --licence or --source"
            complain(f"nothing was found for '{tally.keyword}': {why}.")
    if any(tally.total for tally in tallies):
        print(f"in '{dest}'; credits in credits.csv: keep it with the pictures.")
