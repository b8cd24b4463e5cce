"""Methods that read attention, each against a slow transcription, on a vision transformer of every library."""

import copy
from typing import Any

import pytest
import slow_vit
import timm
import torch
import torchvision
from extractor_references import ATTENTION
from slow_vit import Run
from tiny_vits import SIZE, VITS
from torch import Tensor, nn

from camforge import CamForgeError, build
from camforge.capture import extract_maps
from camforge.capture.attention.functions import attention

TARGETS = [[0, 3], [2, 4]]
METHODS: dict[str, tuple[dict[str, Any], Any]] = {
    "rollout": ({"name": "attention_rollout"}, lambda run, _: slow_vit.rollout(run)),
    "rollout, rest": (
        {"name": "attention_rollout", "heads": "max", "discard": 0.3},
        lambda run, _: slow_vit.rollout(run, "max", 0.3),
    ),
    "generic_attention": ({"name": "generic_attention"}, slow_vit.generic_attention),
    "transformer_attribution": ({"name": "transformer_attribution"}, slow_vit.transformer_attribution),
    "legrad": ({"name": "legrad"}, slow_vit.legrad),
    "legrad, read": (
        {"name": "legrad", "pooled": "class_token"}, lambda run, t: slow_vit.legrad(run, t, run.vit.pooled),
    ),
    "attnlrp": ({"name": "attnlrp"}, lambda run, t: slow_vit.attnlrp(run, t, 0.05)),
    "attnlrp, epsilon": ({"name": "attnlrp", "gamma": 0}, lambda run, t: slow_vit.attnlrp(run, t, 0.0)),
}  # fmt: skip


@pytest.fixture
def images() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 3, SIZE, SIZE, dtype=torch.float64)


def on_grid(values: Tensor) -> Tensor:
    """(N,) -> (h, w): what is left without the class token."""
    return values.detach()[len(values) - 9 :].reshape(3, 3)


@pytest.mark.parametrize("library", VITS)
def test_a_method_is_its_equation(images: Tensor, library: str) -> None:
    model, vit = VITS[library]()
    runs = [vit.run(image) for image in images]
    tolerance = 1e-5 if "eager" in library else 1e-9  # its softmax is computed in single precision
    _same_logits(model, images, runs, tolerance)
    specs = [spec for spec, _ in METHODS.values()]
    found = extract_maps(model, images, [build("extractor", spec) for spec in specs], TARGETS).maps
    for (maps,), (name, (_, equation)) in zip(found, METHODS.items(), strict=True):
        pairs = [(runs[image], target) for image, row in enumerate(TARGETS) for target in row]
        expected = torch.stack([on_grid(equation(run, target)) for run, target in pairs])
        scale = float(expected.abs().max())
        assert scale > 0
        assert float((maps - expected).abs().max()) <= tolerance * scale, name


def _same_logits(model: nn.Module, images: Tensor, runs: list[Run], tolerance: float) -> None:
    logits = model(images)
    logits = getattr(logits, "logits", logits)
    torch.testing.assert_close(torch.stack([run.logits for run in runs]), logits, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": 0.3},
        {"is_causal": True},
        {"attn_mask": torch.tensor([[True] * 4, [False] * 4, [True, False] * 2])},
        {"attn_mask": torch.arange(12.0, dtype=torch.float64).view(3, 4)},
        {"enable_gqa": True},
    ],
    ids=str,
)
def test_fused_attention_written_out(options: dict[str, Any]) -> None:
    heads = 1 if "enable_gqa" in options else 2
    q, k, v = torch.randn(2, 2, 3, 5), torch.randn(2, heads, 4, 5), torch.randn(2, heads, 4, 6)
    q, k, v = q.double(), k.double(), v.double()
    expected = nn.functional.scaled_dot_product_attention(q, k, v, **options)
    torch.testing.assert_close(attention(q, k, v, **options), expected, rtol=1e-12, atol=1e-12)


class Odd(nn.Module):
    """Patches, attention of ``nn.MultiheadAttention`` in one of its ways, the tokens' mean."""

    def __init__(self, batch_first: bool = True, weights: bool = False) -> None:
        super().__init__()
        self.embed, self.head, self.batch_first = nn.Conv2d(3, 8, 8, stride=8), nn.Linear(8, 5), batch_first
        self.blocks = nn.ModuleList(OddBlock(batch_first, weights) for _ in range(2))

    def forward(self, images: Tensor) -> Tensor:
        x = self.embed(images).flatten(2)
        x = x.transpose(1, 2) if self.batch_first else x.permute(2, 0, 1)
        for block in self.blocks:
            x = block(tokens=x)
        return self.head(x.mean(1 if self.batch_first else 0))


class OddBlock(nn.Module):
    def __init__(self, batch_first: bool, weights: bool) -> None:
        super().__init__()
        self.attention, self.weights = nn.MultiheadAttention(8, 2, batch_first=batch_first), weights

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens + self.attention(tokens, tokens, tokens, need_weights=self.weights)[0]


def test_the_ways_of_multihead_attention_agree(images: Tensor) -> None:
    """Fused or with weights asked for, the images' axis first or second, tokens given by name."""
    extractors = [build("extractor", name) for name in ATTENTION if name != "legrad"]
    first = Odd().double().eval()
    for batch_first, weights in ((True, False), (True, True), (False, False), (False, True)):
        model = Odd(batch_first, weights).double().eval()
        model.load_state_dict(first.state_dict())
        found = extract_maps(model, images, extractors, TARGETS).maps
        if model.batch_first and not weights:
            expected = found
        for (one,), (other,), extractor in zip(found, expected, extractors, strict=True):
            torch.testing.assert_close(one, other, msg=f"{extractor.name}, {batch_first}, {weights}")


