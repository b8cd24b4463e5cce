"""Deep feature factorisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import pad

from camforge.api import Capture, ConceptExtractor, Concepts

SMALL = 1e-6  # what counts as zero at the beginning


class DFF(ConceptExtractor):
    """Deep feature factorisation: non-negative factors A = W H of an image's features (Collins et al. 2018).

    H are the maps of k concepts, each scaled to a maximum of 1, W their features there; the concepts come by their
    shares of A, the largest first. Each image is factorised alone, by multiplicative updates (Lee and Seung 2001).
    Negative features are shifted channel by channel and W shifted back. The factors know no target: a target's map is
    that of the concept which gives it the highest logit where every place of the layer has the concept's features.
    """

    name = "dff"

    iterations: Annotated[int, Field(ge=1)] = 200
    """How often the factors are updated."""

    def concepts(self, capture: Capture, layer: str) -> Concepts:
        images, pairs = capture.images.unique(return_inverse=True)
        first = torch.stack([(capture.images == image).nonzero()[0, 0] for image in images])
        activations = capture.activations[layer][first]
        features = activations.flatten(2)
        shift = features.amin(2, keepdim=True).clamp(max=0)
        w, h = factorised(features - shift, self.count, self.iterations)
        embeddings = (w + shift).transpose(1, 2)
        logits = [
            logits_of(capture, layer, int(pair), embedding) for pair, embedding in zip(first, embeddings, strict=True)
        ]
        maps = h.view(*h.shape[:2], *activations.shape[2:])
        return Concepts(maps[pairs], torch.stack(logits)[pairs])


def factorised(features: Tensor, count: int, iterations: int) -> tuple[Tensor, Tensor]:
    """(P, C, n) without negative values -> W (P, C, k) and H (P, k, n), max H = 1, the largest shares of A first."""
    w, h = beginnings(features, count)
    tiny = torch.finfo(features.dtype).tiny
    for _ in range(iterations):
        w = w * (features @ h.mT) / (w @ (h @ h.mT)).clamp(min=tiny)
        h = h * (w.mT @ features) / ((w.mT @ w) @ h).clamp(min=tiny)
    peak = h.amax(2, keepdim=True)
    h, w = h / torch.where(peak == 0, 1, peak), w * peak.mT
    order = (w.sum(1) * h.sum(2)).argsort(dim=1, descending=True, stable=True)
    return w.gather(2, order[:, None].expand_as(w)), h.gather(1, order[..., None].expand_as(h))


def beginnings(features: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """(P, C, n) -> W (P, C, k) and H (P, k, n) by NNDSVDa (Boutsidis and Gallopoulos 2008), as scikit-learn has it.

    Of each pair of singular vectors the positive or the negative parts, whichever are the larger; zeros become the
    features' mean, since an update by multiplication never leaves them. Concepts beyond the rank are that mean.
    """
    left, strength, right = torch.linalg.svd(features, full_matrices=False)
    rank = min(count, strength.shape[1])
    u, v, s = left[..., :rank], right[:, :rank].mT, strength[:, None, :rank]
    parts = [(u.clamp(min=0), v.clamp(min=0)), ((-u).clamp(min=0), (-v).clamp(min=0))]
    parts[0][0][..., 0], parts[0][1][..., 0] = u[..., 0].abs(), v[..., 0].abs()  # the first has one sign
    lengths = [(a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True)) for a, b in parts]
    (au, av), (bu, bv) = lengths
    positive = au * av > bu * bv
    size = (s * torch.where(positive, au * av, bu * bv)).sqrt()
    tiny = torch.finfo(features.dtype).tiny
    w, h = (
        torch.where(positive, parts[0][i] / lengths[0][i].clamp(min=tiny), parts[1][i] / lengths[1][i].clamp(min=tiny))
        for i in (0, 1)
    )
    mean = features.mean((1, 2))[:, None, None]
    w, h = (pad(size * x, (0, count - rank)) for x in (w, h))
    return torch.where(w < SMALL, mean, w), torch.where(h < SMALL, mean, h).mT


def logits_of(capture: Capture, layer: str, pair: int, embeddings: Tensor) -> Tensor:
    """Embeddings (k, C) -> (k, K): the output for an image whose every place, or token, has these features."""
    head = capture.head
    if head is not None and head.layer == layer:
        return embeddings @ head.weight.T + (0 if head.bias is None else head.bias)
    with torch.no_grad():
        return capture.rerun.logits_behind(layer, pair, len(embeddings), _everywhere(capture, layer, embeddings))


def _everywhere(capture: Capture, layer: str, embeddings: Tensor) -> Callable[[Tensor, int, int], Tensor]:
    def change(value: Tensor, start: int, stop: int) -> Tensor:
        axis = capture.grids.channel_axis(value.shape, layer)
        shape = [-1 if a == axis else 1 for a in range(1, value.dim())]
        return embeddings[start:stop].to(value).view(stop - start, *shape).expand(-1, *value.shape[1:]).clone()

    return change
