"""Whether a run that exists was made with the settings that are asked for now; it must not know nets or checkpoints."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from handlens.errors import InputError
from handlens.train.config import read_toml
from handlens.train.nets.catalog import current_name

CONFIG = "config.toml"
FREE = ("epochs", "minutes", "workers", "cache", "device", "devices", "nodes", "save")
"""Settings that may change when a run goes on: how long, and on what."""
PATHS = ("data", "start", "pretrained", "net")
SHOWN = 3


def refuse_other_settings(out: Path, wanted: str, usual: str = "", free: Collection[str] = FREE) -> None:
    """Raise unless the run in `out` was made with these settings.

    Args:
        asked, usual: Texts of config files; what the run's own file leaves out was as in `usual`.
        free: Keys that may differ.

    Raises:
        InputError: settings differ, and the sentence names them; or the run's config file is missing or damaged.
    """
    file = out / CONFIG
    new, old = _flat(tomllib.loads(wanted)), _flat(tomllib.loads(usual)) | _flat(read_toml(file))
    differing = [
        f"{key} = {_shown(old.get(key))} (now {_shown(new.get(key))})"
        for key in dict.fromkeys([*new, *old])
        if key not in free and not _same(key, old.get(key), new.get(key))
    ]
    if differing:
        more = f" and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
        raise InputError(
            f"'{out}' holds a run with other settings, {', '.join(differing[:SHOWN])}{more}: give another --out,"
            f" --fresh to start over, or --config {file} in place of the settings to go on with its own."
        )


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of tables within the table as "augment.mosaic"."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        inner = {f"{key}.{name}": each for name, each in value.items()} if isinstance(value, Mapping) else {key: value}
        flat |= inner
    return flat


def _same(key: str, old: Any, new: Any) -> bool:
    if old == new:
        return True
    if key == "net" and current_name(str(old)).lower() == current_name(str(new)).lower():
        return True
    if key in PATHS and isinstance(old, str) and isinstance(new, str) and old and new:
        return Path(old).expanduser().resolve() == Path(new).expanduser().resolve()
    return False


def _shown(value: Any) -> str:
    return "none" if value is None else f"'{value}'" if isinstance(value, str) else str(value)
