"""A classifier of places that learns from seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, binary_cross_entropy_with_logits, cross_entropy, normalize

from camforge.api import IGNORED, CamForgeError, Network, SeedLearner, SeedTrainer, resize

Fraction = Annotated[float, Field(ge=0, le=1)]


class PlaceClassifier(nn.Module):
    """A classifier of images whose places are classified too: ``pixels`` gives (B, 1 + K, h, w), background first.

    layers  modules of the classifier; at each place their features, each layer's L2-normalised, are brought to the
            finest of their grids and stand one behind another
    """

    def __init__(self, classifier: nn.Module, layers: tuple[str, ...], hidden: int, outputs: int) -> None:
        super().__init__()
        self.classifier, self.layers = classifier, layers
        with torch.no_grad():
            channels = self._features(torch.zeros(2, 3, 64, 64))[1].shape[1]
        self.pixels = nn.Sequential(
            nn.Conv2d(channels, hidden, 1), nn.ReLU(inplace=True), nn.Dropout(0.3), nn.Conv2d(hidden, 1 + outputs, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        logits, features = self._features(images)
        self.pixels(features)  # for whoever reads that module's output
        return logits

    def classified(self, images: Tensor, frozen: bool) -> tuple[Tensor, Tensor]:
        """Logits (B, K) and those of the places (B, 1 + K, h, w); frozen: the classifier gets no gradient."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            logits, features = self._features(images)
        return logits, self.pixels(features)

    def _features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        with _outputs(self.classifier, self.layers) as kept:
            logits: Tensor = self.classifier(images)
        grids = [normalize(kept[layer], dim=1) for layer in self.layers]
        finest = max((grid.shape[2:] for grid in grids), key=lambda size: size.numel())
        return logits, torch.cat([resize(grid, finest) for grid in grids], 1)


@contextmanager
def _outputs(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """The layers' outputs while a forward runs inside."""
    kept: dict[str, Tensor] = {}
    handles = [
        model.get_submodule(layer).register_forward_hook(lambda _m, _i, out, layer=layer: kept.update({layer: out}))
        for layer in layers
    ]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


class PixelLearner(SeedLearner):
    """Cross entropy over the background and the outputs, at the places where the seeds are sure."""

    def __init__(self, network: Network, options: Pixels) -> None:
        super().__init__([network])
        self.options = options

    @property
    def body(self) -> PlaceClassifier:
        """The network's."""
        return cast(PlaceClassifier, self.networks[0].get_submodule("body"))

    def take_over(self, networks: Sequence[Network]) -> None:
        """The classifier that found the seeds, weights and all. Raises CamForgeError where it is of another kind."""
        try:
            self.body.classifier.load_state_dict(networks[0].body.state_dict())
        except RuntimeError:
            raise CamForgeError("pixels: seeds.trainer's backbone is not this trainer's, whose weights it is") from None

    def train(self, mode: bool = True) -> PixelLearner:
        """Frozen, the classifier's batch norms keep their statistics."""
        super().train(mode)
        self.body.classifier.train(mode and not self.options.freeze)
        return self

    def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        logits, places = self.body.classified(images, self.options.freeze)
        height, width = places.shape[-2:]
        wanted = sure_places(targets, (height, width), self.options.foreground, self.options.background)
        each = cross_entropy(places, wanted, ignore_index=IGNORED, reduction="sum")
        found = {"loss_pixels": each / (wanted != IGNORED).sum().clamp(min=1)}
        if not self.options.freeze:
            shown = (targets.amax((2, 3)) > 0).to(logits)
            found["loss_image"] = binary_cross_entropy_with_logits(logits, shown)
        return found


class Pixels(SeedTrainer):
    """A classifier of every place, trained on the seeds of another network: the seeding loss, with a background.

    Kolesnikov and Lampert (SEC, ECCV 2016) train a whole network by it; here two 1x1 convolutions learn on the features
    of the network that found the seeds. A place is an output's where that seed is the image's highest and above
    ``foreground``, background where all seeds are below ``background``; what lies between does not count. The extractor
    ``pixels`` reads the result.
    """

    name = "pixels"
    layers: tuple[str, ...] = ()
    """Modules of the backbone whose features are read; none: the backbone's stages, without the first and the last."""
    hidden: Annotated[int, Field(ge=1)] = 64
    """Channels between the two 1x1 convolutions."""
    foreground: Fraction = 0.5
    """A place is an output's where its seed is above this."""
    background: Fraction = 0.2
    """A place is background where all seeds are below this."""
    freeze: bool = True
    """Train the classifier of places alone; otherwise the whole network, on the image labels as well."""

    def learner(self, outputs: int, pretrained: bool = True) -> SeedLearner:
        network = self.backbone.build(outputs, pretrained)
        layers = self.layers or network.stages[1:-1] or network.stages[-1:]
        missing = set(layers) - {name for name, _ in network.body.named_modules()}
        if missing:
            raise CamForgeError(f"pixels: backbone {self.backbone.name!r} has no layer {min(missing)!r}")
        body = PlaceClassifier(network.body.eval(), layers, self.hidden, outputs)
        stages = tuple(f"classifier.{stage}" for stage in network.stages)
        return PixelLearner(Network(body, stages, f"classifier.{network.head}"), self)


def sure_places(seeds: Tensor, size: tuple[int, int], foreground: float, background: float) -> Tensor:
    """Seeds (B, K, h, w) -> (B, *size) int64: 0 background, 1 + output, 255 where the seeds are not sure.

    A coarser grid takes the mean of its cells. Of equal seeds the first output takes the place.
    """
    top, owner = adaptive_avg_pool2d(seeds, size).max(1)
    unsure = torch.where(top < background, 0, IGNORED)
    return torch.where(top > foreground, 1 + owner, unsure)
