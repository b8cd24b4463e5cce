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
