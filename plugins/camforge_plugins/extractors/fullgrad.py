"""FullGrad."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
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
from camforge_plugins.extractors.implicit_bias import constant_biases, has_bias, has_curve, implicit_bias

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
        paths = self.paths(model_layers)
        curved = tuple(f"{p}#*" for p in paths if has_curve(model_layers.model.get_submodule(p)))
        paths = tuple(f"{path}#*" for path in paths)
        return Needs(raw_gradients=paths, raw_inputs=curved, input_gradients=True)

    def paths(self, model_layers: ModelLayers) -> tuple[str, ...]:
        """The modules whose bias is read."""
        return model_layers.kept(("biases", self.layers), lambda: tuple(self._paths(model_layers)))

    def _paths(self, model_layers: ModelLayers) -> list[str]:
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
        same: dict[torch.Size, Tensor] = {}  # upsampling is linear: terms of one size are upsampled as one
        for path, term in self.terms(capture):
            if path == "input":
                total = total + self._input(term)
            elif (grid := capture.grids.find(term, path)) is not None:
                found = self._psi(grid)
                same[found.shape] = same[found.shape] + found if found.shape in same else found
        return [sum((self._upsampled(maps, size) for maps in same.values()), total)]

    def terms(self, capture: Capture) -> Iterator[tuple[str, Tensor]]:
        """The term "input" and every bias's path#k with its term (P, …) in the module's own layout."""
        assert capture.input_gradients is not None  # it is among the needs
        yield "input", capture.inputs * capture.input_gradients
        layers = capture.model_layers
        wanted = {path: layers.model.get_submodule(path) for path in self.paths(layers)}
        constant = [path for path, module in wanted.items() if not has_curve(module)]
        biases = dict(zip(constant, constant_biases([wanted[path] for path in constant]), strict=True))
        for name, gradients in capture.raw_gradients.items():
            path = name.partition("#")[0]
            if path not in wanted:  # another extractor's
                continue
            if path in biases:
                bias = _along_channels(wanted[path], biases[path], gradients.dim())
            else:
                bias = implicit_bias(wanted[path], capture.raw_inputs[name])
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
        size = term.abs_()  # of a product that nobody else reads
        if self.psi == "sample":
            axes, places = tuple(range(1, term.dim())), (-1, *(1,) * (term.dim() - 2))
            low, high = size.amin(axes).view(places), size.amax(axes).view(places)
            return torch.sub(size.sum(1), low, alpha=term.shape[1]) / (high - low + 1e-6)
        return minmax_normalise(size, term.dim() - 2).sum(1)

    def _upsampled(self, maps: Tensor, size: torch.Size) -> Tensor:
        if self.psi == "channel" or maps.shape[1:] == size:
            return resize(maps, size)
        mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(size)]
        return interpolate(maps[:, None], size=size, mode=mode, align_corners=True)[:, 0]


def _along_channels(module: nn.Module, bias: Tensor, dims: int) -> Tensor:
    """A bias (C,) in the shape of the module's outputs (P, …) of ``dims`` axes."""
    return bias if isinstance(module, nn.Linear) else bias.view(-1, *(1,) * (dims - 2))
