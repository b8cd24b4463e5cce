"""How fast the class comes and goes with the map's pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.faithful import FaithfulnessMetric, ranks
from camforge_plugins.metrics.pairs import class_mean


class InsertionDeletion(FaithfulnessMetric):
    """Areas under the probability of a class, in percent (0..100) (Petsiuk et al., RISE, BMVC 2018, sec. 4.4).

    deletion   pixels are set to the mean colour from the map's highest to its lowest; lower is better
    insertion  pixels come back in the same order into the blurred photograph; higher is better
    The area is the trapezoids' over ``steps`` equal shares of the pixels.
    """

    name = "insertion_deletion"
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"deletion"})
    steps: Annotated[int, Field(ge=1, le=500)] = 20
    blur: Annotated[int, Field(ge=3)] = 11
    """Side of the Gaussian kernel, odd; its deviation is 5 pixels, as in the authors' code."""

    @property
    def numbers(self) -> int:
        return 2

    def pair_numbers(self, pairs: MetricInput, pair: int) -> Tensor:
        from torchvision.transforms.v2.functional import gaussian_blur

        image, label = pairs.batch.images[int(pairs.images[pair])], int(pairs.classes[pair])
        size = min(self.blur, 2 * min(image.shape[-2:]) - 1) // 2 * 2 + 1
        blurred = gaussian_blur(image[None], [size, size], [5.0, 5.0])[0]
        place = ranks(pairs.maps[pair])
        shares = torch.linspace(0, 1, self.steps + 1, device=image.device) * place.numel()
        touched = place < shares.round()[:, None, None]  # (steps + 1, H, W)
        deleted = torch.where(touched[:, None], torch.zeros_like(image), image)
        inserted = torch.where(touched[:, None], image, blurred)
        areas = [torch.trapezoid(self.probabilities(pairs, images, label)) for images in (inserted, deleted)]
        return 100 * torch.stack(areas) / self.steps

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        count = total[:, 0]
        numbers: dict[str, float] = {}
        for place, name in enumerate(("insertion", "deletion"), start=1):
            numbers |= class_mean(name, total[:, place] / count.clamp(min=1), count > 0, classes)
        return numbers
