"""A classifier of places that learns from seeds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from camforge.api import IGNORED, Network, SeedLearner, SeedTrainer
from camforge_plugins.trainers.heads import (
    HeadLearner,
    TwoHeads,
    classifier_and_layers,
    in_order,
    sure_places,
    with_second_head,
)

Fraction = Annotated[float, Field(ge=0, le=1)]


class PlaceClassifier(TwoHeads):
    """A classifier of images whose places are classified too: ``pixels`` gives (B, 1 + K, h, w), background first."""

    head = "pixels"

    def __init__(self, classifier: nn.Module, layers: tuple[str, ...], hidden: int, outputs: int) -> None:
        super().__init__(classifier, layers)
        self.pixels = nn.Sequential(
            nn.Conv2d(sum(self.channels()), hidden, 1),
            nn.ReLU(inplace=True),
            nn.Dropout(0.3),
            nn.Conv2d(hidden, 1 + outputs, 1),
        )


class PixelLearner(HeadLearner):
    """Cross entropy over the background and the outputs, at the places where the seeds are sure."""

    def __init__(self, network: Network, options: Pixels) -> None:
        super().__init__(network, options.name, options.freeze)
        self.options = options

    def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        logits, places = self.body.both(images, self.options.freeze)
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

    _thresholds_in_order = model_validator(mode="after")(in_order)

    def learner(self, outputs: int, pretrained: bool = True) -> SeedLearner:
        network, layers = classifier_and_layers(self.name, self.backbone, outputs, pretrained, self.layers)
        body = PlaceClassifier(network.body.eval(), layers, self.hidden, outputs)
        return PixelLearner(with_second_head(network, body), self)
