"""Heat maps and a localization metric while a model trains, in anybody's training loop.

``HeatMapHook`` is for mmengine's Runner, ``HeatMapCallback`` for Lightning's Trainer; both show a ``MapMonitor``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from camforge.callbacks.lightning import HeatMapCallback
    from camforge.callbacks.mmengine import HeatMapHook
    from camforge.callbacks.monitor import MapMonitor

_ROOMS = {"HeatMapCallback": "lightning", "HeatMapHook": "mmengine", "MapMonitor": "monitor"}
__all__ = ["HeatMapCallback", "HeatMapHook", "MapMonitor"]


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is: Lightning is an extra."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'camforge.callbacks' has no attribute {name!r}")
    return getattr(import_module(f"camforge.callbacks.{_ROOMS[name]}"), name)
