"""Targets that are outputs of the network: what an extractor needs that looks at them by their number."""

from __future__ import annotations

from torch import Tensor

from camforge.api import CamForgeError, Capture


def refuse_functions(capture: Capture, name: str) -> None:
    """Raise CamForgeError where a target is a function of the logits, which has no number."""
    if not capture.rank.plain:
        raise CamForgeError(f"{name}: a target must be an output, not a function of the logits")


def of_targets(maps: Tensor, targets: Tensor) -> Tensor:
    """Maps of all channels (P, C, h, w), and a channel of each pair (P,) -> (P, h, w)."""
    index = targets.view(-1, *[1] * (maps.dim() - 1)).expand(-1, 1, *maps.shape[2:])
    return maps.gather(1, index)[:, 0]
