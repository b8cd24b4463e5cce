"""Few-shot learning of where objects are: the yardstick of weakly supervised localization."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from camforge.api import ObjectTrainer, SeedLearner, resize
from camforge_plugins.trainers.heads import HeadLearner, TwoHeads, with_second_head
from camforge_plugins.trainers.layers import require_grids

_SURE = 0.25  # a place counts as object or not where its target is further than this from 0.5


class SaliencyNetwork(TwoHeads):
    """A classifier with a 1x1 convolution on its last stage, ``saliency``: (B, 1, h, w), the object's logit."""

    head = "saliency"

    def __init__(self, classifier: nn.Module, layer: str) -> None:
        super().__init__(classifier, (layer,))
        self.saliency = nn.Conv2d(sum(self.channels()), 1, 1)

    def joined(self, grids: list[Tensor]) -> Tensor:
        return grids[0]


class SaliencyLearner(HeadLearner):
    """Cross entropy of object against background at every pixel where the truth is known."""

    def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        _, places = self.body.both(images, frozen=False)
        height, width = targets.shape[-2:]
        wanted, found = targets.amax(1), resize(places[:, 0], (height, width))
        known = ((wanted - 0.5).abs() > _SURE).to(found)
        each = binary_cross_entropy_with_logits(found, (wanted > 0.5).to(found), known, reduction="sum")
        return {"loss_saliency": each / known.sum().clamp(min=1)}


class Saliency(ObjectTrainer):
    """The few-shot baseline: a network that learns from a few masks or boxes where any object is.

    Choe et al., CVPR 2020: what the few images of train-fullsup, which choose hyper-parameters, would give if they
    trained a network instead. The whole backbone learns, a 1x1 convolution on its last stage says at each place whether
    an object is there, boxes count as masks. The classifier's own head learns nothing. The extractor ``pixels`` reads
    the result with ``layer="saliency"``: the same map for every class.
    """

    name = "saliency"

    def learner(self, outputs: int, pretrained: bool = True) -> SeedLearner:
        network = self.backbone.build(outputs, pretrained)
        require_grids(self, network, network.stages[-1:])
        body = SaliencyNetwork(network.body.eval(), network.stages[-1])
        return SaliencyLearner(with_second_head(network, body), self.name, frozen=False)
