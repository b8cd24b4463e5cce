"""LT truncation against NumPy's percentile, row by row."""

import cam_oracle as oracle
import numpy as np
import pytest
import torch
from torch import Tensor

from camforge.api import GradientExtractor
from camforge.capture import extract_maps
from camforge.maps import truncate


@pytest.mark.parametrize("percent", [0, 5, 20, 25, 50, 70, 90, 99])
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("over_layer", [False, True])
def test_truncation_is_numpys_percentile_of_the_positive_values(percent: int, strict: bool, over_layer: bool) -> None:
    for trial in range(40):
        torch.manual_seed(trial)
        values = 3 * torch.randn(2, 3, 1 + trial % 5, 1 + trial % 7, dtype=torch.float64)
        gradients = values.round() if trial % 2 else values  # rounded: many equal values, rows without positive ones
        found = truncate(gradients, percent / 100, over_layer, strict)
        start = 1 if over_layer else 2
        for row, kept in zip(gradients.flatten(0, start - 1).numpy(), found.flatten(0, start - 1).numpy(), strict=True):
            np.testing.assert_array_equal(kept, oracle.truncated_row(row, percent, strict))


class Norm(GradientExtractor):
    """A stranger's extractor, which knows nothing of LT."""

    name = "stranger"

    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        return (gradients * activations).norm(dim=1)


class Plain(Norm):
    """The same without any option."""

    name = "plain"

    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        return super().cam(activations, truncate(gradients, 0.3))


def test_a_strangers_extractor_gets_lt_for_free(gapnet, images) -> None:
    layers = ("relu1", "relu3")
    options = [Norm(layers=layers, truncate=30), Norm(layers=layers, truncate=30, merge="sum"), Plain(layers=layers)]
    found = extract_maps(gapnet, images, options, 2).maps
    for truncated, by_hand in zip(found[0], found[2], strict=True):
        torch.testing.assert_close(truncated, by_hand)
    enlarged = torch.nn.functional.interpolate(found[0][1][:, None], size=found[0][0].shape[1:], mode="bilinear")[:, 0]
    torch.testing.assert_close(found[1][0], found[0][0] + enlarged)


def test_extractors_with_the_same_truncation_share_it(gapnet, images) -> None:
    seen: list[Tensor] = []

    class Watching(Norm):
        name = "watching"

        def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
            seen.append(gradients)
            return super().cam(activations, gradients)

    options = [{}, {"truncate": 30}, {"truncate": 30, "merge": "max"}, {"truncate": 30, "truncate_strict": True}]
    extract_maps(gapnet, images, [Watching(layers=("relu2",), **given) for given in options], 2)
    torch.testing.assert_close(seen[1], truncate(seen[0], 0.3))
    assert seen[2] is seen[1]
    assert seen[3] is not seen[1]
