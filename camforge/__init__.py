"""CamForge: class activation maps as experiments. Group, train, extract, fuse, measure - every step a plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from camforge.host.damage import outlive_damage

__version__ = "0.2.0.dev0"

if TYPE_CHECKING:
    from camforge.explanation.concepts import concepts
    from camforge.explanation.explain import MapWarning, explain
    from camforge.explanation.explanation import Explanation
    from camforge.explanation.models import load_model
    from camforge.host.registry import build
    from camforge.measuring.measure import measure
    from camforge.pipeline.run import run
    from camforge.suite.run import bench
    from camforge.types import CamForgeError

outlive_damage()  # before torch and pydantic are imported: they would die of another distribution's damage

_PUBLIC = {
    "run": "camforge.pipeline.run",
    "bench": "camforge.suite.run",
    "build": "camforge.host.registry",
    "explain": "camforge.explanation.explain",
    "concepts": "camforge.explanation.concepts",
    "Explanation": "camforge.explanation.explanation",
    "measure": "camforge.measuring.measure",
    "load_model": "camforge.explanation.models",
    "MapWarning": "camforge.explanation.explain",
    "CamForgeError": "camforge.types",
}

__all__ = [
    "CamForgeError",
    "Explanation",
    "MapWarning",
    "__version__",
    "bench",
    "build",
    "concepts",
    "explain",
    "load_model",
    "measure",
    "run",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is: ``import camforge`` alone must not wait for torch."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'camforge' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PUBLIC[name]), name)
