"""A classifier of places that learns from seeds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from camforge.api import SeedLearner
from camforge_plugins.trainers.heads import UNSURE, SurePlaces, SurePlacesLearner, TwoHeads, with_second_head


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


class PixelLearner(SurePlacesLearner):
    """Cross entropy over the background and the outputs, at the places where the seeds are sure."""

    options: Pixels

    def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        logits, places = self.body.both(images, self.options.freeze)
        wanted = self.labels(targets, places)
        each = cross_entropy(places, wanted, ignore_index=UNSURE, reduction="sum")
        found = {"loss_pixels": each / (wanted != UNSURE).sum().clamp(min=1)}
        if not self.options.freeze:
            shown = (targets.amax((2, 3)) > 0).to(logits)
            found["loss_image"] = binary_cross_entropy_with_logits(logits, shown)
        return found


class Pixels(SurePlaces):
    """A classifier of every place, trained on the seeds of another network: the seeding loss, with a background.

    Kolesnikov and Lampert (SEC, ECCV 2016) train a whole network by it; here two 1x1 convolutions learn on the features
    of the network that found the seeds. A place is an output's where that seed is the image's highest and above
    ``foreground``, background where all seeds are below ``background``; what lies between does not count. The extractor
    ``pixels`` reads the result.
    """

    name = "pixels"
    hidden: Annotated[int, Field(ge=1)] = 64
    """Channels between the two 1x1 convolutions."""
    freeze: bool = True
    """Train the classifier of places alone; otherwise the whole network, on the image labels as well."""

    def learner(self, outputs: int, pretrained: bool = True) -> SeedLearner:
        network, layers = self.classifier(outputs, pretrained)
        body = PlaceClassifier(network.body.eval(), layers, self.hidden, outputs)
        return PixelLearner(with_second_head(network, body), self, self.freeze)
