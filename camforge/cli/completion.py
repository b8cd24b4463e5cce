"""What a shell completes after the Tab key: ``camforge --install-completion`` sets it up."""

from __future__ import annotations

from collections.abc import Iterable
from glob import escape, glob
from pathlib import Path


def experiments(incomplete: str) -> list[str]:
    """Names of the experiments that come with CamForge, and files."""
    from camforge.config.shipped import SUITES, named

    return [
        *_starting((n for n, file in named().items() if file.parent.name != SUITES), incomplete),
        *_files(incomplete),
    ]


def suites(incomplete: str) -> list[str]:
    """Names of suites and experiments, and files."""
    from camforge.config.shipped import named

    return [*_starting(named(), incomplete), *_files(incomplete)]


def kinds(incomplete: str) -> list[str]:
    """The kinds of plugins."""
    from camforge.interfaces import KINDS

    return _starting(KINDS, incomplete)


def plugins(incomplete: str) -> list[str]:
    """Names of plugins of every kind."""
    from camforge.host.registry import registry

    return _starting({name for found in registry().plugins.values() for name in found}, incomplete)


def methods(incomplete: str) -> list[str]:
    """Names of extractors; after a comma, of a further one."""
    from camforge.host.registry import registry

    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in _starting(registry().plugins["extractor"], last)]


def models(incomplete: str) -> list[str]:
    """Models of torchvision and of backbone plugins, and what a name of another library begins with."""
    from torchvision.models import list_models

    from camforge.explanation.models import LIBRARIES
    from camforge.host.registry import registry

    library, colon, name = incomplete.rpartition(":")
    if colon:
        return [f"torchvision:{found}" for found in _starting(list_models(), name)] if library == "torchvision" else []
    return _starting([*LIBRARIES, *registry().plugins["backbone"], *list_models()], incomplete)


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))


def _files(incomplete: str) -> list[str]:
    found = sorted(glob(f"{escape(incomplete)}*"))
    return [f"{path}/" if Path(path).is_dir() else path for path in found]
