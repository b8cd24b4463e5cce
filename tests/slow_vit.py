"""A vision transformer in plain float64, one image at a time, and the methods that read attention, from their papers.

Nothing of CamForge's is used: weights are taken out of a library's model, every product and every rule is written here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

Linear = tuple[Tensor, Tensor]


def weights_of(module: nn.Module) -> Linear:
    bias = module.bias if module.bias is not None else torch.zeros(len(module.weight))
    return module.weight.detach().double(), bias.detach().double()


@dataclass
class Block:
    """norm (weight, bias), q k v as one layer, projection, norm, two layers with an activation between."""

    norm1: Linear
    qkv: Linear
    out: Linear
    norm2: Linear
    up: Linear
    down: Linear


@dataclass
class SlowViT:
    """``embed``: image (3, H, W) -> tokens (N, C) that enter the first block."""

    embed: Callable[[Tensor], Tensor]
    blocks: list[Block]
    norm: Linear
    head: Linear
    heads: int
    eps: float
    activation: Callable[[Tensor], Tensor] = nn.functional.gelu
    pooled: str = "class_token"

    def run(self, image: Tensor) -> Run:
        return Run(self, self.embed(image.double()).detach())

    def logits_from(self, tokens: Tensor, pooled: str = "") -> Tensor:
        """What lies behind the last block."""
        one = tokens[0] if (pooled or self.pooled) == "class_token" else tokens.mean(0)
        return norm(one[None], self.norm, self.eps)[0] @ self.head[0].T + self.head[1]


def norm(x: Tensor, weight: Linear, eps: float) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt() * weight[0] + weight[1]


@dataclass
class Seen:
    """What one block computed, in order."""

    block: Block
    x: Tensor
    n1: Tensor
    qkv: list[Tensor]
    scores: Tensor
    attention: Tensor
    mixed: Tensor
    out: Tensor
    y: Tensor
    n2: Tensor
    hidden: Tensor
    active: Tensor
    down: Tensor
    z: Tensor


@dataclass
class Run:
    """One image's forward, with autograd's graph from the first tokens on."""

    vit: SlowViT
    tokens: Tensor
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tokens.requires_grad_()
        x = self.tokens
        for block in self.vit.blocks:
            self.seen.append(self.through(block, x))
            x = self.seen[-1].z
        self.logits = self.vit.logits_from(x)

    def through(self, block: Block, x: Tensor) -> Seen:
        heads, (count, width) = self.vit.heads, x.shape
        n1 = norm(x, block.norm1, self.vit.eps)
        flat = (n1 @ block.qkv[0].T + block.qkv[1]).reshape(count, 3, heads, width // heads)
        q, k, v = (flat[:, part].transpose(0, 1) for part in range(3))  # (heads, N, width / heads)
        scores = torch.einsum("hid,hjd->hij", q, k) / math.sqrt(width // heads)
        attention = scores.softmax(-1)
        mixed = torch.einsum("hij,hjd->hid", attention, v)
        out = mixed.transpose(0, 1).reshape(count, width) @ block.out[0].T + block.out[1]
        y = x + out
        n2 = norm(y, block.norm2, self.vit.eps)
        hidden = n2 @ block.up[0].T + block.up[1]
        active = self.vit.activation(hidden)
        down = active @ block.down[0].T + block.down[1]
        return Seen(block, x, n1, [q, k, v], scores, attention, mixed, out, y, n2, hidden, active, down, y + down)

    def attention_gradients(self, target: int) -> list[Tensor]:
        return list(torch.autograd.grad(self.logits[target], [s.attention for s in self.seen], retain_graph=True))

    def row(self, matrix: Tensor) -> Tensor:
        """The row of the class token, or the mean of all rows."""
        return matrix[0] if self.vit.pooled == "class_token" else matrix.mean(0)


def rollout(run: Run, heads: str = "mean", discard: float = 0.0) -> Tensor:
    """(N,): Abnar and Zuidema 2020."""
    joint = torch.eye(len(run.tokens), dtype=torch.float64)
    for seen in run.seen:
        attention = seen.attention.detach()
        a = attention.mean(0) if heads == "mean" else getattr(attention, heads)(0).values
        smallest = a.flatten().sort().indices[: int(a.numel() * discard)]
        a.view(-1)[smallest] = 0
        a = 0.5 * a + 0.5 * torch.eye(len(a), dtype=a.dtype)
        joint = (a / a.sum(1, keepdim=True)) @ joint
    return run.row(joint)


def generic_attention(run: Run, target: int) -> Tensor:
    """(N,): Chefer et al., ICCV 2021, eq. 5 and 6."""
    relevance = torch.eye(len(run.tokens), dtype=torch.float64)
    for seen, gradient in zip(run.seen, run.attention_gradients(target), strict=True):
        weighted = sum((g * a).clamp(min=0) for g, a in zip(gradient, seen.attention.detach(), strict=True))
        relevance = relevance + weighted / run.vit.heads @ relevance
    return run.row(relevance)


def legrad(run: Run, target: int, pooled: str = "mean") -> Tensor:
    """(N,): Bousselham et al. 2025, every block's score read from its own tokens."""
    total = torch.zeros(len(run.tokens), dtype=torch.float64)
    for seen in run.seen:
        score = run.vit.logits_from(seen.z, pooled)[target]
        (gradient,) = torch.autograd.grad(score, seen.attention, retain_graph=True)
        total += gradient.clamp(min=0).sum((0, 1)) / (run.vit.heads * len(run.tokens))
    return total / len(run.seen)


