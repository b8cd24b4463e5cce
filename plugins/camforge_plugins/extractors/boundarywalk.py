"""Maps carried between boundaries that were learned."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import softplus

from camforge.api import CamForgeError, Capture
from camforge_plugins.extractors.affinitywalk import AffinityWalk
from camforge_plugins.neighbours import Offset, highest_between


class BoundaryWalk(AffinityWalk):
    """A random walk of another extractor's map that avoids the boundaries which the trainer ``irn`` learned.

    Ahn, Cho and Kwak, IRN, CVPR 2019, sec. 5.2: a place is left for itself or one nearer than ``radius``, with chances
    proportional to (1 - the highest boundary on the line between them)^power, that of staying to 1; the map, times
    1 - boundary (eq. 10), becomes the mean over where ``steps`` steps lead: T^256 in the paper.
    """

    name = "boundarywalk"

    layer: str = "relations.boundary"
    """The module that returns the logits of the boundary (B, 1, h, w)."""
    power: Annotated[float, Field(gt=0)] = 10.0
    """The higher, the less of a boundary a walk crosses."""

    def start(self, maps: Tensor, capture: Capture) -> Tensor:
        boundary = capture.activations[capture.resolve((self.layer,))[0]][:, 0]
        return super().start(maps, capture) * (-boundary).sigmoid()

    def apart(self, values: Tensor, offsets: list[Offset]) -> Tensor:
        """-log of the affinity; the first of ``offsets`` is the place itself."""
        if values.shape[1] != 1:
            raise CamForgeError(f"layer {self.layer!r} returns {values.shape[1]} channels: a boundary is one")
        crossed = softplus(highest_between(values[:, 0], offsets[1:]))
        return torch.cat([torch.zeros_like(values), crossed], 1)
