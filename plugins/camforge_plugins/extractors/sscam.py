"""SS-CAM."""

from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import Capture
from camforge_plugins.extractors.outputs import refuse_functions
from camforge_plugins.extractors.scorecam import ScoreCAM, unit_masks


class SSCAM(ScoreCAM):
    """SS-CAM: Score-CAM with w = softmax over k of the mean of y(X * (s(U(A_k)) + noise)) (Wang et al. 2020, SS-CAM).

    The noise is Gaussian, that of a sample and channel the same for every image: maps do not depend on batches.
    """

    name = "sscam"

    samples: Annotated[int, Field(ge=1)] = 35
    """Noisy masks per channel."""
    std: Annotated[float, Field(gt=0)] = 2.0
    """Standard deviation of the noise; masks are in [0, 1]."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the random numbers."""

    def outputs(self, capture: Capture, channels: Tensor, pair: int) -> Tensor:
        refuse_functions(capture, self.name)  # outputs are averaged before the target is looked at
        image, count = capture.inputs[pair], len(channels)

        def variants(sample: int, start: int, stop: int) -> Tensor:
            masks = unit_masks(channels[start:stop], image.shape[1:])
            return (masks + self.noise(sample * count + start, masks))[:, None] * image

        total = torch.zeros((), device=image.device)
        for sample in range(self.samples):
            logits = capture.rerun.logits(pair, count, partial(variants, sample), self.max_memory)
            total = total + self.output_of(logits)
        return total / self.samples

    def noise(self, first: int, masks: Tensor) -> Tensor:
        """(m, H, W): the noise of the masks numbered from ``first``."""
        source = torch.Generator()
        rows = [
            torch.randn(masks.shape[1:], generator=source.manual_seed((self.seed << 32) + first + row))
            for row in range(len(masks))
        ]
        return self.std * torch.stack(rows).to(masks)
