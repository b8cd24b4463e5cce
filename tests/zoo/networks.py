"""Networks as people bring them: small configurations of the libraries' own classes, random weights, woken up.

Each entry: name -> (function that makes it, image (height, width)).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

CLASSES = 5
Entry = tuple[Callable[[], nn.Module], tuple[int, int]]


def _torchvision(name: str, size: int = 224, **options: Any) -> Entry:
    def make() -> nn.Module:
        from torchvision.models import get_model

        return get_model(name, num_classes=CLASSES, **options)

    return make, (size, size)


def _parts(module: str, name: str, size: int = 224, **options: Any) -> Entry:
    def make() -> nn.Module:
        from importlib import import_module

        cls = getattr(import_module(f"torchvision.models.{module}"), name)
        return cls(num_classes=CLASSES, **options)

    return make, (size, size)


def _timm(name: str, size: int | tuple[int, int] = 224, **options: Any) -> Entry:
    height, width = size if isinstance(size, tuple) else (size, size)

    def make() -> nn.Module:
        import timm

        try:
            return timm.create_model(name, num_classes=CLASSES, img_size=(height, width), **options)
        except TypeError:
            return timm.create_model(name, num_classes=CLASSES, **options)

    return make, (height, width)


def _transformers(name: str, size: int, **options: Any) -> Entry:
    def make() -> nn.Module:
        import transformers

        model = getattr(transformers, name)
        return model(model.config_class(num_labels=CLASSES, **options))

    return make, (size, size)


class Similarity(nn.Module):
    """An image's embedding against those of five texts."""

    def __init__(self, embed: nn.Module, width: int) -> None:
        super().__init__()
        self.embed, self.texts = embed, nn.Parameter(torch.randn(CLASSES, width))

    def forward(self, images: Tensor) -> Tensor:
        return self.embed(images) @ self.texts.T


def _open_clip(**vision: Any) -> Entry:
    class Visual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            from open_clip.model import CLIP

            text = {"context_length": 8, "vocab_size": 50, "width": 16, "heads": 2, "layers": 1}
            self.clip = CLIP(embed_dim=16, vision_cfg={"image_size": 128, **vision}, text_cfg=text)

        def forward(self, images: Tensor) -> Tensor:
            return self.clip.encode_image(images)

    return lambda: Similarity(Visual(), 16), (128, 128)


def _clip() -> Entry:
    class Clip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            from transformers import CLIPConfig, CLIPModel

            small = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
            text = {**small, "vocab_size": 50, "max_position_embeddings": 8, "eos_token_id": 2, "bos_token_id": 1}
            vision = {**small, "image_size": 96, "patch_size": 16}
            self.model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=16))
            self.texts = torch.tensor([[1, word, 2] for word in range(3, 3 + CLASSES)])

        def forward(self, images: Tensor) -> Any:
            return self.model(input_ids=self.texts, pixel_values=images)

    return Clip, (96, 96)


_VIT = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 48, "image_size": 96}
_PATCHES = _VIT | {"patch_size": 16}
_TINY = {"embed_dim": 48, "depth": 3, "num_heads": 3}

TORCHVISION: dict[str, Entry] = {
    "resnet18": _torchvision("resnet18"),
    "vgg11_bn": _parts("vgg", "VGG", 160, features=None, init_weights=False),
    "alexnet": _torchvision("alexnet"),
    "densenet": _parts("densenet", "DenseNet", 160, growth_rate=8, block_config=(2, 2, 2, 2), num_init_features=16),
    "mobilenet_v2": _torchvision("mobilenet_v2", width_mult=0.35),
    "mobilenet_v3_small": _torchvision("mobilenet_v3_small"),
    "squeezenet1_1": _torchvision("squeezenet1_1", 160),
    "shufflenet_v2_x0_5": _torchvision("shufflenet_v2_x0_5"),
    "efficientnet_b0": _torchvision("efficientnet_b0"),
    "regnet_y_400mf": _torchvision("regnet_y_400mf"),
    "mnasnet0_5": _torchvision("mnasnet0_5"),
    "googlenet": _torchvision("googlenet", 160, aux_logits=False, init_weights=False),
    "inception_v3": _torchvision("inception_v3", 160, aux_logits=False, init_weights=False),
    "convnext": _parts("convnext", "ConvNeXt", 160, block_setting=None),
    "swin": _parts(
        "swin_transformer", "SwinTransformer", 128, patch_size=[4, 4], embed_dim=16, depths=[2, 2, 2],
        num_heads=[2, 2, 4], window_size=[4, 4],
    ),
    "maxvit": _parts(
        "maxvit", "MaxVit", 128, input_size=(128, 128), stem_channels=16, partition_size=4, block_channels=[16, 32],
        block_layers=[1, 1], head_dim=8, stochastic_depth_prob=0.0,
    ),
    "vit": _parts(
        "vision_transformer", "VisionTransformer", 96, image_size=96, patch_size=16, num_layers=4, num_heads=2,
        hidden_dim=32, mlp_dim=48,
    ),
}  # fmt: skip

