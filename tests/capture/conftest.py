"""Networks that are awkward to capture, and a photograph of a model's state."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn


def _state(model: nn.Module) -> dict[str, Any]:
    """Everything a pass might leave behind: parameters, buffers, flags, gradients, hooks, attributes, methods."""
    state: dict[str, Any] = {name: tensor.detach().clone() for name, tensor in model.state_dict(keep_vars=True).items()}
    for name, parameter in model.named_parameters():
        gradient = None if parameter.grad is None else parameter.grad.clone()
        state[f"{name} grad"], state[f"{name} flag"] = gradient, parameter.requires_grad
        state[f"{name} identity"] = (id(parameter), parameter.data_ptr(), parameter._version)
    for name, module in model.named_modules():
        state[f"{name} training"] = module.training
        state[f"{name} hooks"] = [len(getattr(module, h)) for h in vars(module) if h.endswith("_hooks")]
        state[f"{name} attributes"] = sorted(vars(module))
    return state


def _same(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert before.keys() == after.keys()
    for name, value in before.items():
        if isinstance(value, Tensor):
            assert torch.equal(value, after[name]), name
        else:
            assert value == after[name], name


@pytest.fixture
def unchanged() -> Callable[[nn.Module], Callable[[], None]]:
    """``check = unchanged(model)`` … ``check()``: the model's state bit by bit is what it was."""

    def start(model: nn.Module) -> Callable[[], None]:
        before = _state(model)
        return lambda: _same(before, _state(model))

    return start


class Residual(nn.Module):
    """conv - BN - (in-place) addition - (in-place) ReLU, the ReLU module used twice, then a hidden linear layer."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.conv2, self.bn2 = nn.Conv2d(6, 6, 3, padding=1, groups=2), nn.BatchNorm2d(6)
        self.relu, self.inplace = nn.ReLU(inplace), inplace
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(6 * 7 * 5, 8), nn.ReLU(inplace), nn.Linear(8, 4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(x))
        if self.inplace:
            y += x
        else:
            y = y + x
        return self.head(self.relu(y))


@pytest.fixture
def residual_pair() -> tuple[Residual, Residual]:
    """The same weights, with and without in-place operations, in training mode as a user may leave it."""
    inplace, plain = Residual(True), Residual(False)
    for bn in (inplace.bn1, inplace.bn2):
        bn.running_mean.normal_()
        bn.running_var.uniform_(0.5, 2)
    plain.load_state_dict(inplace.state_dict())
    return inplace, plain


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, 7, 5)
