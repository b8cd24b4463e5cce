"""Two networks that are pushed to use different features."""

from __future__ import annotations

from typing import Annotated, Literal, cast

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import CamForgeError, Learner, Network, Trainer, spatial_mean

from .classification import Loss, accuracy, classification_loss, wide

Reduction = Literal["sum", "batch_mean"]


def orthogonal_loss(first: Tensor, second: Tensor, reduction: Reduction = "sum") -> Tensor:
    """Lo = ||f1 * f2||_sum for features (B, …) (Huang et al. 2019, eq. 3; Meng et al. 2020, eq. 4).

    "sum" is the printed form, "batch_mean" divides it by B. Negative products count by their size, or signed
    features would make the loss unbounded below; on non-negative features dLo/df1 = f2 everywhere, zeros included.
    """
    product = wide(first) * wide(second)
    total = torch.where(product < 0, -product, product).sum()
    return total if reduction == "sum" else total / first.shape[0]


def feature_norm(features: Tensor) -> Tensor:
    """(B, …) -> the mean over the batch of each image's Euclidean norm. A branch at 0 has taken the trivial minimum."""
    mean: Tensor = wide(features.detach()).flatten(1).norm(dim=1).mean()
    return mean


class TwoBranchLearner(Learner):
    """Two networks without shared parameters, joined by the orthogonal loss alone."""

    def __init__(self, networks: tuple[Network, Network], options: TwoBranchOrthogonal) -> None:
        super().__init__(networks)
        self.options = options
        self.summed = frozenset({"loss_orthogonal", "overlap"} if options.reduction == "sum" else ())

    def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        first, second = (cast(Network, network).features(images) for network in self.networks)
        overlap = orthogonal_loss(self._features(first[1]), self._features(second[1]), self.options.reduction)
        branches = [logits for logits, _ in (first, second)]
        return {
            "loss_first": classification_loss(branches[0], targets, self.options.loss),
            "loss_second": classification_loss(branches[1], targets, self.options.loss),
            "loss_orthogonal": self.options.weight * overlap,
            "overlap": overlap.detach(),
            "norm_first": feature_norm(first[1]),
            "norm_second": feature_norm(second[1]),
            "accuracy": torch.stack([accuracy(logits, targets, self.options.loss) for logits in branches]).mean(),
        }

    def _features(self, maps: Tensor) -> Tensor:
        return maps if self.options.features == "maps" else spatial_mean(maps)


class TwoBranchOrthogonal(Trainer):
    """Two networks, L = Lc1 + Lc2 + weight * Lo (Huang et al. 2019, eq. 4; Meng et al. 2020, eq. 5).

    The features are the last stage's activation, which follows a ReLU in the networks of the papers. Taken literally,
    Lo is a sum over the batch beside losses that are means over it: at the papers' weight it drowns them. Per image and
    of pooled features ("features f1 and f2, followed by FC layer") all three fall, from scratch and from pretrained
    networks; of maps ("deep convolutional features") they do from scratch, where a pretrained start overlaps thirty
    times as much and wants a smaller weight or a long training (configs/studies/README.md).
    """

    name = "two_branch_orthogonal"
    loss: Loss = "bce"
    """"bce": every output by itself; "softmax": one class of all."""
    weight: Annotated[float, Field(ge=0)] = 1e-4
    """Lambda, the weight of the orthogonal loss. 0: two independent networks."""
    features: Literal["maps", "pooled"] = "pooled"
    """"pooled": the spatial mean of the last maps, which the classifier reads; "maps": the maps themselves."""
    reduction: Reduction = "batch_mean"
    """"batch_mean": each image's sum, and of these the mean, as of the other losses; "sum": over all elements of the
    batch, as printed."""

    def learner(self, outputs: int, pretrained: bool = True) -> Learner:
        networks = self.backbone.build(outputs, pretrained), self.backbone.build(outputs, pretrained)
        if pretrained:
            _require_distinct(*networks, backbone=self.backbone.name)
        return TwoBranchLearner(networks, self)


def _require_distinct(first: Network, second: Network, backbone: str) -> None:
    """Equal branches would see equal gradients and stay equal for ever."""
    pairs = list(zip(first.parameters(), second.parameters(), strict=True))
    if any(a is b for a, b in pairs):
        raise CamForgeError(f"backbone {backbone!r}: its two branches share parameters; build() must make new ones")
    if all(torch.equal(a, b) for a, b in pairs):
        raise CamForgeError(f"backbone {backbone!r}: its two branches start equal; some of it must be random")
