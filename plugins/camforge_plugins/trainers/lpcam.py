"""Prototypes of classes and of their context, among the features of a trained classifier."""

from __future__ import annotations

from typing import Annotated, Literal, Self, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, normalize

from camforge.api import CamForgeError, Network, SeedLearner, SeedTrainer, resize
from camforge_plugins.trainers.classification import wide
from camforge_plugins.trainers.heads import Fraction, HeadLearner, TwoHeads, with_second_head
from camforge_plugins.trainers.layers import require_grids

_MEMORY = 0.9  # what a batch that shows a class leaves of the scores that earlier ones gave its centres


class Prototypes(nn.Module):
    """Features (B, C, h, w) -> LPCAM's maps (B, K, h, w), signed: the similarity to a class less that to its context.

    Of two kinds, a class's own places and those of its context, each class has k centres on the unit sphere.
    """

    sums: Tensor
    """(2, K, k, K) of the class activation maps at the places nearest to each centre, and in ``counts`` (2, K, k) how
    many these were, of the last batches."""
    counts: Tensor
    start: Tensor

    def __init__(self, channels: int, outputs: int, options: LPCAM) -> None:
        super().__init__()
        size = (2, outputs, options.clusters)
        self.options = options
        self.moved = nn.Parameter(torch.zeros(*size, channels))
        self.register_buffer("start", torch.zeros(*size, channels))
        self.register_buffer("sums", torch.zeros(*size, outputs))
        self.register_buffer("counts", torch.zeros(size))
        self.maps = nn.AvgPool2d(1)  # changes nothing, but says that channels come first where noise moves little

    def forward(self, features: Tensor) -> Tensor:
        own, context = self.means()
        maps: Tensor = self.maps(torch.einsum("kc,bchw->bkhw", own - context, normalize(features, dim=1)))
        return maps

    def centres(self) -> Tensor:
        """(2, K, k, C), of unit length; 0 where no place was seen yet."""
        length = self.start.shape[-1] ** 0.5  # a step of the learning rate means the same for any number of channels
        return normalize(length * self.start + self.moved, dim=-1)

    def means(self) -> Tensor:
        """(2, K, C): the mean of the prototypes, 0 of none; a product with it is the mean of their similarities."""
        kept = self.kept().to(self.start)
        total = torch.einsum("tkj,tkjc->tkc", kept, self.centres())
        return total / kept.sum(-1, keepdim=True).clamp(min=1)

    def kept(self) -> Tensor:
        """(2, K, k) bool: the centres that are prototypes, by the softmax of the mean scores of their places."""
        scores = self.sums / self.counts[..., None].clamp(min=torch.finfo(self.counts.dtype).tiny)
        shares = scores.softmax(-1).diagonal(dim1=1, dim2=3).mT.masked_fill(self.counts == 0, 0)
        own, context = shares
        low, high = self.options.context
        best = own.amax(-1, keepdim=True)
        return torch.stack(
            [(own > 0) & ((own > self.options.sure) | (own == best)), (context > low) & (context < high)]
        )

    def distances(self, features: Tensor, scores: Tensor, chosen: Tensor) -> Tensor:
        """Places' unit features (N, C) and class activation maps (N, K), which are chosen (2, K, N) bool -> (2,).

        Of each kind the mean of 1 - cosine between a place and its nearest centre, over a class's places, then over the
        classes shown. Training takes note of the scores, and lets the centres of a new class begin at places of it.
        """
        if self.training:
            self._begin(features, chosen)
        nearest, owner = torch.einsum("nc,tkjc->tkjn", features, self.centres()).max(2)
        if self.training:
            self._note(owner, scores, chosen)
        each = ((1 - nearest) * chosen).sum(-1) / chosen.sum(-1).clamp(min=1)
        return each.sum(1) / chosen.any(-1).sum(1).clamp(min=1)

    def _begin(self, features: Tensor, chosen: Tensor) -> None:
        shown = chosen.any(-1)
        weights = (chosen | ~shown[..., None]).flatten(0, 1).float()  # where none is shown, draws that nobody takes
        picked = torch.multinomial(weights, self.options.clusters, replacement=True).view(self.counts.shape)
        new = shown & (self.counts == 0).all(-1)
        self.start.copy_(torch.where(new[..., None, None], features[picked], self.start))

    @torch.no_grad()
    def _note(self, owner: Tensor, scores: Tensor, chosen: Tensor) -> None:
        index = torch.arange(self.options.clusters, device=owner.device)[:, None]
        owned = ((owner[:, :, None] == index) & chosen[:, :, None]).to(scores)
        left = torch.where(chosen.any(-1), _MEMORY, 1.0)[..., None].to(self.counts)
        self.counts.mul_(left).add_(owned.sum(-1))
        self.sums.mul_(left[..., None]).add_(torch.einsum("tkjn,no->tkjo", owned, scores))


