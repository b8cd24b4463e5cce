"""AttnLRP."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from camforge.api import Capture, Extractor, Needs
from camforge_plugins.extractors import relevance


class AttnLRP(Extractor):
    """AttnLRP: the relevance of the tokens that enter the first block, by attention-aware LRP (Achtibat et al. 2024).

    Relevance starts as the target's logit. Products of two activations give each factor half, activation functions pass
    it on, norms divide by a constant, softmax by its Taylor expansion, linear layers by the gamma rule. The map is
    signed and adds up to the logit where no bias takes part. One more forward and backward, under these rules. For any
    vision transformer of torchvision, timm, transformers or open_clip whose norms and activations are torch functions.

    LRP may be patented: its authors call it a patented technology that may be used free of charge for personal and
    scientific purposes, and the licence of their code (Clear BSD) grants no patent rights. This implementation is
    CamForge's own, from the paper; its licence grants no rights to others' patents. Ask before commercial use.
    """

    name = "attnlrp"

    gamma: Annotated[float, Field(ge=0)] = 0.05
    """How much more contributions of an output's own sign count in linear layers; 0: the epsilon rule."""

    def extract(self, capture: Capture) -> list[Tensor]:
        rules = relevance.of_attnlrp(self.gamma)
        ruled = capture.rerun.again(capture.inputs, Needs(token_gradients=True), rules).attention
        assert ruled is not None  # it was asked for
        assert ruled.token_gradients is not None
        return [ruled.on_grid((ruled.tokens * ruled.token_gradients).sum(2))]
