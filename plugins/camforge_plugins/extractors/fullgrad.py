"""FullGrad."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn.functional import interpolate

from camforge.api import (
    CamForgeError,
    Capture,
    Extractor,
    ModelLayers,
    Needs,
    Truncation,
    minmax_normalise,
    resize,
)
from camforge_plugins.extractors.implicit_bias import constant_bias, has_bias, has_curve, implicit_bias

BiasLayers = Literal["all"] | tuple[str, ...]


class FullGrad(Truncation, Extractor):
    """FullGrad: psi(x * dy/dx) + sum over biases of psi(b * dy/db) (Srinivas and Fleuret 2019).

    dy/db is taken place by place: the gradient of the layer's output. BatchNorm's bias is beta - mean * gamma / std; a
    layer that is not linear up to a constant (LayerNorm, GroupNorm, GELU, ReLU6 …) has f(x) - f'(x) x. The input's term
    and all biases' terms add up to the logit. Truncation applies to dy/db before it meets b.
    """

    name = "fullgrad"

    layers: BiasLayers = "all"
    """Whose biases: "all", or module paths."""
    psi: Literal["sample", "channel"] = "sample"
    """"sample": the authors' code, |.| scaled over the image's whole term, upsampled with corners aligned. "channel":
    Dong et al. 2023, eq. 7, |.| scaled channel by channel, corners not aligned."""
    input_term: Literal["psi", "raw", "none"] = "psi"
    """The input's term through psi, as it is (Dong et al. 2023, eq. 6), or left out."""
    complete: Annotated[float, Field(gt=0)] | None = None
    """Raise an error where the terms miss the logit by more than this fraction; only with all layers, untruncated."""

    def needs(self, model_layers: ModelLayers) -> Needs:
        paths = tuple(f"{path}#*" for path in self.paths(model_layers))
        curved = tuple(f"{p}#*" for p in self.paths(model_layers) if has_curve(model_layers.model.get_submodule(p)))
        return Needs(raw_gradients=paths, raw_inputs=curved, input_gradients=True)

    def paths(self, model_layers: ModelLayers) -> list[str]:
        """The modules whose bias is read."""
        if isinstance(self.layers, tuple):
            named = [path.partition("#")[0] for path in model_layers.resolve(self.layers)]
            without = [path for path in named if not has_bias(model_layers.model.get_submodule(path))]
            if without:
                raise CamForgeError(f"fullgrad: layer {without[0]!r} has no bias")
            return named
        return [path for path, module in model_layers.model.named_modules() if has_bias(module)]

    def extract(self, capture: Capture) -> list[Tensor]:
        if self.complete is not None:
            self.check(capture)
        size = capture.inputs.shape[2:]
        total = capture.inputs.new_zeros(len(capture), *size)
        for path, term in self.terms(capture):
            if path == "input":
                total = total + self._input(term)
            elif (grid := capture.grids.find(term, path)) is not None:
                total = total + self._upsampled(self._psi(grid), size)
        return [total]

    def terms(self, capture: Capture) -> Iterator[tuple[str, Tensor]]:
        """The term "input" and every bias's path#k with its term (P, …) in the module's own layout."""
        assert capture.input_gradients is not None  # it is among the needs
        yield "input", capture.inputs * capture.input_gradients
        wanted = {path: capture.model_layers.model.get_submodule(path) for path in self.paths(capture.model_layers)}
        for name, gradients in capture.raw_gradients.items():
            module = wanted.get(name.partition("#")[0])
            if module is None:  # another extractor's
                continue
            curved = has_curve(module)
            bias = implicit_bias(module, capture.raw_inputs[name]) if curved else constant_bias(module, gradients.dim())
            yield name, self._truncated_in_place(capture, name, gradients) * bias

    def check(self, capture: Capture) -> None:
        """Raise CamForgeError where the terms of some pair do not add up to its score."""
        found = sum(term.flatten(1).double().sum(1) for _, term in self.terms(capture))
        score = capture.scores(capture.logits).double()
        gap = ((found - score).abs() / score.abs().clamp(min=1e-30)).max().item()
        if gap > (self.complete or 0):
            raise CamForgeError(
                f"fullgrad: the terms miss the score by {gap:.2g} of it, more than {self.complete:g}: the model has "
                "something not linear outside of the known modules, such as attention or a product of features"
            )

    @model_validator(mode="after")
    def _checkable(self) -> FullGrad:
        if self.complete is not None and (self.layers != "all" or self.truncate is not None):
            raise ValueError('complete needs layers="all" and no truncation: otherwise terms are missing by intention')
        return self

    def _truncated_in_place(self, capture: Capture, name: str, gradients: Tensor) -> Tensor:
        """dy/db after truncation, channel by channel, in the module's own layout."""
        if self.truncate is None or gradients.dim() < 3:
            return gradients
        axis = capture.grids.channel_axis(gradients.shape, name)
        return self.truncated(gradients.movedim(axis, 1)).movedim(1, axis)

    def _input(self, term: Tensor) -> Tensor:
        """(P, 3, H, W) -> (P, H, W)."""
        if self.input_term == "none":
            return torch.zeros_like(term[:, 0])
        return term.sum(1) if self.input_term == "raw" else self._psi(term)

    def _psi(self, term: Tensor) -> Tensor:
        """(P, C, h, w) -> (P, h, w): |.| scaled to [0, 1], summed over the channels."""
        size, channels = term.abs(), term.shape[1]
        if self.psi == "sample":
            axes = tuple(range(1, term.dim()))
            low, high = size.amin(axes, keepdim=True)[:, 0], size.amax(axes, keepdim=True)[:, 0]
            return (size.sum(1) - channels * low) / (high - low + 1e-6)
        return minmax_normalise(size, term.dim() - 2).sum(1)

    def _upsampled(self, maps: Tensor, size: torch.Size) -> Tensor:
        if self.psi == "channel" or maps.shape[1:] == size:
            return resize(maps, size)
        mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(size)]
        return interpolate(maps[:, None], size=size, mode=mode, align_corners=True)[:, 0]
