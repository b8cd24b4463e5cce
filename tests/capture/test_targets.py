"""Targets in every form, and the order of the pairs."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from camforge import CamForgeError
from camforge.capture import Capture, Needs, extract_maps, target_lists

LOGITS = torch.tensor([[1.0, 5.0, 2.0], [7.0, 0.0, 1.0]])


class Gradient:
    """The gradient of the target at the first layer: linear in the target, so it tells them apart."""

    scales, flip, views = (1.0,), False, "sum"

    def needs(self, model_layers) -> Needs:
        return Needs(gradients=model_layers.resolve(("0",)))

    def extract(self, capture: Capture) -> list[Tensor]:
        return [capture.gradients["0"].sum(1)]


@pytest.fixture
def model() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3))


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 6, 8)


def expected(model: nn.Module, image: Tensor, score) -> Tensor:
    hidden = model[0](image[None]).detach().requires_grad_()
    return torch.autograd.grad(score(model[1:](hidden)[0]), hidden)[0][0].sum(0)


def test_forms_of_targets() -> None:
    forms = {
        (): None,
        ((1,), (0,)): [1, 0],
        ((2,), (2,)): 2,
        ((0, 2), (1, 1)): torch.tensor([[0, 2], [1, 1]]),
        ((0, 2), ()): torch.tensor([[True, False, True], [False, False, False]]),
        ((2,), (0, 1)): [[2], torch.tensor([0, 1])],
    }
    assert target_lists(None, LOGITS) == [[1], [0]]
    assert target_lists([None, 2], LOGITS) == [[1], [2]]
    assert target_lists([[0, 1, 0], [0, 0, 1]], LOGITS) == target_lists(torch.eye(3)[1:], LOGITS) == [[1], [2]]
    assert target_lists([torch.tensor(2), torch.tensor(0)], LOGITS) == [[2], [0]]
    assert target_lists([np.int64(2), np.int32(0)], LOGITS) == target_lists(np.array([2, 0]), LOGITS) == [[2], [0]]
    assert target_lists(np.int64(2), LOGITS) == target_lists(torch.tensor(2), LOGITS) == [[2], [2]]
    for lists, form in list(forms.items())[1:]:
        assert target_lists(form, LOGITS) == [list(row) for row in lists]


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([1], "1 targets for 2 images"),
        ([0, 3], "target 3 of image 1: the model has outputs 0 to 2"),
        ([-1, 0], "target -1 of image 0"),
        (1.5, "targets are a float: give indices of outputs, 0 to 2"),
        ("tabby", "targets are a str: give indices"),
        (b"ab", "targets are a bytes: give indices"),
        ({0, 1}, "targets are a set: give indices"),
        ((number for number in (0, 1)), "targets are a generator: give indices"),
        ([1.0, 2.0], "target 1.0 of image 0: give indices"),
        ([1, "dog"], "target 'dog' of image 1: give indices"),
        ([True, False], "target True of image 0: give indices"),
        ([[1, None], 2], "target None of image 0: give indices"),
        (torch.zeros(2, 4, dtype=torch.bool), r"multi-hot targets have shape \(2, 4\), not \(images, 3 outputs\)"),
    ],
)
def test_wrong_targets_are_errors(targets, message: str) -> None:
    with pytest.raises(CamForgeError, match=message):
        target_lists(targets, LOGITS)


def test_pairs_are_ordered_by_image_then_as_given(model, images) -> None:
    found = extract_maps(model, images, [Gradient()], [[2], [1, 0, 2]])
    assert found.images.tolist() == [0, 1, 1, 1]
    assert found.targets.tolist() == [2, 1, 0, 2]
    for values, image, target in zip(found.maps[0][0], found.images, found.targets, strict=True):
        torch.testing.assert_close(values, expected(model, images[image], lambda row, t=target: row[t]))
    torch.testing.assert_close(found.logits, model(images))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (lambda row: row, r"returned shape \(3,\), not one number per image"),
        (lambda row: float(row.detach()[0]), "returned a float, not a tensor"),
        (lambda _: None, "returned a NoneType, not a tensor"),
        (lambda row: row[0].detach(), "the score has no gradient"),
    ],
)
def test_a_function_returns_one_number_with_a_gradient(model, images, target, message: str) -> None:
    with pytest.raises(CamForgeError, match=message):
        extract_maps(model, images, [Gradient()], target)


def test_callables_explain_any_function_of_the_logits(model, images) -> None:
    def margin(row: Tensor) -> Tensor:
        return row[0] - row[1:].max()

    found = extract_maps(model, images, [Gradient()], [margin, 2])
    assert found.targets.tolist() == [-1, 2]
    torch.testing.assert_close(found.maps[0][0][0], expected(model, images[0], margin))
    torch.testing.assert_close(found.maps[0][0][1], expected(model, images[1], lambda row: row[2]))
