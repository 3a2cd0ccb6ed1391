"""How big and how quick to import is the base install? Makes a fresh environment, fails over a limit.

python benchmarks/install_size.py [--json FILE]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LIMIT_MB, LIMIT_S, RUNS = 480, 0.25, 9
IMPORT = "import time; t = time.perf_counter(); import handlens; print(time.perf_counter() - t)"
SHIPPED = "from handlens.weights import shipped; print(*shipped())"
TORCH = "import importlib.util; print(importlib.util.find_spec('torch') is not None)"


def size_mb(folder: Path) -> float:
    """Return what the files below `folder` hold, in MB (10^6 bytes); links count nothing."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and not f.is_symlink()) / 1e6


def largest(packages: Path, count: int = 6) -> dict[str, float]:
    """Return the largest installed folders and their MB."""
    sizes = {p.name: size_mb(p) for p in packages.iterdir() if p.is_dir()}
    return {name: round(sizes[name], 1) for name in sorted(sizes, key=lambda n: -sizes[n])[:count]}


def measure(folder: Path) -> dict[str, Any]:
    """Install the package into a new environment in `folder` and measure it."""
    venv.create(folder, with_pip=True)
    python = str(folder / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    empty = size_mb(folder)
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", str(ROOT)], check=True)

    def ask(code: str) -> str:
        return subprocess.run(
            [python, "-c", code], check=True, capture_output=True, text=True, cwd=folder
        ).stdout.strip()

    seconds = [float(ask(IMPORT)) for _ in range(RUNS)]
    whole = size_mb(folder)
    brought = whole - empty
    packages = next(folder.rglob("site-packages"))
    torch = ask(TORCH) == "True"
    return {
        "size_mb": round(brought, 1),
        "environment_mb": round(whole, 1),
        "largest_mb": largest(packages),
        "import_median_s": round(statistics.median(seconds), 4),
        "import_worst_s": round(max(seconds), 4),
        "import_runs": RUNS,
        "torch": torch,
        "models": ask(SHIPPED).split(),
        "within_limits": brought < LIMIT_MB and statistics.median(seconds) < LIMIT_S and not torch,
    }


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", type=Path, help="write the numbers here too")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        answer = measure(Path(folder) / "venv")
    print(
        f"base install  {answer['size_mb']} MB (limit {LIMIT_MB}), {answer['environment_mb']} MB with the pip and"
        f" setuptools of the environment; {answer['largest_mb']}"
    )
    print(f"import        {answer['import_median_s']} s median of {RUNS}, worst {answer['import_worst_s']} s")
    print(f"torch         {'there' if answer['torch'] else 'absent'}")
    print(f"models        {', '.join(map(str, answer['models'])) or 'none'}")
    if given.json:
        given.json.write_text(json.dumps(answer, indent=1) + "\n")
    return 0 if answer["within_limits"] else 1


if __name__ == "__main__":
    sys.exit(main())
