"""Tiny vision transformers of each library, each with the same network in plain float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from slow_vit import Block, SlowViT, norm, weights_of
from torch import Tensor, nn

SIZE, PATCH, WIDTH, HEADS, DEPTH, OUTPUTS = 24, 8, 8, 2, 3, 5


def _lively(model: nn.Module) -> nn.Module:
    """Weights so large that attention is uneven and every bias takes part."""
    torch.manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model.double().eval()


def _patches(conv: nn.Conv2d, extra: Tensor | None, position: Tensor, change: Any = None) -> Callable[[Tensor], Tensor]:
    """Image -> tokens: the class token first, where there is one, and position embeddings."""

    def embed(image: Tensor) -> Tensor:
        tokens = conv(image[None])[0].flatten(1).T
        tokens = tokens if extra is None else torch.cat([extra.reshape(1, -1), tokens])
        tokens = tokens + position.reshape(tokens.shape)
        return tokens if change is None else change(tokens)

    return embed


def torchvision_vit() -> tuple[nn.Module, SlowViT]:
    from torchvision.models import VisionTransformer

    model = _lively(VisionTransformer(SIZE, PATCH, DEPTH, HEADS, WIDTH, 2 * WIDTH, num_classes=OUTPUTS))
    return model, slow_torchvision(model)


def slow_torchvision(model: Any) -> SlowViT:
    """Any of torchvision's vision transformers."""
    blocks = [
        Block(
            weights_of(b.ln_1), (b.self_attention.in_proj_weight.detach(), b.self_attention.in_proj_bias.detach()),
            weights_of(b.self_attention.out_proj), weights_of(b.ln_2), weights_of(b.mlp[0]), weights_of(b.mlp[3]),
        )
        for b in model.encoder.layers
    ]  # fmt: skip
    embed = _patches(model.conv_proj, model.class_token, model.encoder.pos_embedding)
    heads, last = model.encoder.layers[0].self_attention.num_heads, model.encoder.ln
    return SlowViT(embed, blocks, weights_of(last), weights_of(model.heads[-1]), heads, last.eps)


def timm_vit(fused: bool = True, pooled: str = "class_token") -> tuple[nn.Module, SlowViT]:
    import timm

    size = {"img_size": SIZE, "patch_size": PATCH, "embed_dim": WIDTH, "num_heads": HEADS, "depth": DEPTH}
    pool = {} if pooled == "class_token" else {"class_token": False, "global_pool": "avg"}
    model: Any = timm.create_model("vit_tiny_patch16_224", num_classes=OUTPUTS, mlp_ratio=2, **size, **pool)
    _lively(model)
    for block in model.blocks:
        block.attn.fused_attn = fused
    blocks = [
        Block(
            weights_of(b.norm1), weights_of(b.attn.qkv), weights_of(b.attn.proj), weights_of(b.norm2),
            weights_of(b.mlp.fc1), weights_of(b.mlp.fc2),
        )
        for b in model.blocks
    ]  # fmt: skip
    last = model.norm if pooled == "class_token" else model.fc_norm
    embed = _patches(model.patch_embed.proj, model.cls_token, model.pos_embed)
    return model, SlowViT(embed, blocks, weights_of(last), weights_of(model.head), HEADS, 1e-6, pooled=pooled)


def hf_vit(attention: str = "sdpa") -> tuple[nn.Module, SlowViT]:
    import transformers

    config = transformers.ViTConfig(
        hidden_size=WIDTH, num_hidden_layers=DEPTH, num_attention_heads=HEADS, intermediate_size=2 * WIDTH,
        image_size=SIZE, patch_size=PATCH, num_labels=OUTPUTS,
    )  # fmt: skip
    config._attn_implementation = attention
    model: Any = _lively(transformers.ViTForImageClassification(config))
    linears = [dict(layer.named_modules()) for layer in _layers(model)]
    blocks = [
        Block(
            weights_of(m["layernorm_before"]), _stacked(m), weights_of(_ending(m, "output.dense", "o_proj")),
            weights_of(m["layernorm_after"]), weights_of(_ending(m, "intermediate.dense", "fc1")),
            weights_of(_mlp_out(m)),
        )
        for m in linears
    ]  # fmt: skip
    own = model.vit.embeddings
    embed = _patches(own.patch_embeddings.projection, own.cls_token, own.position_embeddings)
    norm_, eps = weights_of(model.vit.layernorm), config.layer_norm_eps
    return model, SlowViT(embed, blocks, norm_, weights_of(model.classifier), HEADS, eps)


def open_clip_vit() -> tuple[nn.Module, SlowViT]:
    from open_clip.model import VisionTransformer

    model: Any = VisionTransformer(SIZE, PATCH, WIDTH, DEPTH, HEADS, mlp_ratio=2, output_dim=OUTPUTS)
    _lively(model)
    blocks = [
        Block(
            weights_of(b.ln_1), (b.attn.in_proj_weight.detach(), b.attn.in_proj_bias.detach()),
            weights_of(b.attn.out_proj), weights_of(b.ln_2), weights_of(b.mlp.c_fc), weights_of(b.mlp.c_proj),
        )
        for b in model.transformer.resblocks
    ]  # fmt: skip
    first = weights_of(model.ln_pre)
    embed = _patches(
        model.conv1, model.class_embedding, model.positional_embedding, lambda x: norm(x, first, model.ln_pre.eps)
    )
    head = model.proj.detach().T, torch.zeros(OUTPUTS, dtype=torch.float64)
    return model, SlowViT(embed, blocks, weights_of(model.ln_post), head, HEADS, model.ln_post.eps)


def _layers(model: Any) -> Any:
    return model.vit.encoder.layer if hasattr(model.vit, "encoder") else model.vit.layers


def _ending(modules: dict[str, nn.Module], *ends: str) -> Any:
    """The module of a block whose path ends so; transformers has renamed them once."""
    return next(m for path, m in modules.items() if path.endswith(ends) and path.startswith("attention") == (
        "o_proj" in ends
    ))  # fmt: skip


def _mlp_out(modules: dict[str, nn.Module]) -> Any:
    return next(m for path, m in modules.items() if path in ("output.dense", "mlp.fc2"))


def _stacked(modules: dict[str, nn.Module]) -> tuple[Tensor, Tensor]:
    parts = [
        weights_of(next(m for path, m in modules.items() if path.endswith(ends)))
        for ends in (("query", "q_proj"), ("key", "k_proj"), ("value", "v_proj"))
    ]
    return torch.cat([w for w, _ in parts]), torch.cat([b for _, b in parts])


VITS: dict[str, Callable[[], tuple[nn.Module, SlowViT]]] = {
    "torchvision": torchvision_vit,
    "timm, fused": timm_vit,
    "timm, open": lambda: timm_vit(fused=False),
    "timm, pooled": lambda: timm_vit(pooled="mean"),
    "transformers, sdpa": hf_vit,
    "transformers, eager": lambda: hf_vit("eager"),
    "open_clip": open_clip_vit,
}