def transformer_attribution(run: Run, target: int) -> Tensor:
    """(N,): Chefer et al., CVPR 2021; relevance goes back layer by layer, from 1 at the target."""
    one = torch.zeros_like(run.logits)
    one[target] = 1
    relevance = torch.zeros_like(run.tokens)
    last = run.seen[-1].z.detach()
    pooled = last[0] if run.vit.pooled == "class_token" else last.mean(0)
    of_pooled = by_positive(norm(pooled[None], run.vit.norm, run.vit.eps)[0], run.vit.head, one)
    if run.vit.pooled == "class_token":
        relevance[0] = of_pooled
    else:
        relevance = last / len(last) / pooled * of_pooled
    gradients, matrices = run.attention_gradients(target), []
    for seen, gradient in zip(reversed(run.seen), reversed(gradients), strict=True):
        relevance, of_attention = _chefer_block(_detached(seen), relevance)
        weighted = (gradient * of_attention).clamp(min=0).mean(0)
        matrices.insert(0, torch.eye(len(weighted), dtype=weighted.dtype) + weighted)
    joint = matrices[0]
    for matrix in matrices[1:]:
        joint = matrix @ joint
    return run.row(joint)


def _chefer_block(seen: Seen, relevance: Tensor) -> tuple[Tensor, Tensor]:
    """Relevance of a block's output -> that of its input, and of its attention."""
    block = seen.block
    to_y, to_down = by_size(seen.y, seen.down, relevance)
    to_hidden = by_positive(seen.active, block.down, to_down)  # GELU passes it on
    relevance = to_y + by_positive(seen.n2, block.up, to_hidden)  # so does LayerNorm
    to_x, to_out = by_size(seen.x, seen.out, relevance)
    count, width = seen.x.shape
    q, k, v = seen.qkv
    flat = seen.mixed.transpose(0, 1).reshape(count, width)
    to_mixed = by_positive(flat, block.out, to_out).reshape(count, len(q), -1).transpose(0, 1)
    share = to_mixed / seen.mixed
    of_attention = seen.attention * (share @ v.mT) / 2
    to_v = v * (seen.attention.mT @ share) / 2
    dots = q @ k.mT
    to_q = q * ((of_attention / dots) @ k) / 2  # softmax passes it on
    to_k = k * ((of_attention / dots).mT @ q) / 2
    to_qkv = torch.stack([to_q, to_k, to_v]).permute(2, 0, 1, 3).reshape(count, 3 * width)
    return to_x + by_positive(seen.n1, block.qkv, to_qkv), of_attention


def by_positive(x: Tensor, layer: Linear, relevance: Tensor) -> Tensor:
    """The share of each input in the positive contributions x_i w_ij to each output, the bias left out; 0 of none."""
    contributions = (x[..., None, :] * layer[0]).clamp(min=0)  # (…, out, in)
    total = contributions.sum(-1, keepdim=True)
    return (torch.where(total > 0, contributions / total, 0) * relevance[..., None]).sum(-2)


