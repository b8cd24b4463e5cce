"""How fast the class comes and goes with the map's pixels."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, ClassVar

import torch
from pydantic import AfterValidator, Field
from torch import Tensor
from torch.nn.functional import conv2d

from camforge.api import MetricInput
from camforge_plugins.metrics.common.pair_metric import ModelMetric, photographs, ranks

SIGMA = 5.0


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError("must be odd: the kernel has a middle")
    return size


class InsertionDeletion(ModelMetric):
    """Areas under the probability of a class, in percent (0..100) (Petsiuk et al., RISE, BMVC 2018, sec. 4.4).

    deletion   pixels are set to the mean colour from the map's highest to its lowest; lower is better
    insertion  pixels come back in the same order into the blurred photograph; higher is better
    The area is the trapezoids' over ``steps`` equal shares of the pixels. The blur is that of the authors' code, see
    ``blurred``.
    """

    name = "insertion_deletion"
    version = "2"
    family = "faithfulness"
    bounds = (0, 100)
    numbers = ("insertion", "deletion")
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"deletion"})
    steps: Annotated[int, Field(ge=1, le=500)] = 20
    """Equal shares of the pixels in which they change; one more run of the network for each."""
    blur: Annotated[int, Field(ge=3), AfterValidator(_odd)] = 11
    """Side of the blur's kernel, odd."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        order, steps = ranks(pairs.maps), torch.arange(self.steps + 1, device=pairs.maps.device)
        counts = (steps * order[0].numel() / self.steps).round()
        start = blurred(pairs.batch.images, self.blur)

        def touched(pair: Tensor, step: Tensor) -> Tensor:
            return (order[pair] < counts[step][:, None, None])[:, None]

        def inserted(pair: Tensor, step: Tensor) -> Tensor:
            return torch.where(touched(pair, step), photographs(pairs, pair), start[pairs.images[pair]])

        def deleted(pair: Tensor, step: Tensor) -> Tensor:
            return photographs(pairs, pair).masked_fill(touched(pair, step), 0)

        areas = [torch.trapezoid(self.changed(pairs, len(steps), change)) for change in (inserted, deleted)]
        return 100 * torch.stack(areas, 1) / self.steps


def blurred(images: Tensor, size: int) -> Tensor:
    """(B, 3, H, W) -> (B, 3, H, W): a blur that keeps the photograph's colours and loses its shapes.

    The authors' kernel is one bright pixel in ``size`` x ``size``, filtered with a deviation of 5 pixels whose borders
    reflect: flatter than a Gaussian cut off at ``size``. Beyond the photograph lies the mean colour, 0.
    """
    kernel = _kernel(size).to(images)
    planes = conv2d(images.flatten(0, 1)[:, None], torch.outer(kernel, kernel)[None, None], padding=size // 2)
    return planes.view_as(images)


@lru_cache
def _kernel(size: int) -> Tensor:
    """(size,) one side of the kernel, float64."""
    from scipy.ndimage import gaussian_filter1d

    bright = torch.zeros(size, dtype=torch.float64)
    bright[size // 2] = 1
    return torch.from_numpy(gaussian_filter1d(bright.numpy(), SIGMA, mode="reflect"))
