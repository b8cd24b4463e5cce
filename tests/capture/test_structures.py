"""What people's models take and return: by keyword, as dicts, in namedtuples and dataclasses; and what does not fit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import camforge
from camforge import CamForgeError


class Body(nn.Module):
    """A classifier of 5 classes with a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 6, 3, padding=1), nn.Linear(6, 5)

    def logits(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).relu().mean((2, 3)))

    def forward(self, x: Tensor) -> Any:
        return self.logits(x)


class KeywordOnly(Body):
    def forward(self, *, scale: float = 1.0, pixel_values: Tensor) -> Tensor:
        return self.logits(pixel_values) * scale


class Masked(Body):
    """Two inputs by name, the images last; the mask (B, 1, h, w) is no image."""

    def forward(self, *, mask: Tensor, pixel_values: Tensor) -> Tensor:
        return self.logits(pixel_values) * mask.mean((1, 2, 3))[:, None]


class Named(NamedTuple):
    features: Tensor
    logits: Tensor


@dataclass
class Output:
    features: Tensor
    logits: Tensor


class Returning(Body):
    """Returns its logits inside of something."""

    def __init__(self, wrapped: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.wrapped = wrapped

    def forward(self, x: Tensor) -> Any:
        return self.wrapped(x, self.logits(x))


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 12, 10)


def expected(model: Body, images: Tensor, targets: list[int]) -> Tensor:
    """Grad-CAM of the convolution, written out: behind it lie a ReLU, the mean over places and a linear layer."""
    activations = model.conv(images)
    passed = (activations > 0) / (images.shape[2] * images.shape[3])
    weights = model.head.weight[targets] * passed.mean((2, 3))
    return torch.einsum("bc,bchw->bhw", weights, activations).relu().detach()


def explained(model: Body, inputs: Any) -> Tensor:
    return camforge.explain(model.eval(), inputs, [1, 3], {"name": "gradcam", "layers": ["conv"]}).maps


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (KeywordOnly, lambda x: x),
        (KeywordOnly, lambda x: {"pixel_values": x}),
        (KeywordOnly, lambda x: {"pixel_values": x.double().numpy()}),
        (KeywordOnly, lambda x: {"scale": 1.0, "pixel_values": x.double()}),
        (Masked, lambda x: {"mask": torch.ones(2, 1, 4, 4), "pixel_values": x}),
        (Body, lambda x: {"x": x}),
        (Body, lambda x: {"pixel_values": x}),
    ],
    ids=["keyword", "dict", "arrays", "scale", "mask", "x", "renamed"],
)
def test_inputs_by_name(images: Tensor, model: type[Body], inputs: Callable[[Tensor], Any]) -> None:
    network = model()
    torch.testing.assert_close(explained(network, inputs(images)), expected(network, images, [1, 3]))


@pytest.mark.parametrize(
    "wrapped",
    [Named, Output, lambda x, logits: {"features": x, "logits": logits}],
    ids=["namedtuple", "dataclass", "dict"],
)
def test_logits_are_found_by_their_name(images: Tensor, wrapped: Callable[[Tensor, Tensor], Any]) -> None:
    model = Returning(wrapped)
    torch.testing.assert_close(explained(model, images), expected(model, images, [1, 3]))


@pytest.mark.parametrize("target", [0, 1, 2, 3, 4])
def test_logits_of_one_place_are_logits(images: Tensor, target: int) -> None:
    """As a convolution behind a pool returns them, (B, K, 1, 1): every class has its score, not the highest alone."""
    model, gradcam = Returning(lambda _x, logits: logits[:, :, None, None]), {"name": "gradcam", "layers": ["conv"]}
    found = camforge.explain(model.eval(), images, target, gradcam)
    torch.testing.assert_close(found.maps, expected(model, images, [target] * 2))
    assert found.logits.shape == (2, 5)


def test_a_function_may_change_its_row_in_place(images: Tensor) -> None:
    model, gradcam = Body().eval(), {"name": "gradcam", "layers": ["conv"]}
    changed = camforge.explain(model, images, lambda row: row.mul_(2)[1], gradcam).maps
    torch.testing.assert_close(changed, 2 * expected(model, images, [1, 1]))


@pytest.mark.parametrize(
    ("wrapped", "message"),
    [
        (lambda x, logits: (x, logits), "returns a tuple of 2 tensors; give select="),
        (lambda _, logits: [{"scores": logits}], "returns a list; give select="),
        (lambda _, logits: {"scores": logits}, "returns a dict of 'scores'; give select="),
        (lambda _x, _logits: None, "returns nothing; give select="),
        (lambda _, logits: logits[:, 0], r"returns shape \(2,\), not logits \(B, K\)"),
    ],
)
def test_other_outputs_need_a_selector(images: Tensor, wrapped: Callable[[Tensor, Tensor], Any], message: str) -> None:
    with pytest.raises(CamForgeError, match=message):
        explained(Returning(wrapped), images)


