"""Recipro-CAM on tokens: one place and its neighbours under a Gaussian, the class token kept or left out."""

import pytest
import torch
import torchvision
from torch import Tensor, nn

from camforge import build
from camforge.capture import extract_maps

NORM = "encoder.layers.encoder_layer_0.ln_1"
SIDE = 4


@pytest.fixture
def vit() -> nn.Module:
    torch.manual_seed(0)
    model = torchvision.models.VisionTransformer(
        image_size=8 * SIDE, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=16, num_classes=5
    )
    nn.init.normal_(model.heads[-1].weight)  # torchvision's is all zero
    return model.double().eval()


def slow(model: nn.Module, image: Tensor, target: int, gaussian: bool, class_token: bool) -> Tensor:
    """One forward per place; the norm's tokens are multiplied one by one."""
    scores = torch.zeros(SIDE, SIDE).double()
    for y, x in ((y, x) for y in range(SIDE) for x in range(SIDE)):
        weights = [float(class_token)]
        for v, u in ((v, u) for v in range(SIDE) for u in range(SIDE)):
            down, across = abs(v - y), abs(u - x)
            near = {0: 1 / 4, 1: 1 / 8, 2: 1 / 16}[down + across] if max(down, across) < 2 else 0.0
            weights.append(near if gaussian else float(down + across == 0))
        factor = torch.tensor(weights, dtype=torch.float64)[None, :, None]
        handle = model.get_submodule(NORM).register_forward_hook(lambda _m, _i, out, f=factor: out * f)
        scores[y, x] = model(image[None])[0].softmax(0)[target].detach()
        handle.remove()
    return (scores - scores.min()) / (scores.max() - scores.min())


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize("gaussian", [None, False])
def test_each_place_alone(vit: nn.Module, gaussian: bool | None, class_token: bool) -> None:
    images = torch.randn(2, 3, 8 * SIDE, 8 * SIDE).double()
    spec = {"name": "reciprocam", "layers": [NORM], "gaussian": gaussian, "class_token": class_token}
    (found,) = extract_maps(vit, images, [build("extractor", spec)], [[3], [1]]).maps[0]
    for image, target, values in zip(images, (3, 1), found, strict=True):
        expected = slow(vit, image, target, gaussian is None, class_token)
        torch.testing.assert_close(values, expected, rtol=1e-8, atol=1e-10)


def test_channels_last_and_pooled_heads_give_one_map(gapnet: nn.Module, images: Tensor) -> None:
    """Behind a pooled linear head nothing runs again; a stranger's head that is no such thing is run."""
    closed = extract_maps(gapnet, images, [build("extractor", {"name": "reciprocam", "layers": ["relu3"]})], 2)
    head, gapnet.head = gapnet.head, nn.Sequential(gapnet.head, nn.Identity())
    gapnet.head[1].forward = lambda logits: logits * 1.0
    run = extract_maps(gapnet, images, [build("extractor", {"name": "reciprocam", "layers": ["relu3"]})], 2)
    torch.testing.assert_close(closed.maps[0][0], run.maps[0][0])
    gapnet.head = head
