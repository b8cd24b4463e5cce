"""Where a run computes."""

from __future__ import annotations

import torch

from camforge.types import CamForgeError


def pick_device(name: str) -> torch.device:
    """ "auto" takes a GPU where there is one. Raises CamForgeError for a GPU that is not there."""
    if name == "auto":
        return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise CamForgeError(f"unknown device {name!r}; allowed: auto, cpu, cuda, cuda:N") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise CamForgeError(f"device {name!r}: this machine has {torch.cuda.device_count()} CUDA devices")
    return device
