"""IS-CAM."""

from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import Capture
from camforge_plugins.extractors.outputs import refuse_functions
from camforge_plugins.extractors.scorecam import ScoreCAM


class ISCAM(ScoreCAM):
    """IS-CAM: Score-CAM with w = softmax over k of the mean over i of y(c_i X * s(U(A_k))) (Naidu et al. 2020).

    c_i is the sum of j / N for j = 1 … i: the masks of the N steps are accumulated. So torch-cam reads the paper;
    others read an integral along a straight line, c_i = i / N.
    """

    name = "iscam"

    steps: Annotated[int, Field(ge=1)] = 10
    """N, the steps of the integration."""

    def outputs(self, capture: Capture, channels: Tensor, pair: int) -> Tensor:
        refuse_functions(capture, self.name)  # outputs are averaged before the target is looked at
        total = torch.zeros((), device=channels.device)
        for step in range(1, self.steps + 1):
            scale = step * (step + 1) / (2 * self.steps)
            total = total + self.masked(capture, channels, pair, partial(torch.mul, scale))
        return total / self.steps
