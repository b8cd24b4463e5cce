"""Feature maps in one shape: (B, C, h, w), whatever the network's own layout."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from camforge.capture.model.structure import Structure
from camforge.types import CamForgeError

_CHANNELS_FIRST = (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm)


class Grids:
    """Brings the output of a model's module to (B, C, h, w), or (B, C, d, h, w) for volumes; at least float32.

    Tokens (B, N, C) form a grid of the image's aspect, leading tokens (class, registers) are dropped; (B, h, w, C) is
    told from (B, C, h, w) by the module's kind, by the sizes that the model's layer norms know, and by the aspect.
    """

    def __init__(self, model: nn.Module, inputs: Tensor) -> None:
        self._model, self._image = model, inputs.shape[2:]
        norms = [m for m in Structure.of(model).of_kind(nn.LayerNorm) if type(m) is nn.LayerNorm]  # subclasses permute
        self._normed = {int(m.normalized_shape[-1]) for m in norms}

    def __call__(self, values: Tensor, path: str) -> Tensor:
        """Raises CamForgeError where the values have no spatial extent that fits the image."""
        found = self.find(values, path)
        if found is None:
            shape, image = tuple(values.shape), "x".join(map(str, self._image))
            raise CamForgeError(f"layer {path!r} returns {shape}, no grid of the aspect of {image}: name another layer")
        return found

    def find(self, values: Tensor, path: str) -> Tensor | None:
        """The same, or None where there is no grid."""
        values = values if values.dtype.itemsize >= 4 else values.float()
        if values.dim() == 3 and len(self._image) == 2:
            return self._from_tokens(values)
        if values.dim() != len(self._image) + 2:
            return None
        if self.channel_axis(values.shape, path) == 1:
            return values
        return values.movedim(-1, 1) if self._misfit(values.shape[1:-1]) < 1 else None

    def channel_axis(self, shape: torch.Size, path: str) -> int:
        """1 for (B, C, h, w), -1 for (B, h, w, C) and tokens (B, N, C)."""
        if len(shape) == 3 and len(self._image) == 2:
            return -1
        module = self._model.get_submodule(path.partition("#")[0])
        if isinstance(module, nn.Linear) or type(module) is nn.LayerNorm:
            return -1
        if isinstance(module, nn.LayerNorm):
            return 1 if shape[1] == module.normalized_shape[-1] else -1
        if not self._normed or isinstance(module, _CHANNELS_FIRST):
            return 1
        fits_first, fits_last = self._misfit(shape[2:]) < 1, self._misfit(shape[1:-1]) < 1
        if fits_first != fits_last:
            return 1 if fits_first else -1
        first, last = shape[1] in self._normed, shape[-1] in self._normed
        if first != last:
            return 1 if first else -1
        return 1 if any(isinstance(m, _CHANNELS_FIRST) for m in module.modules()) else -1

    def _misfit(self, grid: tuple[int, ...]) -> float:
        """How far a grid is from a whole downscaling of the image, in cells; infinite where it is larger than that."""
        if any(n > size for n, size in zip(grid, self._image, strict=True)):
            return float("inf")
        (*_, h, w), (*_, height, width) = grid, self._image
        return abs(h * width - w * height) / max(height, width)

    def _from_tokens(self, tokens: Tensor) -> Tensor | None:
        batch, count, channels = tokens.shape
        height, width = self._image
        found: list[tuple[float, int, int]] = []
        for extra in range(min(9, count)):  # a class token and up to eight registers
            h = round(((count - extra) * height / width) ** 0.5)
            if h and not (count - extra) % h:
                grid = (h, (count - extra) // h)
                found.append((self._misfit(grid) + 0.01 * extra, *grid))
        misfit, h, w = min(found, default=(1.0, 0, 0))
        return None if misfit >= 1 else tokens[:, count - h * w :].transpose(1, 2).reshape(batch, channels, h, w)
