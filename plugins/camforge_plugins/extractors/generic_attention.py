"""Generic attention explainability."""

from torch import Tensor

from camforge.api import Capture
from camforge_plugins.extractors.attention_blocks import AttentionExtractor, read_back, with_identity


class GenericAttention(AttentionExtractor):
    """Generic attention relevance: R <- R + E_h[ReLU(dy/dA * A)] R, R = I at first (Chefer et al., ICCV 2021).

    Of the paper's rules the one of self-attention: A is a block's attention after the softmax, E_h the heads' mean. The
    map is the row of the class token; where the network has none, the mean of the rows that it pools. For any vision
    transformer of torchvision, timm, transformers or open_clip.
    """

    name = "generic_attention"

    def extract(self, capture: Capture) -> list[Tensor]:
        attention, blocks = self.chosen(capture)
        weighted = [(attention.gradients[b] * attention.probabilities[b]).relu().mean(1) for b in blocks]
        return [read_back(attention, [with_identity(matrix) for matrix in weighted])]
