"""Affinities of places that are learned from seeds."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from camforge.api import SeedLearner
from camforge_plugins.neighbours import distances, half_disc
from camforge_plugins.trainers.heads import (
    SurePairs,
    SurePlaces,
    SurePlacesLearner,
    TwoHeads,
    mean_of,
    with_second_head,
)

_NEAREST = 1e-5  # a distance of 0 would make the loss of a pair of two classes infinite


class AffinityNetwork(TwoHeads):
    """A classifier with features (B, D, h, w) in "affinity": places whose features are near belong together."""

    head = "affinity"

    def __init__(self, classifier: nn.Module, layers: tuple[str, ...], hidden: int, features: int) -> None:
        super().__init__(classifier, layers)
        self.affinity = nn.Sequential(
            nn.Conv2d(sum(self.channels()), hidden, 1), nn.ELU(inplace=True), nn.Conv2d(hidden, features, 1)
        )


class AffinityLearner(SurePlacesLearner):
    """Cross entropy of the affinity of near pairs of places at which the seeds are sure."""

    options: Affinity

    def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        _, features = self.body.both(images, frozen=True)
        labels = self.labels(targets, features)
        return {"loss_affinity": affinity_loss(features, labels, self.options.radius)}


class Affinity(SurePlaces):
    """Features whose distance says whether two places are of one class, learned from seeds (AffinityNet).

    Ahn and Kwak, CVPR 2018, sec. 3.2: the affinity of places i and j is exp(-|f_i - f_j|), the L1 distance. Pairs
    nearer than ``radius`` count where the seeds are sure of both: those of one class, those of the background, and
    twice those of two classes, each group by the mean of its cross entropy. Two 1x1 convolutions learn on the features
    of the network that found the seeds, which stays as it is, as in IRN; the paper trains the whole. The extractor
    ``affinitywalk`` carries maps along the affinities.
    """

    name = "affinity"
    hidden: Annotated[int, Field(ge=1)] = 64
    """Channels between the two convolutions."""
    features: Annotated[int, Field(ge=1)] = 32
    """Numbers at each place between which distances are taken."""
    radius: Annotated[int, Field(ge=2)] = 5
    """Of a pair, in places of the finest layer."""

    def learner(self, outputs: int, pretrained: bool = True) -> SeedLearner:
        network, layers = self.classifier(outputs, pretrained)
        body = AffinityNetwork(network.body.eval(), layers, self.hidden, self.features)
        return AffinityLearner(with_second_head(network, body), self)


def affinity_loss(features: Tensor, labels: Tensor, radius: int) -> Tensor:
    """Features (B, D, h, w), labels (B, h, w) with 0 background and ``UNSURE`` -> AffinityNet's loss."""
    offsets = half_disc(radius)
    apart, pairs = distances(features, offsets).clamp(min=_NEAREST), SurePairs.of(labels, offsets)
    unlike = mean_of(-torch.log(-torch.expm1(-apart[pairs.unlike])))
    return mean_of(apart[pairs.foreground]) + mean_of(apart[pairs.background]) + 2 * unlike
