"""What all tests share."""

from pathlib import Path

import pytest
import torch

pytest_plugins = ["pytester"]  # contracts are tried on broken plugins in a pytest inside pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photographs and weights beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the real photographs and weights in {SHARED}, which is absent")
    return SHARED


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