def by_size(a: Tensor, b: Tensor, relevance: Tensor) -> tuple[Tensor, Tensor]:
    """Chefer et al. 2021, eq. 9: the two parts of a sum, each normalised by its share."""
    of_a, of_b = relevance * a / (a + b), relevance * b / (a + b)
    size = of_a.sum().abs() + of_b.sum().abs()
    return tuple(part * (part.sum().abs() / size * relevance.sum() / part.sum()) for part in (of_a, of_b))


def attnlrp(run: Run, target: int, gamma: float) -> Tensor:
    """(N,): Achtibat et al. 2024; relevance goes back layer by layer from the logit to the first tokens."""
    start = torch.zeros_like(run.logits)
    start[target] = run.logits[target].detach()
    last = run.seen[-1].z.detach()
    relevance = torch.zeros_like(last)
    one = last[:1] if run.vit.pooled == "class_token" else last.mean(0, keepdim=True)
    read = norm(one, run.vit.norm, run.vit.eps)
    of_one = by_norm(one, run.vit.norm, run.vit.eps, read, by_gamma(read, run.vit.head, start[None], gamma))
    if run.vit.pooled == "class_token":
        relevance[:1] = of_one
    else:
        relevance = last / len(last) / one * of_one
    for seen in reversed(run.seen):
        relevance = _attnlrp_block(_detached(seen), relevance, gamma, run.vit.eps)
    return relevance.sum(1)


def _attnlrp_block(seen: Seen, relevance: Tensor, gamma: float, eps: float) -> Tensor:
    block = seen.block
    to_hidden = by_gamma(seen.active, block.down, relevance * seen.down / seen.z, gamma)
    to_y = by_norm(seen.y, block.norm2, eps, seen.n2, by_gamma(seen.n2, block.up, to_hidden, gamma))
    relevance = relevance * seen.y / seen.z + to_y
    count, width = seen.x.shape
    q, k, v = seen.qkv
    flat = seen.mixed.transpose(0, 1).reshape(count, width)
    to_out = by_gamma(flat, block.out, relevance * seen.out / seen.y, gamma)
    share = to_out.reshape(count, len(q), -1).transpose(0, 1) / seen.mixed / 2
    to_attention = seen.attention * (share @ v.mT)
    to_v = v * (seen.attention.mT @ share)
    to_scores = seen.scores * (to_attention - seen.attention * to_attention.sum(-1, keepdim=True))
    root = math.sqrt(width // len(q))
    to_q = q * ((to_scores / seen.scores) @ k) / root / 2
    to_k = k * ((to_scores / seen.scores).mT @ q) / root / 2
    to_qkv = torch.stack([to_q, to_k, to_v]).permute(2, 0, 1, 3).reshape(count, 3 * width)
    to_x = by_norm(seen.x, block.norm1, eps, seen.n1, by_gamma(seen.n1, block.qkv, to_qkv, gamma))
    return relevance * seen.x / seen.y + to_x


def by_gamma(x: Tensor, layer: Linear, relevance: Tensor, gamma: float) -> Tensor:
    """Contributions of an output's own sign, and the bias's, count 1 + gamma times; output by output."""
    weight, bias = layer
    sign = torch.sign(x @ weight.T + bias)[..., None]  # (…, out, 1)
    parts, rest = x[..., None, :] * weight, bias[:, None].expand_as(sign)
    parts, rest = (v + gamma * torch.where(v * sign > 0, v, 0) for v in (parts, rest))
    return (parts / (parts.sum(-1, keepdim=True) + rest) * relevance[..., None]).sum(-2)


def by_norm(x: Tensor, weight: Linear, eps: float, outputs: Tensor, relevance: Tensor) -> Tensor:
    """LayerNorm as a linear function: the deviation is a constant, y_j = sum_i x_i (d_ij - 1/C) w_j / std + b_j."""
    std = (x.var(-1, unbiased=False, keepdim=True) + eps).sqrt()
    away = torch.eye(x.shape[-1], dtype=x.dtype) - 1 / x.shape[-1]  # (in, out)
    contributions = x[:, :, None] * away * (weight[0] / std)[:, None, :]
    return (contributions / outputs[:, None, :] * relevance[:, None, :]).sum(2)


def _detached(seen: Seen) -> Seen:
    plain: dict[str, Any] = {n: v.detach() if isinstance(v, Tensor) else v for n, v in vars(seen).items()}
    return Seen(**{**plain, "qkv": [x.detach() for x in seen.qkv]})
