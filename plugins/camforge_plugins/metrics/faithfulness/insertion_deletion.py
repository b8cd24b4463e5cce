"""How fast the class comes and goes with the map's pixels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, ClassVar

import torch
from pydantic import AfterValidator, Field
from torch import Tensor
from torch.nn.functional import conv2d

from camforge.api import MetricInput
from camforge_plugins.metrics.common.faithful import FaithfulnessMetric, ranks
from camforge_plugins.metrics.common.pairs import class_mean

SIGMA = 5.0


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError("must be odd: the kernel has a middle")
    return size


class InsertionDeletion(FaithfulnessMetric):
    """Areas under the probability of a class, in percent (0..100) (Petsiuk et al., RISE, BMVC 2018, sec. 4.4).

    deletion   pixels are set to the mean colour from the map's highest to its lowest; lower is better
    insertion  pixels come back in the same order into the blurred photograph; higher is better
    The area is the trapezoids' over ``steps`` equal shares of the pixels. The blur is that of the authors' code, see
    ``blurred``.
    """

    name = "insertion_deletion"
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"deletion"})
    steps: Annotated[int, Field(ge=1, le=500)] = 20
    blur: Annotated[int, Field(ge=3), AfterValidator(_odd)] = 11
    """Side of the blur's kernel, odd."""

    @property
    def numbers(self) -> int:
        return 2

    def pair_numbers(self, pairs: MetricInput, pair: int) -> Tensor:
        image, label = pairs.batch.images[int(pairs.images[pair])], int(pairs.classes[pair])
        start = blurred(image, self.blur)
        place = ranks(pairs.maps[pair])
        shares = torch.linspace(0, 1, self.steps + 1, device=image.device) * place.numel()
        touched = place < shares.round()[:, None, None]  # (steps + 1, H, W)
        deleted = torch.where(touched[:, None], torch.zeros_like(image), image)
        inserted = torch.where(touched[:, None], image, start)
        areas = [torch.trapezoid(self.probabilities(pairs, images, label)) for images in (inserted, deleted)]
        return 100 * torch.stack(areas) / self.steps

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        count = total[:, 0]
        numbers: dict[str, float] = {}
        for place, name in enumerate(("insertion", "deletion"), start=1):
            numbers |= class_mean(name, total[:, place] / count.clamp(min=1), count > 0, classes)
        return numbers


def blurred(image: Tensor, size: int) -> Tensor:
    """(3, H, W) -> (3, H, W): a blur that keeps the photograph's colours and loses its shapes.

    The authors' kernel is one bright pixel in ``size`` x ``size``, filtered with a deviation of 5 pixels whose borders
    reflect: flatter than a Gaussian cut off at ``size``. Beyond the photograph lies the mean colour, 0.
    """
    kernel = _kernel(size).to(image)
    return conv2d(image[:, None], torch.outer(kernel, kernel)[None, None], padding=size // 2)[:, 0]


@lru_cache
def _kernel(size: int) -> Tensor:
    """(size,) one side of the kernel, float64."""
    from scipy.ndimage import gaussian_filter1d

    bright = torch.zeros(size, dtype=torch.float64)
    bright[size // 2] = 1
    return torch.from_numpy(gaussian_filter1d(bright.numpy(), SIGMA, mode="reflect"))
