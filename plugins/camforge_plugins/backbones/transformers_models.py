"""Image classifiers of Hugging Face transformers, from a folder or the library's own cache.

transformers is imported when a model is asked for: it is an extra, and a list of plugins does not need it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from camforge.api import Backbone, CamForgeError, Network, stages_of


class Transformers(Backbone):
    """An image classifier of transformers: ``{"name": "transformers", "arch": "a folder, or an id of the hub"}``.

    arch        a folder that ``save_pretrained`` wrote, or an id, which the library downloads once
    weights     DEFAULT for those of the folder, or None for random ones. A head of another number of outputs starts
                afresh.
    """

    name = "transformers"

    arch: str | Path
    weights: str | None = "DEFAULT"
    image_size: Annotated[int, Field(ge=1)] | None = None
    """Of the images; position tables are made for one size. None: the model's own."""

    def build(self, outputs: int, pretrained: bool = True) -> Network:
        """Raises CamForgeError where transformers is missing or the folder holds no image classifier."""
        config = self._config()
        side = self.image_size or getattr(config, "image_size", None) or 224
        side = side if isinstance(side, int) else max(side)
        kept = outputs == config.num_labels
        config.num_labels = config.num_labels if kept else outputs
        if self.image_size is not None:
            config.image_size = self.image_size
        body = Logits(self._model(config, pretrained and self.weights is not None))
        return Network(body, stages_of(body, torch.zeros(1, 3, side, side)), _head(body, outputs))

    def trained_outputs(self) -> int | None:
        return None if self.weights is None else int(self._config().num_labels)

    def _config(self) -> Any:
        transformers = _transformers()
        try:
            return transformers.AutoConfig.from_pretrained(self.arch)
        except Exception as error:
            raise CamForgeError(f"{self.arch}: {_short(error)}") from None

    def _model(self, config: Any, pretrained: bool) -> nn.Module:
        auto = _transformers().AutoModelForImageClassification
        try:
            if pretrained:
                model = auto.from_pretrained(self.arch, config=config, ignore_mismatched_sizes=True)
            else:
                model = auto.from_config(config)
        except Exception as error:
            raise CamForgeError(f"{self.arch}: {_short(error)}") from None
        found: nn.Module = model.float()
        return found


class Logits(nn.Module):
    """A model of transformers that returns its logits (B, K) and nothing else."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(pixel_values=images).logits
        return logits


def _transformers() -> Any:
    try:
        import transformers
    except ImportError:
        raise CamForgeError("transformers is not installed: pip install 'camforge[transformers]'") from None
    return transformers


def _head(body: nn.Module, outputs: int) -> str:
    linear = [name for name, m in body.named_modules() if isinstance(m, nn.Linear) and m.out_features == outputs]
    if not linear:
        raise CamForgeError(f"{type(body).__name__} has no linear layer of {outputs} outputs at its end")
    last: str = linear[-1]
    return last


def _short(error: Exception) -> str:
    said = str(error) or type(error).__name__
    return said.strip().splitlines()[0][:200]
