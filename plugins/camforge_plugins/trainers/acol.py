"""Two classifiers, the second of which sees what the first did not need."""

from __future__ import annotations

from typing import Annotated, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from camforge.api import CamForgeError, Learner, Network, Trainer, minmax_normalise

from .classification import Loss, accuracy, classification_loss
from .layers import PROBE, not_a_grid


class Classifier(nn.Module):
    """Two 3x3 convolutions, the mean over space, and a linear layer; its class maps are the layer's at every place."""

    def __init__(self, channels: int, width: int, outputs: int) -> None:
        super().__init__()
        convs = [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
        self.convs = nn.Sequential(*convs)
        self.fc = nn.Linear(width, outputs)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.convs(features).mean((2, 3)))
        return logits

    def with_maps(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, K) and the class maps (B, K, h, w) behind them, detached, without the bias."""
        activation = self.convs(features)
        maps = torch.einsum("kc,bchw->bkhw", self.fc.weight.detach(), activation.detach())
        return self.fc(activation.mean((2, 3))), maps


class Trunk(nn.Module):
    """A backbone up to its last stage, averaged 3x3 as in the authors' code."""

    def __init__(self, network: Network) -> None:
        from torchvision.models.feature_extraction import create_feature_extractor

        super().__init__()
        self.layers = create_feature_extractor(network.body, {network.stages[-1]: "features"})
        self.smooth = nn.AvgPool2d(3, stride=1, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.smooth(self.layers(images)["features"])
        return features


class FirstBranch(nn.Module):
    """The classifier that sees everything."""

    def __init__(self, trunk: Trunk, classifier: Classifier) -> None:
        super().__init__()
        self.trunk, self.classifier = trunk, classifier

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.trunk(images))
        return logits


class SecondBranch(nn.Module):
    """The classifier behind the erasure; no label is known here, so what the first one predicts is erased."""

    def __init__(self, first: FirstBranch, classifier: Classifier, options: ACoL) -> None:
        super().__init__()
        self.trunk, self.first, self.classifier = first.trunk, first.classifier, classifier
        self.options = options

    def forward(self, images: Tensor) -> Tensor:
        features = self.trunk(images)
        logits, maps = self.first.with_maps(features)
        rest = erase(features, maps, predicted(logits, self.options.loss), self.options.threshold)
        second: Tensor = self.classifier(rest)
        return second


class ACoLLearner(Learner):
    """Both classifiers on one trunk; the second sees features without the shown classes' strongest places."""

    def __init__(self, first: FirstBranch, second: SecondBranch, options: ACoL) -> None:
        branches: tuple[nn.Module, ...] = (first, second)
        super().__init__([Network(branch, ("classifier.convs",), "classifier.fc") for branch in branches])
        self.options = options

    def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        branch = cast(SecondBranch, cast(Network, self.networks[1]).body)
        features = branch.trunk(images)
        logits, maps = branch.first.with_maps(features)
        rest = erase(features, maps, targets > 0, self.options.threshold)
        return {
            "loss_first": classification_loss(logits, targets, self.options.loss),
            "loss_second": classification_loss(branch.classifier(rest), targets, self.options.loss),
            "accuracy": accuracy(logits, targets, self.options.loss),
        }


class ACoL(Trainer):
    """Adversarial complementary learning: a second classifier sees what the first left over (Zhang et al. 2018).

    The trunk is the backbone up to its last stage (VGG: conv5_3). The classifiers are two branches, whose maps the
    authors fuse by the maximum; only their last convolutions are stages.
    """

    name = "acol"
    loss: Loss = "bce"
    """"bce": every output by itself; "softmax": one class of all."""
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.6
    """Erased is where the min-max normalised map of a shown class reaches this."""
    width: Annotated[int, Field(ge=1)] = 1024
    """Channels of the classifiers' convolutions."""

    def learner(self, outputs: int, pretrained: bool = True) -> Learner:
        trunk = self._trunk(outputs, pretrained)
        with torch.no_grad():
            features = trunk.eval().layers(torch.zeros(1, 3, PROBE, PROBE))["features"]
        if wrong := not_a_grid(features):
            raise CamForgeError(
                f"acol: the last stage of backbone {self.backbone.name!r} returns {wrong}, no feature map"
            )
        channels = features.shape[1]
        first = FirstBranch(trunk.train(), Classifier(channels, self.width, outputs))
        return ACoLLearner(first, SecondBranch(first, Classifier(channels, self.width, outputs), self), self)

    def _trunk(self, outputs: int, pretrained: bool) -> Trunk:
        network = self.backbone.build(outputs, pretrained)
        try:
            return Trunk(network)
        except Exception as error:  # torch.fx runs a stranger's code on stand-ins for tensors
            name = self.backbone.name
            raise CamForgeError(f"acol: backbone {name!r} cannot be cut at its last stage: {error}") from None


def predicted(logits: Tensor, loss: Loss) -> Tensor:
    """(B, K) logits -> bool: the strongest output, and with "bce" every one above 0."""
    strongest = torch.zeros_like(logits, dtype=torch.bool).scatter(1, logits.argmax(1, keepdim=True), True)
    return strongest | (logits > 0) if loss == "bce" else strongest


def erase(features: Tensor, maps: Tensor, shown: Tensor, threshold: float) -> Tensor:
    """Features (B, C, h, w), class maps (B, K, h, w), shown (B, K) -> features, 0 where a shown map is strong."""
    strong = (minmax_normalise(maps) >= threshold) & shown[:, :, None, None]
    return features * ~strong.any(1, keepdim=True)
