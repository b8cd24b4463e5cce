"""Guided gradients however a ReLU is written, beside plain ones in one pass, and a model that stays what it was."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from camforge import CamForgeError, build
from camforge.capture import extract_maps


def ignoring(x: Tensor) -> Tensor:
    functional.relu(x, inplace=True)
    return x


def method_ignoring(x: Tensor) -> Tensor:
    x.relu_()
    return x


WRITTEN: dict[str, Callable[[Tensor], Tensor]] = {
    "module": nn.ReLU(), "module in place": nn.ReLU(inplace=True), "functional": functional.relu,
    "functional in place": lambda x: functional.relu(x, inplace=True), "torch": torch.relu,
    "torch in place": torch.relu_, "of 6": functional.relu6, "hard": lambda x: functional.hardtanh(x, 0.0, 6.0),
    "method": lambda x: x.relu(), "statement": ignoring, "method's statement": method_ignoring,
    "keyword": lambda x: functional.relu(input=x), "module of 6": nn.ReLU6(), "of 6 in place": nn.ReLU6(inplace=True),
}  # fmt: skip


class Written(nn.Module):
    """Two convolutions with a ReLU of some spelling behind each; its values stay below 6."""

    def __init__(self, relu: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.second = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3)
        self.bn, self.head, self.relu = nn.BatchNorm2d(6), nn.Linear(6, 4), relu
        self.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.relu(self.second(self.relu(self.bn(self.first(x))))).mean((2, 3)))


def by_hand(model: Written, images: Tensor, target: int) -> Tensor:
    """The chain rule written out, the two ReLUs' gradients cut below zero."""
    x = images.clone().requires_grad_()
    before = model.bn(model.first(x))
    middle = before.detach().clamp(min=0).requires_grad_()
    after = model.second(middle)
    g = (model.head.weight[target][None, :, None, None] / after[0, 0].numel()).expand_as(after)
    (g,) = torch.autograd.grad(after, middle, g.clamp(min=0) * (after > 0))
    (g,) = torch.autograd.grad(before, x, g.clamp(min=0) * (before > 0))
    return g.abs().amax(1)


@pytest.mark.parametrize("how", WRITTEN)
def test_every_way_to_write_a_relu(how: str) -> None:
    model, images = Written(WRITTEN[how]), torch.randn(2, 3, 9, 8).double()
    (found,) = extract_maps(model, images, [build("extractor", "guidedbackprop")], 2).maps[0]
    torch.testing.assert_close(found, by_hand(model, images, 2), rtol=1e-10, atol=1e-12)


def test_plain_and_guided_share_a_pass(oddnet: nn.Module, images: Tensor) -> None:
    names = ("gradcam", "guidedgradcam", "guidedbackprop", "layercam")
    plugins = [build("extractor", name) for name in names]
    targets = [[0, 1], [2], [3, 4]]
    together = extract_maps(oddnet, images, plugins, targets).maps
    for plugin, maps in zip(plugins, together, strict=True):
        alone = extract_maps(oddnet, images, [plugin], targets).maps[0]
        for one, other in zip(alone, maps, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def test_gradients_are_plain_again_afterwards(oddnet: nn.Module, images: Tensor) -> None:
    def gradient() -> Tensor:
        x = images.clone().requires_grad_()
        return torch.autograd.grad(oddnet(x)[:, 0].sum(), x)[0]

    before = gradient()
    guided = extract_maps(oddnet, images, [build("extractor", {"name": "guidedbackprop", "channels": "sum"})], 0).maps[
        0
    ]
    assert torch.equal(gradient(), before)
    assert not torch.allclose(guided[0], before.sum(1))
    with pytest.raises(CamForgeError, match="target 9"):
        extract_maps(oddnet, images, [build("extractor", "guidedbackprop")], 9)
    assert torch.equal(gradient(), before)


def test_a_model_without_relu_is_refused_where_the_gradient_would_be_the_plain_one(images: Tensor) -> None:
    model = Written(lambda x: functional.hardtanh(functional.gelu(x), -9.0, 9.0))
    for name in ("guidedbackprop", "guidedgradcam"):
        with pytest.raises(CamForgeError, match="changes the gradients of ReLUs: the model has none"):
            extract_maps(model, images, [build("extractor", name)], 0)
    guided, plain = (
        extract_maps(model, images, [build("extractor", {"name": "bagcams", "layers": ["first"], "relu": relu})], 0)
        for relu in ("guided", "plain")
    )
    torch.testing.assert_close(guided.maps[0][0], plain.maps[0][0])


def test_bagcams_of_a_negative_score_is_turned_round(images: Tensor) -> None:
    """The logarithm's slope is the score's own over the score, whatever its sign."""
    model = Written(torch.relu)
    maps = []
    for shift in (5.0, -5.0):
        with torch.no_grad():
            model.head.bias.fill_(shift)
        plugin = build("extractor", {"name": "bagcams", "layers": ["first"]})
        run = extract_maps(model, images, [plugin], 1)
        assert ((run.logits[:, 1] > 0) == (shift > 0)).all()
        maps.append(run.maps[0][0])
    assert torch.isfinite(torch.stack(maps)).all()
    assert not torch.allclose(*maps)