TIMM: dict[str, Entry] = {
    name: _timm(name, size, **options)
    for name, size, options in [
        ("resnet10t", 160, {}),
        ("efficientnet_lite0", 224, {}),
        ("mobilenetv4_conv_small_050", 224, {}),
        ("ghostnet_050", 224, {}),
        ("tf_efficientnetv2_b0", 224, {}),
        ("convnext_atto", 160, {}),
        ("convnextv2_atto", 160, {}),
        ("mambaout_femto", 160, {}),
        ("fastvit_t8", 256, {}),
        ("repvit_m0_9", 224, {}),
        ("starnet_s1", 224, {}),
        ("inception_next_atto", 160, {}),
        ("hrnet_w18_small", 160, {}),
        ("poolformer_s12", 160, {}),
        ("edgenext_xx_small", 160, {}),
        ("mobilevit_xxs", 160, {}),
        ("mobilevitv2_050", 160, {}),
        ("swin_tiny_patch4_window7_224", 224, {"embed_dim": 24, "depths": (2, 2, 2, 2), "num_heads": (2, 2, 4, 4)}),
        ("swinv2_tiny_window8_256", 256, {"embed_dim": 24, "depths": (1, 1, 2, 1), "num_heads": (2, 2, 4, 4)}),
        ("swinv2_cr_tiny_ns_224", 224, {"embed_dim": 24, "depths": (1, 1, 2, 1), "num_heads": (2, 2, 4, 4)}),
        ("focalnet_tiny_srf", 160, {}),
        ("davit_tiny", 224, {"embed_dims": (24, 48, 96, 96), "num_heads": (2, 2, 4, 4), "depths": (1, 1, 1, 1)}),
        ("gcvit_xxtiny", 224, {}),
        ("maxvit_rmlp_pico_rw_256", 256, {}),
        ("mvitv2_tiny", 160, {}),
        ("hiera_tiny_224", 224, {"embed_dim": 24, "num_heads": 1}),
        ("nest_tiny", 224, {}),
        ("pvt_v2_b0", 160, {}),
        ("twins_svt_small", 160, {}),
        ("coat_lite_tiny", 160, {}),
        ("efficientformer_l1", 224, {}),
        ("visformer_tiny", 224, {}),
        ("xcit_nano_12_p16_224", 160, {"depth": 4}),
        ("cait_xxs24_224", 160, _TINY),
        ("mixer_s32_224", 224, {}),
        ("gmlp_ti16_224", 160, {}),
        ("resmlp_12_224", 160, {}),
        ("sequencer2d_s", 160, {}),
        ("volo_d1_224", 160, {}),
        ("tnt_s_legacy_patch16_224", 160, {"depth": 3}),
        ("vit_tiny_patch16_224", 160, _TINY),
        ("deit_tiny_distilled_patch16_224", 160, _TINY),
        ("vit_small_patch14_reg4_dinov2", 112, _TINY),
        ("beit_base_patch16_224", 160, _TINY),
        ("eva02_tiny_patch14_224", 112, _TINY),
        ("vit_base_patch16_siglip_224", 160, _TINY),
        ("vit_base_patch16_rope_reg1_gap_256", 160, _TINY),
    ]
}
TIMM["vit_wide_image"] = _timm("vit_tiny_patch16_224", (96, 192), **_TINY)
TIMM["vit_flat_patches"] = _timm("vit_tiny_patch16_224", 64, patch_size=(16, 4), **_TINY)
TIMM["vit_eight_registers"] = _timm("vit_tiny_patch16_224", 128, patch_size=8, reg_tokens=8, **_TINY)

TRANSFORMERS: dict[str, Entry] = {
    "hf_vit": _transformers("ViTForImageClassification", 96, **_PATCHES),
    "hf_deit": _transformers("DeiTForImageClassificationWithTeacher", 96, **_PATCHES),
    "hf_beit": _transformers("BeitForImageClassification", 96, **_PATCHES),
    "hf_dinov2": _transformers("Dinov2ForImageClassification", 96, **_VIT, patch_size=16),
    "hf_dinov2_registers": _transformers("Dinov2WithRegistersForImageClassification", 96, **_VIT, patch_size=16),
    "hf_siglip": _transformers("SiglipForImageClassification", 96, vision_config=_PATCHES),
    "hf_swin": _transformers(
        "SwinForImageClassification", 128, image_size=128, embed_dim=16, depths=[2, 2, 2], num_heads=[2, 2, 4],
        window_size=4,
    ),
    "hf_swinv2": _transformers(
        "Swinv2ForImageClassification", 128, image_size=128, embed_dim=16, depths=[2, 2, 2], num_heads=[2, 2, 4],
        window_size=4,
    ),
    "hf_resnet": _transformers(
        "ResNetForImageClassification", 160, embedding_size=16, hidden_sizes=[16, 24, 32, 40], depths=[1, 1, 1, 1],
        layer_type="basic",
    ),
    "hf_convnext": _transformers(
        "ConvNextForImageClassification", 160, hidden_sizes=[16, 24, 32, 40], depths=[1, 1, 1, 1]
    ),
    "hf_mobilenet_v2": _transformers("MobileNetV2ForImageClassification", 160, depth_multiplier=0.35),
    "hf_segformer": _transformers(
        "SegformerForImageClassification", 160, hidden_sizes=[16, 24, 32, 40], depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2],
    ),
    "hf_pvt_v2": _transformers(
        "PvtV2ForImageClassification", 160, image_size=160, hidden_sizes=[16, 32, 32, 64], depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2], mlp_ratios=[2, 2, 2, 2],
    ),
    "hf_poolformer": _transformers(
        "PoolFormerForImageClassification", 160, hidden_sizes=[16, 24, 32, 40], depths=[1, 1, 1, 1]
    ),
    "hf_clip": _clip(),
    "open_clip_vit": _open_clip(patch_size=16, width=32, head_width=16, layers=3),
    "open_clip_resnet": _open_clip(layers=(1, 1, 1, 1), width=8, head_width=16),
}  # fmt: skip

