"""The tiny network whose maps are known in float64, and reference numbers computed by direct transcription."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

FOLDER = Path(__file__).parent


class TinyNet(nn.Module):
    """conv(2,3) - BN - ReLU - maxpool - conv(3,4) - BN - ReLU - GAP - linear(4,3); the layers are relu1 and relu2."""

    def __init__(self) -> None:
        super().__init__()
        self.c1, self.b1, self.relu1 = nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU()
        self.c2, self.b2, self.relu2 = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
        self.pool, self.fc = nn.MaxPool2d(2), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu1(self.b1(self.c1(x)))
        x = self.relu2(self.b2(self.c2(self.pool(x))))
        return self.fc(x.mean((2, 3)))


@pytest.fixture(scope="session")
def tiny() -> dict[str, Tensor]:
    """tinynet.npz: the input ``x``, the weights ``w.*`` and every map of class 0, float64."""
    return {name: torch.from_numpy(array) for name, array in np.load(FOLDER / "tinynet.npz").items()}


@pytest.fixture
def tinynet(tiny: dict[str, Tensor]) -> TinyNet:
    model = TinyNet().double().eval()
    model.load_state_dict({name[2:]: values for name, values in tiny.items() if name.startswith("w.")})
    return model


@pytest.fixture(scope="session")
def core() -> dict[str, Any]:
    """Combination functions, truncation, FullGrad's terms."""
    return json.loads((FOLDER / "core.json").read_text())


class OddNet(nn.Module):
    """BatchNorm, a residual, groups, odd sizes, in-place ReLUs; ``hidden`` puts a curved layer before the logits."""

    def __init__(self, hidden: bool) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, stride=2, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, padding=1, groups=4), nn.BatchNorm2d(8)
        self.conv3, self.bn3 = nn.Conv2d(8, 6, (3, 2)), nn.BatchNorm2d(6)
        self.relu1, self.relu2, self.relu3 = (nn.ReLU(inplace=True) for _ in range(3))
        self.head = nn.Sequential(nn.Linear(6, 7), nn.Tanh(), nn.Linear(7, 5)) if hidden else nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(x))
        y += x
        x = self.relu3(self.bn3(self.conv3(self.relu2(y))))
        return self.head(x.mean((2, 3)))


def _seeded(model: nn.Module) -> nn.Module:
    """Float64, eval mode, BatchNorm statistics that are not those of a fresh layer."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.2, 0.3)
    return model.double().eval()


@pytest.fixture(params=["gap", "hidden"])
def oddnet(request: pytest.FixtureRequest) -> nn.Module:
    return _seeded(OddNet(request.param == "hidden"))


@pytest.fixture
def gapnet() -> nn.Module:
    return _seeded(OddNet(hidden=False))


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, 19, 14, dtype=torch.float64)