def test_a_classifier_of_transformers_needs_no_selector() -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, image_size=16, patch_size=4,
        num_labels=3,
    )  # fmt: skip
    model, images = transformers.ViTForImageClassification(config).eval(), torch.randn(2, 3, 16, 16)
    found = camforge.explain(model, images)
    torch.testing.assert_close(found.logits, model(images).logits.detach())
    by_name = camforge.explain(model, {"labels": torch.tensor([0, 1]), "pixel_values": images})
    assert torch.equal(by_name.maps, found.maps)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (lambda x: x[:, :1], r"shape \(2, 1, 12, 10\), 1 channels: the model's convolution takes 3"),
        (lambda x: x.permute(0, 2, 3, 1), r"shape \(2, 12, 10, 3\), 12 channels: the model's convolution takes 3"),
        (lambda x: x.long(), "the images are torch.int64"),
        (lambda x: (x, x), r"do not fit the model's forward\(x\): too many positional arguments"),
        (lambda x: {"pixel_values": x, "labels": 1}, r"forward\(x\): .*\(given: pixel_values, labels\)"),
        (lambda x: {"a": x, "b": x}, "which of a dict's inputs are the images"),
        (lambda x: {"pixel_values": x.long()}, r"It has pixel_values \(torch.int64, \(2, 3, 12, 10\)\): name floating"),
        (lambda _: {}, "It has no tensor"),
        (lambda _: None, "the images are a NoneType: give a tensor"),
        (lambda _: (), "the images are an empty tuple: give a tensor"),
    ],
)
def test_inputs_that_do_not_fit_are_one_line(images: Tensor, inputs: Callable[[Tensor], Any], message: str) -> None:
    with pytest.raises(CamForgeError, match=message) as error:
        explained(Body(), inputs(images))
    assert "\n" not in str(error.value)


def test_a_model_that_adds_the_channel_axis_is_told_how_to_be_given() -> None:
    """Spectrograms (B, t, f): two axes of places and no channels, which are no signals of t channels."""

    class Spectrograms(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches, self.head = nn.Conv2d(1, 6, 4, 4), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.patches(x[:, None]).tanh().mean((2, 3)))

    class Wrapped(Spectrograms):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x[:, 0])

    x = torch.randn(2, 16, 12)
    with pytest.raises(CamForgeError, match=r"images of shape \(2, 16, 12\) have no channels"):
        camforge.explain(Spectrograms(), x, 1)
    with pytest.raises(CamForgeError, match=r"shape \(1, 1, 16, 12\), which reach the model's conv2d as \[1, 1, 1, 16"):
        camforge.explain(Spectrograms(), x[:1], 1)
    assert camforge.explain(Wrapped(), x[:, None], 1).maps.shape == (2, 16, 12)


def test_an_error_inside_of_the_model_is_its_own(images: Tensor) -> None:
    def broken(_images: Tensor, _logits: Tensor) -> Tensor:
        raise TypeError("a bug of the model")

    with pytest.raises(TypeError, match="a bug of the model"):
        explained(Returning(broken), images)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_what_cannot_be_looked_into_is_one_line(images: Tensor) -> None:
    for model, message in (
        (torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())), "a TorchScript program runs no hooks"),
        (np.tanh, "the model is a ufunc, not an nn.Module"),
        (Body, "the model is a type, not an nn.Module"),
    ):
        with pytest.raises(CamForgeError, match=message):
            camforge.explain(model, images)


@pytest.mark.filterwarnings("ignore")
def test_a_quantised_head_is_told_where_its_gradient_is_asked_for(images: Tensor) -> None:
    """Autograd goes on behind it as if the score did not depend on the image: every map would be zero."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    model = nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 3))
    quantised = torch.ao.quantization.quantize_dynamic(model.eval(), {nn.Linear}, dtype=torch.qint8)
    options = {"targets": 1, "batch_size": len(images)}
    with pytest.raises(CamForgeError, match="no gradient comes back through the quantised layer '3'"):
        camforge.explain(quantised, images, extractor={"name": "gradcam", "layers": ["0"]}, **options)
    ours, plain = (
        camforge.explain(m, images, extractor={"name": "scorecam", "layers": ["0"]}, **options).maps
        for m in (quantised, model)
    )
    assert float((ours - plain).abs().max() / plain.abs().max()) < 0.05  # eight bits


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extractor": []}, r"extractor=\[\]; give a name"),
        ({"extractor": None}, "extractor=None; give a name"),
        ({"extractor": ["gradcam", 3]}, r"extractor=\['gradcam', 3\]; give a name"),
        ({"top": 0}, "top=0; give a number from 1 on"),
        ({"top": "three"}, "top='three'; give a number from 1 on"),
        ({"batch_size": 0}, "batch_size=0; give a number from 1 on"),
    ],
)
def test_wrong_options_are_one_line(images: Tensor, options: dict[str, Any], message: str) -> None:
    with pytest.raises(CamForgeError, match=message):
        camforge.explain(Body().eval(), images, **options)


def test_an_empty_name_is_no_class(images: Tensor) -> None:
    with pytest.raises(CamForgeError, match="target ' ': a class name has at least one letter or digit"):
        camforge.explain(Body().eval(), images, " ", classes=["a", "b", "c", "d", "e"])
