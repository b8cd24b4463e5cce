"""Attention rollout."""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from camforge.api import Capture, ModelLayers, Needs
from camforge_plugins.extractors.attention_blocks import AttentionExtractor, read_back, with_identity


class AttentionRollout(AttentionExtractor):
    """Attention rollout: the product over blocks of 0.5 A + 0.5 I, A the heads' mean (Abnar and Zuidema 2020).

    The map is the row of the class token; where the network has none, the mean of the rows that it pools. It does not
    depend on the target. For any vision transformer of torchvision, timm, transformers or open_clip.
    """

    name = "attention_rollout"

    heads: Literal["mean", "max", "min"] = "mean"
    """How the heads' attention becomes one."""
    discard: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of each block's smallest entries that is set to zero before the identity is added."""

    def needs(self, model_layers: ModelLayers) -> Needs:
        del model_layers
        return Needs(attention=True)

    def extract(self, capture: Capture) -> list[Tensor]:
        attention, blocks = self.chosen(capture)
        return [read_back(attention, [self._mixed(attention.probabilities[b]) for b in blocks])]

    def _mixed(self, heads: Tensor) -> Tensor:
        """(P, heads, N, N) -> (P, N, N) of rows that sum to 1."""
        one = heads.mean(1) if self.heads == "mean" else heads.amax(1) if self.heads == "max" else heads.amin(1)
        flat = one.flatten(1)
        lowest = flat.topk(int(flat.shape[1] * self.discard), dim=1, largest=False).indices
        mixed = with_identity(flat.scatter(1, lowest, 0.0).view_as(one))
        return mixed / mixed.sum(-1, keepdim=True)
