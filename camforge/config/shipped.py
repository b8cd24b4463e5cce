"""The experiment files that come with CamForge, by name."""

from __future__ import annotations

import os
from pathlib import Path

import camforge
from camforge.interfaces.base import nearest
from camforge.types import CamForgeError

SUITES = "suites"
FOLDERS = ("", SUITES, "studies", "seeds")  # below configs/: a file here is called by its stem
PATTERNS = ("*.py", "*.yaml", "*.yml", "*.json")


def shipped() -> Path:
    """The folder of the experiment files that come with CamForge: inside the package, or beside it in a checkout."""
    package = Path(camforge.__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def named() -> dict[str, Path]:
    """{name: file} of every shipped suite and experiment: ``quickstart``, ``all-small``, ``paper001-table4`` …"""
    root = shipped()
    found = {dashed(path.stem): path for folder in FOLDERS for path in config_files(root / folder)}
    for folder in sorted(path for path in (root / "papers").glob("*") if path.is_dir()):
        found |= {f"paper{folder.name}-{dashed(path.stem)}": path for path in config_files(folder)}
    return found


def experiment_file(path: str | Path) -> Path:
    """The file that is meant: a path, or the name of an experiment that comes with CamForge, such as ``quickstart``.

    What ends like a file, or lies in a folder, is a path. Raises CamForgeError for a name that is none, or a suite's.
    """
    text = str(path)
    if Path(text).suffix or Path(text).name != text or os.path.exists(text):
        return Path(path)
    known = named()
    found = known.get(text) or known.get(dashed(text))
    if found is None:
        experiments = [name for name, file in known.items() if file.parent.name != SUITES]
        near = nearest(text, experiments)  # the whole list has ninety names
        raise CamForgeError(
            f"no experiment is called {text!r}; {near}`camforge bench --list` names all; or give a file"
        )
    if found.parent.name == SUITES:
        raise CamForgeError(f"{text!r} is a suite of experiments: camforge bench {text}")
    return found


def config_files(folder: Path) -> list[Path]:
    """The experiment files of a folder; those that begin with ``_`` are bases."""
    return sorted(path for pattern in PATTERNS for path in folder.glob(pattern) if not path.name.startswith("_"))


def dashed(stem: str) -> str:
    """A file's stem as a name: ``voc_animals`` is ``voc-animals``."""
    return stem.replace("_", "-")
