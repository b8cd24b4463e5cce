"""Second heads that learn from seeds: on the features of the classifier that found them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Self, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, normalize

from camforge.api import CamForgeError, Network, SeedLearner, SeedTrainer, resize
from camforge_plugins.neighbours import Offset, shifted
from camforge_plugins.trainers.layers import PROBE, outputs_of, require_grids

Fraction = Annotated[float, Field(ge=0, le=1)]
UNSURE = -1
"""The label of a place at which the seeds are not sure."""


class TwoHeads(nn.Module):
    """A classifier of images with a second head on its features, the module called ``head``: ``forward`` runs both.

    layers  modules of the classifier whose features the head reads, as ``joined`` hands them over
    """

    head: str

    def __init__(self, classifier: nn.Module, layers: tuple[str, ...]) -> None:
        super().__init__()
        self.classifier, self.layers = classifier, layers

    def channels(self) -> list[int]:
        """Of each layer."""
        with torch.no_grad():
            return [grid.shape[1] for grid in self._grids(torch.zeros(1, 3, PROBE, PROBE))[1]]

    def joined(self, grids: list[Tensor]) -> Tensor | list[Tensor]:
        """Grids (B, C_l, h_l, w_l) of the layers -> what the head reads: at the places of the finest their features.

        Each layer's are L2-normalised, and stand one behind another.
        """
        finest = finest_of(grids)
        return torch.cat([resize(normalize(grid, dim=1), finest) for grid in grids], 1)

    def forward(self, images: Tensor) -> Tensor:
        logits, grids = self._grids(images)
        self.get_submodule(self.head)(self.joined(grids))  # for whoever reads that module's output
        return logits

    def both(self, images: Tensor, frozen: bool) -> tuple[Tensor, Tensor]:
        """Logits (B, K) and what the head returns (B, C, h, w); frozen: the classifier gets no gradient."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            logits, grids = self._grids(images)
            features = self.joined(grids)
        return logits, self.get_submodule(self.head)(features)

    def _grids(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        with outputs_of(self.classifier, self.layers) as kept:
            logits: Tensor = self.classifier(images)
        return logits, [kept[layer] for layer in self.layers]


def finest_of(grids: Sequence[Tensor]) -> torch.Size:
    """Height and width of the largest of some grids (B, C, h, w)."""
    return max((grid.shape[2:] for grid in grids), key=lambda size: size.numel())


class HeadLearner(SeedLearner):
    """A learner of a network with two heads. ``trainer``: its name, for messages."""

    def __init__(self, network: Network, trainer: str, frozen: bool) -> None:
        super().__init__([network])
        self.trainer, self.frozen = trainer, frozen

    @property
    def body(self) -> TwoHeads:
        """The network's."""
        return cast(TwoHeads, self.networks[0].get_submodule("body"))

    def take_over(self, networks: Sequence[Network]) -> None:
        """The classifier that found the seeds, weights and all. Raises CamForgeError where it is of another kind."""
        found = networks[0].body
        classifier = found.classifier if isinstance(found, TwoHeads) else found
        try:
            self.body.classifier.load_state_dict(classifier.state_dict())
        except RuntimeError:
            message = "seeds.trainer's backbone is not this trainer's, whose weights it is"
            raise CamForgeError(f"{self.trainer}: {message}") from None

    def train(self, mode: bool = True) -> HeadLearner:
        """Frozen, the classifier's batch norms keep their statistics."""
        super().train(mode)
        self.body.classifier.train(mode and not self.frozen)
        return self


class SurePlaces(SeedTrainer):
    """A trainer of a second head at the places where the seeds are sure."""

    layers: tuple[str, ...] = ()
    """Modules of the backbone whose features are read; none: the backbone's stages, without the first and the last."""
    foreground: Fraction = 0.5
    """A place is an output's where that seed is the image's highest and above it."""
    background: Fraction = 0.2
    """A place is background where all seeds are below it."""

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> Self:
        """A place cannot be above one and below the other."""
        if self.background > self.foreground:
            raise ValueError(f"background {self.background} is above foreground {self.foreground}")
        return self

    def classifier(self, outputs: int, pretrained: bool) -> tuple[Network, tuple[str, ...]]:
        """The untrained classifier, and the layers that the head reads. Raises CamForgeError where it lacks one."""
        network = self.backbone.build(outputs, pretrained)
        layers = self.layers or network.stages[1:-1] or network.stages[-1:]
        require_grids(self, network, layers)
        return network, layers


class SurePlacesLearner(HeadLearner):
    """A learner of a head at the places where the seeds are sure."""

    options: SurePlaces

    def __init__(self, network: Network, options: SurePlaces, frozen: bool = True) -> None:
        super().__init__(network, options.name, frozen)
        self.options = options

    def labels(self, seeds: Tensor, grid: Tensor) -> Tensor:
        """Seeds (B, K, H, W) and what the head returned (B, C, h, w) -> ``sure_places`` (B, h, w)."""
        height, width = grid.shape[-2:]
        return sure_places(seeds, (height, width), self.options.foreground, self.options.background)


def with_second_head(network: Network, body: TwoHeads) -> Network:
    """The network of ``body``, whose classifier is that of ``network``."""
    return Network(body, tuple(f"classifier.{stage}" for stage in network.stages), f"classifier.{network.head}")


def sure_places(seeds: Tensor, size: tuple[int, int], foreground: float, background: float) -> Tensor:
    """Seeds (B, K, h, w) -> (B, *size) int64: 0 background, 1 + output, ``UNSURE`` where the seeds are not.

    A coarser grid takes the mean of its cells. Of equal seeds the first output takes the place.
    """
    top, owner = adaptive_avg_pool2d(seeds, size).max(1)
    unsure = torch.where(top < background, 0, UNSURE)
    return torch.where(top > foreground, 1 + owner, unsure)


@dataclass(frozen=True, eq=False)
class SurePairs:
    """Which pairs of places are of what kind, (B, O, h, w) bool each: the place and the one at each of O offsets."""

    foreground: Tensor
    """Both are of one output."""
    background: Tensor
    unlike: Tensor

    @classmethod
    def of(cls, labels: Tensor, offsets: list[Offset]) -> SurePairs:
        """Labels (B, h, w) as ``sure_places`` gives them; a pair of which one place is not sure is none."""
        here = labels[:, None]
        there = torch.stack([shifted(labels, offset, UNSURE) for offset in offsets], 1)
        sure, alike = (here != UNSURE) & (there != UNSURE), here == there
        return cls(sure & alike & (here > 0), sure & alike & (here == 0), sure & ~alike)


def mean_of(values: Tensor) -> Tensor:
    """The mean, 0 of none."""
    return values.sum() / max(1, len(values))
