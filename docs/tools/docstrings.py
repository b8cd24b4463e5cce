"""An extension of mkdocstrings: CamForge's docstrings keep their shape."""

from __future__ import annotations

from typing import Any

import griffe
from shape import shaped


class Shaped(griffe.Extension):
    """Fences the paragraphs of every docstring that would lose their shape as prose; keeps the labels that tell."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        del kwargs
        obj.labels -= {"class-attribute", "instance-attribute"}  # true of every option, and no news
        if obj.docstring is not None:
            obj.docstring.value = shaped(obj.docstring.value)
