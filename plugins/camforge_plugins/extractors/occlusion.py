"""Occlusion."""

from __future__ import annotations

from functools import reduce
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from camforge.api import Capture
from camforge_plugins.extractors.masked_images import MaskedImages


class Occlusion(MaskedImages):
    """Occlusion: what the score loses when a square is hidden, each pixel's mean over squares (Zeiler and Fergus 2014).

    Squares begin every ``stride`` pixels, the last ones are cut off at the edge. It needs nothing of the network but
    what it returns, and a forward per square.
    """

    name = "occlusion"

    output: Literal["logit", "softmax"] = "logit"
    """What of the network's output is the score; "softmax" of a single output is its sigmoid."""
    patch: Annotated[int, Field(ge=1)] | None = None
    """Pixels of a square's side; None: an eighth of the image's shorter side."""
    stride: Annotated[int, Field(ge=1)] | None = None
    """Pixels from one square to the next; None: half a square."""
    fill: float = 0.0
    """What stands in a square: 0 is the mean colour of normalised images."""

    @model_validator(mode="after")
    def _covers(self) -> Occlusion:
        if self.patch is not None and self.stride is not None and self.stride > self.patch:
            raise ValueError(
                f"stride {self.stride} leaves pixels between squares of {self.patch}: give at most {self.patch}"
            )
        return self

    def extract(self, capture: Capture) -> list[Tensor]:
        covers = self._covering(capture.inputs)
        counts = [len(cover) for cover in covers]
        rows = torch.cartesian_prod(*(torch.arange(n, device=covers[0].device) for n in counts)).view(-1, len(counts))

        def hidden(image: Tensor, start: int, stop: int) -> Tensor:
            masks = reduce(_outer, [cover[rows[start:stop, axis]] for axis, cover in enumerate(covers)])
            return torch.where(masks[:, None] > 0, self.fill, image)

        whole = capture.scores(self.output_of(capture.logits))
        lost = (whole[:, None] - self.scores_under(capture, len(rows), hidden)).unflatten(1, counts)
        return [_spread(lost, covers) / _spread(torch.ones_like(lost[:1]), covers)]

    def _covering(self, images: Tensor) -> list[Tensor]:
        """Per axis (squares, pixels): 1 where a square lies."""
        size = images.shape[2:]
        patch = self.patch or max(1, min(size) // 8)
        stride = self.stride or max(1, patch // 2)
        covers = []
        for n in size:
            starts = torch.arange(-(-max(n - patch, 0) // stride) + 1, device=images.device)[:, None] * stride
            pixels = torch.arange(n, device=images.device)
            covers.append(((pixels >= starts) & (pixels < starts + patch)).to(images))
        return covers


def _outer(masks: Tensor, line: Tensor) -> Tensor:
    """(m, …) and (m, n) -> (m, …, n)."""
    return masks[..., None] * line.view(len(line), *(1,) * (masks.dim() - 1), -1)


def _spread(values: Tensor, covers: list[Tensor]) -> Tensor:
    """(P, squares…) -> (P, pixels…): at each pixel the sum over the squares that lie there."""
    for axis, cover in enumerate(covers, start=1):
        values = torch.tensordot(values, cover.to(values), dims=([axis], [0])).movedim(-1, axis)
    return values
