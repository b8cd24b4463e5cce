"""benchmarks/gpu.py on a machine without a network: wheels of CamForge, of what it needs and of the peers.

    python benchmarks/offline.py wheels          # where there is a network, in an environment with camforge[bench]
    python benchmarks/offline.py wheels --run    # on the other machine: these beside its torch, and gpu.py

torch, torchvision and what they bring are not packed: a machine with a GPU has its own build of them. Versions are
those of the environment that packs; both machines need the same version of Python. What follows ``--run`` goes to
gpu.py.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LEFT_OUT = ("torch", "torchvision", "triton", "nvidia-", "cuda-")
"""Begins of names, of what comes with the other machine's torch."""


def needed(name: str, extras: set[str], seen: set[str]) -> Iterator[str]:
    """``name==version`` of what an installed distribution needs, of what that needs, and so on."""
    for text in distribution(name).requires or []:
        wanted = Requirement(text)
        environments = [{"extra": extra} for extra in extras or {""}]
        if wanted.marker is not None and not any(map(wanted.marker.evaluate, environments)):
            continue
        own = canonicalize_name(wanted.name)
        if own in seen or own in LEFT_OUT or own.startswith(LEFT_OUT[3:]):
            continue
        seen.add(own)
        try:
            yield f"{own}=={distribution(own).version}"
        except PackageNotFoundError:
            sys.exit(f"{own} is not installed here: pip install -e '.[bench]' first")
        yield from needed(own, set(wanted.extras), seen)


def pack(folder: Path) -> None:
    """Wheels into the folder."""
    wheel = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(folder)]
    subprocess.run([*wheel, str(ROOT), *needed("camforge", {"bench"}, {"camforge"})], check=True)


def run(folder: Path, options: list[str]) -> None:
    """The wheels beside this Python's torch, which may lie in an environment of its own, and gpu.py with both."""
    beside = folder / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--upgrade"]
    subprocess.run([*install, "--target", str(beside), *map(str, sorted(folder.glob("*.whl")))], check=True)
    environment = os.environ | {"PYTHONPATH": str(beside)}
    sys.exit(subprocess.run([sys.executable, str(ROOT / "benchmarks/gpu.py"), *options], env=environment).returncode)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--run", nargs=argparse.REMAINDER, metavar="OPTIONS", help="of gpu.py")
    given = parser.parse_args()
    if given.run is None:
        pack(given.folder)
    else:
        run(given.folder, given.run)


if __name__ == "__main__":
    main()
