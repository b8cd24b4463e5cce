"""Shapley-CAM."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from camforge.api import Capture, GradientExtractor, ModelLayers, Needs, probabilities, spatial_mean


class ShapleyCAM(GradientExtractor):
    """Shapley-CAM: ReLU(sum_k w_k A_k), w_k the spatial mean of g - H A / 2 (Cai 2025).

    H A is the Hessian-vector product of the score with the activation: it is zero for the logit of a ReLU network,
    which is why the score is the residual softmax one by default.
    """

    name = "shapleycam"

    score: Literal["rest", "softmax", "logit"] = "rest"
    """The explained score: y_c + log softmax_c(y), softmax_c(y) or y_c."""

    def needs(self, model_layers: ModelLayers) -> Needs:
        needs = super().needs(model_layers)
        return replace(needs, curvatures=needs.gradients, score=_SCORES[self.score])

    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        return (spatial_mean(gradients) * activations).sum(1).relu()

    def layer_map(self, capture: Capture, layer: str) -> Tensor:
        gradients = capture.gradients[layer] - capture.curvatures[layer] / 2
        return self.cam(capture.activations[layer], self.truncated(gradients))


def _logit(logits: Tensor, targets: Tensor) -> Tensor:
    return logits.gather(1, targets[:, None]).squeeze(1)


def _softmax(logits: Tensor, targets: Tensor) -> Tensor:
    return _logit(probabilities(logits), targets)


def _residual_softmax(logits: Tensor, targets: Tensor) -> Tensor:
    return _logit(logits + torch.log_softmax(logits, 1), targets)


_SCORES = {"rest": _residual_softmax, "softmax": _softmax, "logit": _logit}
