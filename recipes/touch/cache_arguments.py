"""What both caches of the touch recipes are told on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2


def cache_arguments(about: str | None, composites: int) -> argparse.Namespace:
    """Read the command line, make the cache folder, and keep OpenCV to one thread.

    Args:
        about: the text of the script.
        composites: made pictures, unless the user says how many.

    Returns:
        data, cache and composites.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--composites", type=int, default=composites)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    args.cache.mkdir(parents=True, exist_ok=True)
    return args
