"""Boundaries between classes and displacements to an object's middle, learned from seeds."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import softplus

from camforge.api import SeedLearner, resize
from camforge_plugins.neighbours import Offset, half_disc, highest_between, shifted
from camforge_plugins.trainers.heads import (
    Fraction,
    SurePairs,
    SurePlaces,
    SurePlacesLearner,
    TwoHeads,
    finest_of,
    mean_of,
    with_second_head,
)

_GROUP = 8  # channels that a group norm takes together


class Branch(nn.Module):
    """Grids (B, C_l, h_l, w_l), each reduced by itself and brought to the finest of them -> (B, outputs, h, w)."""

    def __init__(self, channels: list[int], hidden: int, outputs: int) -> None:
        super().__init__()
        self.reduced = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, hidden, 1, bias=False), nn.GroupNorm(hidden // _GROUP, hidden), nn.ReLU(inplace=True)
            )
            for width in channels
        )
        self.last = nn.Conv2d(len(channels) * hidden, outputs, 1)

    def forward(self, grids: list[Tensor]) -> Tensor:
        finest = finest_of(grids)
        parts = [resize(reduce(grid), finest) for reduce, grid in zip(self.reduced, grids, strict=True)]
        out: Tensor = self.last(torch.cat(parts, 1))
        return out


class Relations(nn.Module):
    """(B, 1 + 2, h, w): the boundary's logit and the displacement (down, right) in places, one behind the other."""

    def __init__(self, channels: list[int], hidden: int) -> None:
        super().__init__()
        self.boundary, self.displacement = Branch(channels, hidden, 1), Branch(channels, 2 * hidden, 2)

    def forward(self, grids: list[Tensor]) -> Tensor:
        return torch.cat([self.boundary(grids), self.displacement(grids)], 1)


class InterPixelNetwork(TwoHeads):
    """A classifier with the relations of its places in "relations"."""

    head = "relations"

    def __init__(self, classifier: nn.Module, layers: tuple[str, ...], hidden: int) -> None:
        super().__init__(classifier, layers)
        self.relations = Relations(self.channels(), hidden)

    def joined(self, grids: list[Tensor]) -> list[Tensor]:
        return grids


class InterPixelLearner(SurePlacesLearner):
    """Boundaries and displacements at near pairs of places at which the seeds are sure."""

    options: IRN

    def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        _, relations = self.body.both(images, frozen=True)
        labels = self.labels(targets, relations)
        offsets = half_disc(self.options.radius)
        pairs = SurePairs.of(labels, offsets)
        return {
            "loss_boundary": boundary_loss(relations[:, 0], pairs, offsets),
            "loss_displacement": displacement_loss(relations[:, 1:], pairs, offsets),
        }


class IRN(SurePlaces):
    """Boundaries between classes and displacements to an object's middle, learned from seeds: the inter-pixel network.

    Ahn, Cho and Kwak, CVPR 2019, sec. 4: of two places nearer than ``radius`` at which the seeds are sure, a_ij = 1 -
    the highest boundary on the line between them; the loss is the cross entropy of a_ij, a half of the mean over pairs
    of one class, a half over those of the background, and the mean over those of two classes (eq. 6). Displacements
    D_i - D_j shall be x_j - x_i in pairs of one class and 0 in the background, by the mean L1 norm (eq. 4, 5): they
    tell the objects of a class apart, are known but for a constant, and no map of a class needs them. Both branches
    learn on the features of the network that found the seeds, which stays as it is. The paper's displacement branch
    joins its layers from coarse to fine and its classes lie in seeds refined by a dense CRF. The extractor
    ``boundarywalk`` carries maps between the boundaries.
    """

    name = "irn"
    hidden: Annotated[int, Field(ge=_GROUP, multiple_of=_GROUP)] = 32
    """Channels to which the boundary's branch reduces each layer; the displacement's has twice as many."""
    radius: Annotated[int, Field(ge=2)] = 10
    """Of a pair, in places of the finest layer."""
    foreground: Fraction = 0.3
    background: Fraction = 0.05

    def learner(self, outputs: int, pretrained: bool = True) -> SeedLearner:
        network, layers = self.classifier(outputs, pretrained)
        body = InterPixelNetwork(network.body.eval(), layers, self.hidden)
        return InterPixelLearner(with_second_head(network, body), self)


def boundary_loss(logits: Tensor, pairs: SurePairs, offsets: list[Offset]) -> Tensor:
    """Logits (B, h, w) of the boundary -> the cross entropy of affinities, of the logits so that none is infinite."""
    crossed = highest_between(logits, offsets)
    alike = mean_of(softplus(crossed[pairs.foreground])) + mean_of(softplus(crossed[pairs.background]))
    return alike / 2 + mean_of(softplus(-crossed[pairs.unlike]))


def displacement_loss(field: Tensor, pairs: SurePairs, offsets: list[Offset]) -> Tensor:
    """Displacements (B, 2, h, w) (down, right) in places -> the mean L1 distance from what pairs ask for."""
    difference = torch.stack([field - shifted(field, offset, 0) for offset in offsets], 1)
    apart = (difference - field.new_tensor(offsets)[:, :, None, None]).abs().sum(2)
    return mean_of(apart[pairs.foreground]) + mean_of(difference.abs().sum(2)[pairs.background])