class PrototypeNetwork(TwoHeads):
    """A classifier with LPCAM's maps in "prototypes"."""

    head = "prototypes"

    def __init__(self, network: Network, layer: str, outputs: int, options: LPCAM) -> None:
        super().__init__(network.body.eval(), (layer, network.stages[-1]))
        self.linear = network.head
        _require_pooling(self, network)
        self.prototypes = Prototypes(self.channels()[0], outputs, options)

    def joined(self, grids: list[Tensor]) -> Tensor:
        return grids[0]

    def places(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, C, h, w) and, at their places, class activation maps (B, K, h, w), signed and without bias."""
        with torch.no_grad():
            _, (grid, last) = self._grids(images)
            weight = cast(Tensor, self.classifier.get_submodule(self.linear).weight).flatten(1)
            maps = torch.einsum("kc,bchw->bkhw", weight, last)
            return wide(grid), resize(wide(maps), grid.shape[-2:])


class PrototypeLearner(HeadLearner):
    """K-means of the features at the places of each class, and at those of its context."""

    def __init__(self, network: Network, options: LPCAM) -> None:
        super().__init__(network, options.name, frozen=True)
        self.foreground = options.foreground

    def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        body = cast(PrototypeNetwork, self.body)
        grid, maps = body.places(images)
        features, scores = (values.movedim(1, -1).flatten(0, 2) for values in (normalize(grid, dim=1), maps))
        size = (grid.shape[2], grid.shape[3])
        own, context = body.prototypes.distances(features, scores, class_places(targets, size, self.foreground))
        return {"loss_class": own, "loss_context": context}


class LPCAM(SeedTrainer):
    """Prototypes of each class and of its context among a classifier's features: local prototypes, LPCAM.

    Chen and Sun, CVPR 2023: of the images that show a class, the features where its seed is above ``foreground``
    are clustered, and the others, its context. A cluster's score p is the softmax, at the class, of its mean class
    activation maps, which is the classifier's own where the last stage is clustered; ``sure`` and ``context`` say which
    centres stay as prototypes. The extractor ``lpcam`` reads the result. The classifier stays that of the seeds; it
    must be global average pooling and one linear layer.

    K-means by gradient steps (Bottou and Bengio 1994): the loss is 1 - cosine between a place and its nearest centre,
    so centres are means of unit features, and memory is a batch's. The authors' code clusters all places at once and
    takes the mean of the features as they are. Where no centre of a class reaches ``sure`` its best one stays.
    """

    name = "lpcam"
    epochs: Annotated[int, Field(ge=1)] = 4
    lr: Annotated[float, Field(gt=0)] = 0.1
    schedule: Literal["plateau", "onecycle", "poly", "constant"] = "onecycle"
    layer: str = ""
    """Module of the backbone whose features are clustered; none: the last stage, as in the paper."""
    clusters: Annotated[int, Field(ge=1)] = 12
    """Of each class, and as many of its context."""
    foreground: Fraction = 0.1
    """A place is a class's where its seed is above it, else its context."""
    sure: Fraction = 0.9
    """A centre of a class is a prototype where p is above it."""
    context: tuple[Fraction, Fraction] = (0.05, 0.9)
    """A centre of a class's context is a prototype where p lies between them."""

    @model_validator(mode="after")
    def _context_in_order(self) -> Self:
        """Nothing lies between two bounds that are the wrong way round."""
        if self.context[0] > self.context[1]:
            raise ValueError(f"context {list(self.context)}: give the lower bound first")
        return self

    def learner(self, outputs: int, pretrained: bool = True) -> SeedLearner:
        network = self.backbone.build(outputs, pretrained)
        layer = self.layer or network.stages[-1]
        require_grids(self, network, (layer, network.stages[-1]))
        body = PrototypeNetwork(network, layer, outputs, self)
        return PrototypeLearner(with_second_head(network, body), self)


def class_places(seeds: Tensor, size: tuple[int, int], foreground: float) -> Tensor:
    """Seeds (B, K, H, W) -> (2, K, B h w) bool: places of each class, and those of its context, in images that show it.

    A coarser grid takes the mean of its cells.
    """
    shown = seeds.amax((2, 3), keepdim=True) > 0
    high = adaptive_avg_pool2d(seeds, size) > foreground
    return torch.stack([shown & high, shown & ~high]).transpose(1, 2).flatten(2)


@torch.no_grad()
def _require_pooling(body: PrototypeNetwork, network: Network) -> None:
    """The class activation maps must be what the logits are the means of."""
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    logits, grids = body._grids(images)
    wrong = CamForgeError(
        "lpcam: the backbone's last stage must go through global average pooling and one linear layer"
    )
    linear = body.classifier.get_submodule(network.head)
    if any(grid.dim() != 4 for grid in grids) or cast(Tensor, linear.weight).flatten(1).shape[1] != grids[-1].shape[1]:
        raise wrong
    _, maps = body.places(images)
    rest = logits - maps.mean((2, 3))
    bias = linear.bias if isinstance(linear.bias, Tensor) else torch.zeros_like(rest[0])
    if not torch.allclose(rest, bias.expand_as(rest), rtol=1e-3, atol=1e-3):
        raise wrong
