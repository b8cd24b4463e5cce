"""What determines a stage's result, as plain JSON values: the store's keys are hashes of these."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from camforge import __version__
from camforge.data.prepared import Prepared
from camforge.interfaces import Plugin


def recipe_of(plugin: Plugin) -> dict[str, Any]:
    """A plugin's part in a key: its options and the versions of its class and of those inside it."""
    inner = {name: value for name in type(plugin).model_fields if isinstance(value := getattr(plugin, name), Plugin)}
    return plugin.spec() | {"@version": plugin.version} | {name: recipe_of(value) for name, value in inner.items()}


def data_recipe(split: Prepared) -> dict[str, Any]:
    """What determines the pixels a stage sees."""
    return {
        "camforge": __version__,
        "images": split.images.fingerprint,
        "geometry": asdict(split.geometry),
        "skipped": sorted(split.skipped),
    }
