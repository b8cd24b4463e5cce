"""Random maps."""

from typing import Annotated
from zlib import crc32

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import Capture, LayerExtractor


class RandomMap(LayerExtractor):
    """Uniform noise in [0, 1) at the layer's size, what any method must beat; the same for an image in any batch."""

    name = "random"

    seed: Annotated[int, Field(ge=0)] = 0
    """Of the random numbers."""

    def layer_map(self, capture: Capture, layer: str) -> Tensor:
        size = capture.activations[layer].shape[2:]
        maps = [
            torch.rand(size, generator=torch.Generator().manual_seed(self._seed(image, int(target))))
            for image, target in zip(capture.inputs, capture.targets, strict=True)
        ]
        return torch.stack(maps).to(capture.inputs) if maps else capture.inputs.new_zeros(0, *size)

    def _seed(self, image: Tensor, target: int) -> int:
        pixels = image.detach().contiguous().cpu().view(torch.uint8).numpy().tobytes()
        return crc32(pixels, crc32(f"{self.seed}/{target}".encode()))
