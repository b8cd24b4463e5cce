"""Transformer attribution."""

from __future__ import annotations

from torch import Tensor

from camforge.api import Capture, Needs
from camforge_plugins.extractors import relevance
from camforge_plugins.extractors.attention_blocks import AttentionExtractor, read_back, with_identity


class TransformerAttribution(AttentionExtractor):
    """The product over blocks of I + E_h[ReLU(dy/dA * R)], R the relevance of A by LRP (Chefer et al., CVPR 2021).

    Relevance starts at 1 at the target, goes through linear layers by their positive contributions, is halved at
    products of two activations and divided at skip connections by the size of both parts; softmax, GELU and LayerNorm
    pass it on. One more forward and backward, under these rules. The map is the row of the class token; where the
    network has none, the mean of the rows that it pools. For any vision transformer of torchvision, timm, transformers
    or open_clip. LRP may be patented: see the extractor ``attnlrp``.
    """

    name = "transformer_attribution"

    def extract(self, capture: Capture) -> list[Tensor]:
        attention, blocks = self.chosen(capture)
        rules = relevance.of_transformer_attribution(attention.images_axis)
        found = self._relevance(capture, rules, blocks)
        weighted = [(attention.gradients[b] * r).relu().mean(1) for b, r in zip(blocks, found, strict=True)]
        return [read_back(attention, [with_identity(matrix) for matrix in weighted])]

    def _relevance(self, capture: Capture, rules: relevance.Rules, blocks: list[int]) -> list[Tensor]:
        """(P, heads, N, N) of each block: the relevance of its attention."""
        needs = Needs(attention=True, attention_gradients=True)
        ruled = capture.rerun.again(capture.inputs, needs, rules)
        assert ruled.attention is not None  # it was asked for
        score = capture.scores(capture.logits).view(-1, 1, 1, 1)
        attention = ruled.attention
        return [relevance.ratio(attention.probabilities[b] * attention.gradients[b], score) for b in blocks]
