"""Numbers on their way from the device to the host, which goes on meanwhile."""

from __future__ import annotations

import torch
from torch import Tensor


class Arriving:
    """A tensor that is copied to the CPU behind what the device has to do already."""

    def __init__(self, values: Tensor) -> None:
        self._values, self._copied = values, None
        if values.is_cuda:
            self._values = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            self._values.copy_(values, non_blocking=True)
            self._copied = torch.cuda.current_stream(values.device).record_event()

    def wait(self) -> Tensor:
        """The tensor on the CPU, when it is there."""
        if self._copied is not None:
            self._copied.synchronize()
        return self._values.cpu()
