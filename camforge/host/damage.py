"""One damaged entry_points.txt must not keep everything from working.

``importlib.metadata.entry_points()`` reads the files of all installed distributions and dies of the first that is
corrupt, and with it die the imports of torch, pydantic and triton, which look for plugins of their own.
"""

from __future__ import annotations

from importlib import metadata

_read = metadata.Distribution.entry_points.fget  # type: ignore[attr-defined]


def entry_points_of(distribution: metadata.Distribution) -> metadata.EntryPoints:
    """A distribution's entry points. Raises whatever is wrong with its file."""
    entry_points: metadata.EntryPoints = _read(distribution)
    return entry_points


def outlive_damage() -> None:
    """Where a distribution is damaged, let everybody in this process see it without entry points."""
    for distribution in metadata.distributions():
        try:
            entry_points_of(distribution)
        except Exception:  # discovery names it, with its reason
            metadata.Distribution.entry_points = property(_undamaged)  # type: ignore[method-assign,assignment]
            return


def _undamaged(distribution: metadata.Distribution) -> metadata.EntryPoints:
    try:
        return entry_points_of(distribution)
    except Exception:
        return metadata.EntryPoints(())
