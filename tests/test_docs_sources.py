"""Hold the endings in docs/reference/sources.md against the code; `python tests/test_docs_sources.py` writes them."""

import re
from pathlib import Path

import pytest

from handlens.io.sources.find import ALL_PICTURE_ENDINGS, VIDEO_ENDINGS

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "sources.md"


def written(text: str) -> str:
    for mark, endings in (("VIDEOS", VIDEO_ENDINGS), ("PICTURES", ALL_PICTURE_ENDINGS)):
        listed = " ".join(f"`{ending}`" for ending in sorted(endings))
        text = re.sub(rf"(<!-- {mark}: [^>]*-->).*(<!-- /{mark} -->)", rf"\1 {listed} \2", text)
    return text


def test_the_endings_are_the_codes() -> None:
    if written(PAGE.read_text("utf-8")) != PAGE.read_text("utf-8"):
        pytest.fail("docs/reference/sources.md is not up to date; type: python tests/test_docs_sources.py")


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
