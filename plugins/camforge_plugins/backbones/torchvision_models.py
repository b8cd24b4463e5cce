"""Every classification model of torchvision, with named stages and weights by name or from a file.

torchvision is imported when a model is asked for: it takes as long as torch, and a list of plugins needs neither.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import torch
from pydantic import field_validator
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
from camforge_plugins.backbones.dilation import OutputStride, dilate

# Their training mode returns tuples unless the auxiliary heads are left out, which no map ever reads.
_WITHOUT_AUX = {"aux_logits": False, "transform_input": True, "init_weights": True}
_EXTRA: dict[str, dict[str, Any]] = {"googlenet": _WITHOUT_AUX, "inception_v3": _WITHOUT_AUX}


class Torchvision(Backbone):
    """Any classification model of torchvision: ``{"name": "torchvision", "arch": "resnet50", "weights": "DEFAULT"}``.

    arch     a name of ``torchvision.models.list_models()``
    weights  one of torchvision's names for this model (DEFAULT, IMAGENET1K_V2, …: downloaded once by torchvision),
             a local file (read as data, never run; torch.save's or safetensors, also inside a training checkpoint;
             half precision becomes float32), or None for random weights.
             A head of another shape than ``outputs`` asks for starts afresh.
    """

    name = "torchvision"

    arch: str
    weights: str | Path | None = None
    output_stride: OutputStride = 32
    """Pixels of the image per cell of the last grid: 8 or 16 dilate the layers behind, with the same weights. For
    networks of convolutions and max poolings, such as ResNet, VGG and MobileNetV2."""

    @field_validator("arch")
    @classmethod
    def _known(cls, arch: str) -> str:
        from torchvision import models

        known = models.list_models(module=models)
        if arch not in known:
            near = difflib.get_close_matches(arch, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"torchvision has no classification model {arch!r}; {hint}known: {', '.join(known)}")
        return arch

    def build(self, outputs: int, pretrained: bool = True) -> Network:
        """Raises CamForgeError where the weights cannot be had or belong to another architecture."""
        from torchvision.models import get_model

        body = get_model(self.arch, weights=None, num_classes=outputs, **_EXTRA.get(self.arch, {}))
        head = _head(body, outputs)
        if pretrained and self.weights is not None:
            label = f"weights {self.weights!r} for {self.arch}"
            load_state_dict(body, self._state_dict(str(self.weights)), head, label, new_head=True)
        stages = stages_of(body, torch.zeros(1, 3, 224, 224))
        if self.output_stride < 32:
            dilate(body, self.output_stride, f"backbone {self.arch}")
        return Network(body, stages, head)

    def trained_outputs(self) -> int | None:
        from torchvision.models import get_model, get_model_weights

        if self.weights is None:
            return None
        published = get_model_weights(self.arch).__members__
        if str(self.weights) in published:
            return len(published[str(self.weights)].meta["categories"])
        with torch.device("meta"):
            body = get_model(self.arch, weights=None, **_EXTRA.get(self.arch, {}))
        return head_outputs(self._state_dict(str(self.weights)), body, _head(body, 1000))

    def _state_dict(self, weights: str) -> dict[str, Tensor]:
        from torchvision.models import get_model_weights

        published = get_model_weights(self.arch).__members__
        if weights in published:
            try:
                fetched: dict[str, Tensor] = published[weights].get_state_dict(progress=False, check_hash=True)
                return fetched
            except (OSError, RuntimeError) as error:
                raise CamForgeError(f"weights {weights!r} for {self.arch} could not be fetched: {error}") from None
        if not is_weights_file(weights):
            names = ", ".join(published) or "none are published"
            raise CamForgeError(
                f"weights {weights!r} for {self.arch}: no such file, and not one of its published names ({names})"
            )
        return read_state_dict(weights)


def _head(body: nn.Module, outputs: int) -> str:
    """Path of the last linear layer, or of the 1x1 convolution in its place (SqueezeNet)."""
    linear = [name for name, m in body.named_modules() if isinstance(m, nn.Linear) and m.out_features == outputs]
    conv = [name for name, m in body.named_modules() if isinstance(m, nn.Conv2d) and m.out_channels == outputs]
    last: str = (linear or conv)[-1]
    return last