def test_what_an_encoder_of_torch_computes_fused_is_seen(images: Tensor) -> None:
    """Its own fast path would compute a whole block as one function."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    body = nn.TransformerEncoder(layer, 2)
    patches = nn.Sequential(nn.Conv2d(3, 8, 8, stride=8), nn.Flatten(2))
    model = nn.ModuleDict({"patches": patches, "body": body, "head": nn.Linear(8, 5)})
    model.forward = lambda x: model["head"](model["body"](model["patches"](x).mT).mean(1))
    (maps,) = extract_maps(model.double(), images, [build("extractor", "generic_attention")], 1).maps[0]
    assert maps.shape == (2, 3, 3)


def test_networks_that_it_cannot_read_are_one_line() -> None:
    resnet = torchvision.models.resnet18(num_classes=5)
    swin = torchvision.models.SwinTransformer([4, 4], 8, [2, 2], [2, 2], [4, 4], num_classes=5)
    for name in ATTENTION:
        with pytest.raises(CamForgeError, match=r"^ResNet: no attention was seen in this network"):
            extract_maps(resnet, torch.randn(1, 3, 32, 32), [build("extractor", name)], 1)
        with pytest.raises(CamForgeError, match=r"^SwinTransformer: its attention sees windows of the image"):
            extract_maps(swin, torch.randn(1, 3, 64, 64), [build("extractor", name)], 1)
    for name in ("pvt_v2_b0", "twins_svt_small"):  # pooled keys, windows on an axis of their own
        with pytest.raises(CamForgeError, match="its attention sees windows of the image or pooled keys"):
            extract_maps(
                timm.create_model(name, num_classes=5), torch.randn(1, 3, 64, 64), [build("extractor", LAST)], 1
            )
    model, _ = VITS["torchvision"]()
    with pytest.raises(CamForgeError, match=r"legrad: no block 3; the model has blocks 0 to 2"):
        extract_maps(model, torch.randn(1, 3, SIZE, SIZE).double(), [build("extractor", LAST | {"blocks": [3]})], 1)


LAST = {"name": "legrad", "blocks": [-1]}


def test_some_blocks(images: Tensor) -> None:
    model, vit = VITS["torchvision"]()
    run = vit.run(images[0])
    (found,) = extract_maps(model, images[:1], [build("extractor", LAST)], 1).maps[0]
    run.seen = run.seen[-1:]
    torch.testing.assert_close(found[0], on_grid(slow_vit.legrad(run, 1)))


def test_only_the_images_own_attention_is_read(images: Tensor) -> None:
    """CLIP's texts have attention of their own; registers and a class token are no places of the image."""
    import transformers

    text = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    text |= {"vocab_size": 30, "bos_token_id": 28, "eos_token_id": 29}
    vision = text | {"image_size": SIZE, "patch_size": 8}
    clip = transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))
    inputs = {"pixel_values": images.float(), "input_ids": torch.tensor([[1, 2, 29], [3, 4, 29], [5, 6, 29]])}
    registers = timm.create_model(
        "vit_small_patch14_reg4_dinov2", img_size=SIZE, patch_size=8, embed_dim=8, num_heads=2, num_classes=5, depth=2
    )
    for model, given in ((clip, inputs), (registers, images.float())):
        for name in ATTENTION:
            (maps,) = extract_maps(model, given, [build("extractor", name)], 1).maps[0]
            assert maps.shape == (2, 3, 3)
            assert (maps.flatten(1) != 0).sum(1).min() > 5, name


def test_maps_to_train_through(images: Tensor) -> None:
    model, vit = VITS["timm, fused"]()
    image = images[:1].clone().requires_grad_()
    extractor = build("extractor", "generic_attention")
    (maps,) = extract_maps(model, image, [extractor], 1, create_graph=True).maps[0]
    step = 1e-6 * torch.randn(image.shape, generator=torch.Generator().manual_seed(3), dtype=image.dtype)
    slope = float((torch.autograd.grad(maps.square().sum(), image)[0] * step).sum())
    either = [on_grid(slow_vit.generic_attention(vit.run(images[0] + s * step[0]), 1)).square().sum() for s in (1, -1)]
    assert slope == pytest.approx(float(either[0] - either[1]) / 2, rel=1e-4)
    with pytest.raises(CamForgeError, match="create_graph: maps that are made under rules of relevance"):
        extract_maps(model, image, [build("extractor", "attnlrp")], 1, create_graph=True)


def test_half_precision(images: Tensor) -> None:
    model, _ = VITS["torchvision"]()
    for name in ATTENTION:
        exact = extract_maps(model, images, [build("extractor", name)], 1).maps[0][0]
        half = copy.deepcopy(model).bfloat16()
        (rounded,) = extract_maps(half, images.bfloat16(), [build("extractor", name)], 1).maps[0]
        assert torch.isfinite(rounded).all()
        assert rounded.dtype == torch.float32 or name == "legrad"
        if name in ("attention_rollout", "generic_attention"):
            agreement = torch.nn.functional.cosine_similarity(rounded.double().flatten(1), exact.flatten(1))
            assert (agreement > 0.95).all(), name


def test_torch_is_as_it_was_after_an_error(images: Tensor) -> None:
    model, _ = VITS["torchvision"]()
    plain = model(images)
    model.heads.register_forward_hook(lambda *_: 1 / 0)
    for name in ATTENTION:
        with pytest.raises(ZeroDivisionError):
            extract_maps(model, images, [build("extractor", name)], 1)
        assert torch.overrides._get_current_function_mode() is None
    model.heads._forward_hooks.clear()
    assert torch.equal(model(images), plain)
