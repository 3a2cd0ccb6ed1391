"""Where the files of one person lie: the platform's folders for settings and for data; it must not know what they hold.

HANDLENS_CONFIG and HANDLENS_DATA name other folders, for tests and for people who carry theirs along.
"""

import os
from pathlib import Path

from handlens.io.atomic import output_error

NAME = "handlens"


def config_dir() -> Path:
    """Return the folder of the settings: ~/.config/handlens on Linux; it need not exist."""
    from platformdirs import user_config_path

    given = os.environ.get("HANDLENS_CONFIG")
    return Path(given).expanduser() if given else user_config_path(NAME, appauthor=False)


def data_dir() -> Path:
    """Return the folder of the history: ~/.local/share/handlens on Linux; it need not exist."""
    from platformdirs import user_data_path

    given = os.environ.get("HANDLENS_DATA")
    return Path(given).expanduser() if given else user_data_path(NAME, appauthor=False)


def made(folder: Path) -> Path:
    """Make a folder that only this person may read, and return it.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, folder) from error
    return folder


def set_aside(file: Path, word: str) -> Path:
    """Rename a file that cannot be used to NAME.WORD, or NAME.WORD-2 and so on, and return its new place.

    Raises:
        OutputError: it cannot be renamed.
    """
    number = 1
    while (place := file.with_name(f"{file.name}.{word}{'' if number == 1 else f'-{number}'}")).exists():
        number += 1
    try:
        file.replace(place)
    except OSError as error:
        raise output_error(error, place) from error
    return place
