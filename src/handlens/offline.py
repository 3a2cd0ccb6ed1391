"""Keep the libraries that handlens uses off the network and out of the home folder; the only importer of onnxruntime.

It must not know models, cards or sessions, and it imports no library before it is asked for one.

onnxruntime 1.29 and later sends telemetry: about ten seconds after it was imported the process asks DNS for a host of
Microsoft, and at once it writes an identifier to ~/.cache/Microsoft. Only the variable ORT_DISABLE_TELEMETRY=1, set
before the first import, stops both. Importing this file sets it, and `handlens/__init__.py` imports this file first.
Worker processes inherit the variable.
"""

import importlib
import os
import sys
from functools import cache
from types import ModuleType

TELEMETRY_SWITCH = "ORT_DISABLE_TELEMETRY"
_FIRST_WITH_TELEMETRY = (1, 29)
_CACHES = {"MPLCONFIGDIR": "matplotlib", "TORCHINDUCTOR_CACHE_DIR": "torch"}
"""Variables that say where a library keeps its cache, and the library."""


def _is_off() -> bool:
    return os.environ.get(TELEMETRY_SWITCH, "").strip().lower() in ("1", "true", "yes", "on")  # what onnxruntime takes


_too_late = "onnxruntime" in sys.modules and not _is_off()
os.environ[TELEMETRY_SWITCH] = "1"


def import_onnxruntime(part: str = "") -> ModuleType:
    """Return the module onnxruntime, or a part of it, imported with its telemetry off.

    Where the program imported onnxruntime before handlens, the variable came too late. Then telemetry events are
    disabled, and a RuntimeWarning says that this is not enough.

    Args:
        part: A module within it, as "quantization".
    """
    if "onnxruntime" not in sys.modules:
        os.environ[TELEMETRY_SWITCH] = "1"  # the program may have changed it since
    import onnxruntime

    if _too_late and _has_telemetry(str(onnxruntime.__version__)):
        import warnings

        onnxruntime.disable_telemetry_events()
        warnings.warn(
            "onnxruntime was imported before handlens, so its telemetry cannot be turned off any more: it asks DNS for"
            f" a host of Microsoft. Import handlens first, or set {TELEMETRY_SWITCH}=1 in the environment.",
            RuntimeWarning,
            stacklevel=2,
        )
    return importlib.import_module(f"onnxruntime.{part}" if part else "onnxruntime")


@cache
def keep_caches_out_of_home() -> None:
    """Let matplotlib and torch keep their caches in a temporary folder, which is removed when this process ends.

    Call it before they are imported: matplotlib writes a list of fonts (a tenth of a second to make), torch an empty
    folder. A variable that the user has set stays as it is, and so does a library that the program has imported itself.
    """
    free = [name for name, library in _CACHES.items() if name not in os.environ and library not in sys.modules]
    if free:
        import atexit
        import shutil
        import tempfile

        folder = tempfile.mkdtemp(prefix="handlens-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ.update(dict.fromkeys(free, folder))


def _has_telemetry(version: str) -> bool:
    """Tell whether a release of onnxruntime has telemetry. version: as in "1.32.0"."""
    major, minor = version.split(".")[:2]
    return (int(major), int(minor)) >= _FIRST_WITH_TELEMETRY