NETWORKS = TORCHVISION | TIMM | TRANSFORMERS


def network(name: str) -> tuple[nn.Module, Tensor]:
    """The network, woken up, in eval mode, and two images of noise with a drawn seed."""
    with torch.random.fork_rng():
        torch.manual_seed(sum(map(ord, name)))
        make, (height, width) = NETWORKS[name]
        model = _VARIANTS.get(name, make)()
        images = torch.randn(2, 3, height, width)
        return awake(model, images), images


def awake(model: nn.Module, images: Tensor) -> nn.Module:
    """Gains of (almost) 0 are drawn anew and batch norms see some data, or random networks say nothing."""
    for parameter in model.parameters():
        if parameter.numel() > 1 and parameter.abs().max() < 1e-2:
            nn.init.normal_(parameter, 0.3 if parameter.dim() == 1 else 0.0, 0.2)
    model.eval()
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    if norms:
        with torch.no_grad():
            model(images)
    return model.eval()


def _vgg() -> nn.Module:
    from torchvision.models.vgg import VGG, make_layers

    model = VGG(make_layers([8, "M", 16, "M", 24, 24, "M", 32, 32, "M", 32, 32, "M"], True), CLASSES, False)
    model.classifier = nn.Sequential(nn.Linear(32 * 49, 12), nn.ReLU(True), nn.Linear(12, CLASSES))
    return model


def _convnext() -> nn.Module:
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    sizes = [(16, 24), (24, 32), (32, 40), (40, None)]
    return ConvNeXt([CNBlockConfig(a, b, 1) for a, b in sizes], num_classes=CLASSES)


_VARIANTS: dict[str, Callable[[], nn.Module]] = {"vgg11_bn": _vgg, "convnext": _convnext}

# How the last stage lies in its layer's output, written down by hand: (B, C, h, w) where nothing is said, "last" for
# (B, h, w, C), and "tokens P Q N" for a token per P x Q pixels, the first of them at N.
LAYOUTS: dict[str, str] = {
    "vit": "tokens 16 16 1",
    "mambaout_femto": "last",
    "twins_svt_small": "tokens 32 32 0",
    "nest_tiny": "last",
    "swin_tiny_patch4_window7_224": "last",
    "swinv2_tiny_window8_256": "last",
    "vit_tiny_patch16_224": "tokens 16 16 1",
    "vit_wide_image": "tokens 16 16 1",
    "vit_flat_patches": "tokens 16 4 1",
    "vit_eight_registers": "tokens 8 8 9",
    "deit_tiny_distilled_patch16_224": "tokens 16 16 2",
    "vit_small_patch14_reg4_dinov2": "tokens 14 14 5",
    "beit_base_patch16_224": "tokens 16 16 1",
    "eva02_tiny_patch14_224": "tokens 14 14 1",
    "vit_base_patch16_siglip_224": "tokens 16 16 0",
    "vit_base_patch16_rope_reg1_gap_256": "tokens 16 16 1",
    "cait_xxs24_224": "tokens 16 16 0",
    "mixer_s32_224": "tokens 32 32 0",
    "mvitv2_tiny": "tokens 32 32 0",
    "hiera_tiny_224": "tokens 32 32 0",
    "efficientformer_l1": "tokens 32 32 0",
    "xcit_nano_12_p16_224": "tokens 16 16 0",
    "coat_lite_tiny": "tokens 32 32 1",
    "sequencer2d_s": "last",
    "volo_d1_224": "tokens 16 16 1",
    "gmlp_ti16_224": "tokens 16 16 0",
    "resmlp_12_224": "tokens 16 16 0",
    "tnt_s_legacy_patch16_224": "tokens 16 16 1",
    "hf_vit": "tokens 16 16 1",
    "hf_deit": "tokens 16 16 2",
    "hf_beit": "tokens 16 16 1",
    "hf_dinov2": "tokens 16 16 1",
    "hf_dinov2_registers": "tokens 16 16 5",
    "hf_siglip": "tokens 16 16 0",
    "hf_swin": "tokens 16 16 0",
    "hf_swinv2": "tokens 16 16 0",
    "hf_clip": "tokens 16 16 1",
    "hf_pvt_v2": "tokens 32 32 0",
    "open_clip_vit": "tokens 16 16 1",
}
