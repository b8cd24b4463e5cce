"""Semantic information maps."""

from __future__ import annotations

from torch import Tensor

from camforge.api import GradientExtractor, LayerMerge


class SIM(GradientExtractor):
    """Semantic information map of a stage: sum_k ReLU(dy/dF_k), the gradients alone (Region-CAM, arXiv 2510.25134).

    Stages are upsampled, each divided by its maximum, and summed. The last stage before a pooled linear head has one
    gradient everywhere and adds nothing: name the earlier ones, such as ``layers=["features.6", "features.13"]``.
    """

    name = "sim"
    merge: LayerMerge | None = "normalised_sum"

    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        del activations
        return gradients.relu().sum(1)
