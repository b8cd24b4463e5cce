"""Every image classifier of timm, with named stages and weights of the library's own or from a file.

timm is imported when a model is asked for: it is an extra, and a list of plugins does not need it.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from camforge.api import (
    Backbone,
    CamForgeError,
    Network,
    head_outputs,
    is_weights_file,
    load_state_dict,
    read_state_dict,
    stages_of,
)


class Timm(Backbone):
    """Any classifier of timm: ``{"name": "timm", "arch": "convnext_tiny", "weights": "DEFAULT"}``.

    arch     a name of ``timm.list_models()``, with the tag of its weights where it has one, or ``local-dir:FOLDER``
    weights  DEFAULT for those that timm publishes (downloaded once, kept in its cache), the path of a local file (read
             as data), or None for random weights. A head of another shape than ``outputs`` asks for starts afresh.
    """

    name = "timm"

    arch: str
    weights: str | Path | None = None
    image_size: Annotated[int, Field(ge=1)] | None = None
    """For transformers, whose position table is made for one size; None: the model's own."""

    def build(self, outputs: int, pretrained: bool = True) -> Network:
        """Raises CamForgeError where timm is missing, or weights cannot be had or belong to another architecture."""
        file = None if self.weights in (None, "DEFAULT") else str(self.weights)
        body = self._create(outputs, pretrained and self.weights == "DEFAULT")
        head = _head(body)
        if pretrained and file is not None:
            load_state_dict(body, self._file(file), head, f"weights {file!r} for {self.arch}", new_head=True)
        side = self.image_size or body.pretrained_cfg.get("input_size", (3, 224, 224))[-1]
        return Network(body, stages_of(body, torch.zeros(1, 3, side, side)), head)

    def trained_outputs(self) -> int | None:
        if self.weights is None:
            return None
        body = self._create(None, False)
        if self.weights == "DEFAULT":
            return int(body.num_classes)
        return head_outputs(self._file(str(self.weights)), body, _head(body))

    def _create(self, outputs: int | None, pretrained: bool) -> Any:
        timm = _timm()
        options: dict[str, Any] = {} if outputs is None else {"num_classes": outputs}
        if self.image_size is not None:
            options["img_size"] = self.image_size
        try:
            return timm.create_model(self.arch, pretrained=pretrained, **options)
        except Exception as error:  # an unknown name, a missing download, an option that the model does not have
            if "Unknown model" in str(error):
                near = difflib.get_close_matches(self.arch, timm.list_models(), n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise CamForgeError(f"timm has no model {self.arch!r}{hint}") from None
            said = (str(error) or type(error).__name__).splitlines()[0]
            raise CamForgeError(f"timm's {self.arch} cannot be had: {said}") from None

    def _file(self, weights: str) -> dict[str, Tensor]:
        if not is_weights_file(weights):
            raise CamForgeError(f"weights {weights!r} for {self.arch}: no such file; timm's own are called DEFAULT")
        return read_state_dict(weights)


def _timm() -> Any:
    try:
        import timm
    except ImportError:
        raise CamForgeError("timm is not installed: pip install 'camforge[timm]'") from None
    return timm


def _head(body: nn.Module) -> str:
    """Path of the classifier, as timm names it."""
    named: Any = body.pretrained_cfg.get("classifier")  # type: ignore[union-attr,operator]
    first = named[0] if isinstance(named, tuple | list) else named
    linear = [name for name, module in body.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    return str(first) if first in linear else linear[-1]
