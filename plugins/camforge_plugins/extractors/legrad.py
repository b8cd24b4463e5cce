"""LeGrad."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from camforge.api import CamForgeError, Capture, Extractor, Network

if TYPE_CHECKING:
    from torchvision.models import VisionTransformer


class LeGrad(Extractor):
    """LeGrad: the mean over blocks l, heads and queries of ReLU(ds_l / dA_l) (Bousselham et al. 2025).

    A_l is the attention of block l after the softmax, s_l the target's logit read from that block's own tokens, pooled,
    through the network's last norm and head. One more forward, in which attention is computed openly. For torchvision's
    VisionTransformer.
    """

    name = "legrad"

    blocks: Literal["all"] | tuple[int, ...] = "all"
    """Which blocks, from 0; negative numbers count from the last."""
    pooled: Literal["mean", "class_token"] = "mean"
    """How a block's tokens become one: the authors' code takes the mean of all, the network itself its class token."""

    def extract(self, capture: Capture) -> list[Tensor]:
        from torchvision.models import VisionTransformer

        network = capture.model_layers.model
        model = network.body if isinstance(network, Network) else network
        if not isinstance(model, VisionTransformer):
            raise CamForgeError(f"legrad: needs torchvision's VisionTransformer, not {type(model).__name__}")
        if (capture.targets < 0).any():
            raise CamForgeError("legrad: a target must be an output, not a function of the logits")
        blocks = self._chosen(list(model.encoder.layers))
        with torch.enable_grad(), ExitStack() as stack:
            attention = [stack.enter_context(open_attention(block.self_attention)) for block in blocks]
            tokens = [stack.enter_context(_outputs(block)) for block in blocks]
            model(capture.inputs)
            relevance = [
                self._relevance(model, outputs[-1], maps[-1], capture.targets)
                for outputs, maps in zip(tokens, attention, strict=True)
            ]
        seen = torch.stack(relevance).mean(0)  # (P, N) over the keys
        first = "encoder.layers.encoder_layer_0.ln_1"
        grid = capture.grids(seen[:, :, None], f"body.{first}" if isinstance(network, Network) else first)
        return [grid[:, 0]]

    def _chosen(self, blocks: list[Any]) -> list[Any]:
        if self.blocks == "all":
            return blocks
        wrong = [b for b in self.blocks if not -len(blocks) <= b < len(blocks)]
        if wrong:
            raise CamForgeError(f"legrad: no block {wrong[0]}; the model has blocks 0 to {len(blocks) - 1}")
        return [blocks[b] for b in self.blocks]

    def _relevance(self, model: VisionTransformer, tokens: Tensor, attention: Tensor, targets: Tensor) -> Tensor:
        """(P, N, C) tokens of a block and its attention (P, heads, N, N) -> (P, N)."""
        pooled = tokens.mean(1) if self.pooled == "mean" else tokens[:, 0]
        score = model.heads(model.encoder.ln(pooled)).gather(1, targets[:, None]).sum()
        (gradient,) = torch.autograd.grad(score, attention, retain_graph=True)
        return gradient.relu().mean((1, 2))


@contextmanager
def open_attention(module: nn.MultiheadAttention) -> Iterator[list[Tensor]]:
    """Self-attention written out, its softmax (P, heads, N, N) collected as leaves that gradients reach."""
    maps: list[Tensor] = []

    def forward(query: Tensor, *_: Any, **__: Any) -> tuple[Tensor, None]:
        batch, count, width = query.shape
        qkv = linear(query, module.in_proj_weight, module.in_proj_bias)
        q, k, v = qkv.reshape(batch, count, 3, module.num_heads, module.head_dim).permute(2, 0, 3, 1, 4)
        attention = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1).detach().requires_grad_()
        maps.append(attention)
        return module.out_proj((attention @ v).transpose(1, 2).reshape(batch, count, width)), None

    module.forward = forward  # type: ignore[method-assign]
    try:
        yield maps
    finally:
        del module.forward


@contextmanager
def _outputs(module: nn.Module) -> Iterator[list[Tensor]]:
    """What the module returns while the ``with`` block runs."""
    outputs: list[Tensor] = []
    handle = module.register_forward_hook(lambda _m, _i, out: outputs.append(out))
    try:
        yield outputs
    finally:
        handle.remove()
