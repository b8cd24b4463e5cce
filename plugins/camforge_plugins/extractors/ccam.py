"""Combinational class activation maps."""

from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from camforge.api import CamForgeError, Capture, Extractor, ModelLayers, Needs


class CCAM(Extractor):
    """CCAM: sum_k g(k) times the CAM of the class at place k by score (Yang et al. 2020, Combinational CAMs, eq. 4-6).

    g is polynomial, from +1 for the first class to -1 for the last; or +1 for the first ``top`` and -1 for the last
    ``bottom`` classes; or +1 for the class at place ``rank`` alone, whose map is then that class's CAM. Needs global
    average pooling and one linear layer behind the last stage.
    """

    name = "ccam"

    combine: Literal["polynomial", "top_bottom", "rank"] = "polynomial"
    """What g is: "polynomial", by ``eta``; "top_bottom", by ``top`` and ``bottom``; "rank", by ``rank``."""
    eta: Annotated[float, Field(ge=0)] = 2.0
    """Exponent of the polynomial: 0 constant, 1 linear, 2 quadratic, 3 cubic."""
    top: Annotated[int, Field(ge=0)] | None = None
    """How many first classes count +1."""
    bottom: Annotated[int, Field(ge=0)] | None = None
    """How many last classes count -1."""
    rank: int | None = None
    """The place alone that counts: 1 the first class, 2 the second …; -1 the last, -2 the one before it …"""
    anchor: Literal["ranking", "target_first"] = "ranking"
    """"ranking": places are the network's own, one map for every target; "target_first": the target takes place 1."""

    @model_validator(mode="after")
    def _complete(self) -> "CCAM":
        given = self.top is not None and self.bottom is not None
        if self.combine == "top_bottom" and not given:
            raise ValueError('combine="top_bottom" needs top and bottom')
        if self.combine != "top_bottom" and (self.top is not None or self.bottom is not None):
            raise ValueError('top and bottom belong to combine="top_bottom"')
        if (self.combine == "rank") != (self.rank is not None) or self.rank == 0:
            raise ValueError('rank, which is not 0, belongs to combine="rank"')
        return self

    def needs(self, model_layers: ModelLayers) -> Needs:
        return Needs(activations=model_layers.resolve("last"), many_targets=True)

    def extract(self, capture: Capture) -> list[Tensor]:
        (layer,) = capture.resolve("last")
        if capture.head is None or capture.head.layer != layer:
            raise CamForgeError(f"ccam: layer {layer!r} is not followed by just average pooling and a linear layer")
        weights = self.places(capture) @ capture.head.weight  # (P, K) @ (K, C)
        return [torch.einsum("pc,pc...->p...", weights, capture.activations[layer])]

    def places(self, capture: Capture) -> Tensor:
        """(P, K): g of each class's place by descending score."""
        logits = capture.logits
        if self.anchor == "target_first":
            if not capture.rank.plain:
                raise CamForgeError('ccam: anchor="target_first" needs outputs as targets, not functions of the logits')
            logits = logits.scatter(1, capture.targets[:, None], float("inf"))
        order = logits.argsort(dim=1, descending=True, stable=True)
        g = self.combination(logits.shape[1]).to(logits)
        return torch.zeros_like(logits).scatter(1, order, g.expand_as(logits))

    def combination(self, classes: int) -> Tensor:
        """g(1) … g(K), float64."""
        if self.combine == "top_bottom":
            return top_bottom(classes, self.top or 0, self.bottom or 0)
        if self.rank is not None:
            return at_rank(classes, self.rank)
        return polynomial(classes, self.eta)


def polynomial(classes: int, eta: float) -> Tensor:
    """Eq. 5: ((k - p) / (1 - p))^eta up to the middle p = (K + 1) / 2, -((k - p) / (K - p))^eta behind it."""
    if classes < 2:
        raise CamForgeError("ccam: a polynomial over one class has no middle; the network needs two outputs or more")
    k, p = torch.arange(1, classes + 1, dtype=torch.float64), (classes + 1) / 2
    first, last = ((p - k) / (p - 1)).clamp(min=0) ** eta, ((k - p) / (classes - p)).clamp(min=0) ** eta
    return torch.where(k <= p, first, -last)


def top_bottom(classes: int, top: int, bottom: int) -> Tensor:
    """Eq. 6 with its printing error mended: +1 for the first ``top``, -1 for the last ``bottom``, 0 between."""
    if top + bottom > classes:
        raise CamForgeError(f"ccam: top {top} and bottom {bottom} together exceed the {classes} classes")
    g = torch.zeros(classes, dtype=torch.float64)
    g[:top], g[classes - bottom :] = 1, -1
    return g


def at_rank(classes: int, rank: int) -> Tensor:
    """+1 at place ``rank``, counted from the end where it is negative; 0 elsewhere."""
    if abs(rank) > classes:
        raise CamForgeError(f"ccam: rank {rank} exceeds the {classes} classes")
    g = torch.zeros(classes, dtype=torch.float64)
    g[rank - 1 if rank > 0 else rank] = 1
    return g
