"""Metrics that ask the network again, against direct arithmetic pixel by pixel."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.signal import convolve2d
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

from camforge import build
from camforge.api import CamForgeError, MetricInput
from camforge.testing import example_metric_input
from camforge_plugins.metrics.faithfulness.average_drop import AverageDrop
from camforge_plugins.metrics.faithfulness.insertion_deletion import InsertionDeletion
from camforge_plugins.metrics.faithfulness.insertion_deletion import blurred as blur
from camforge_plugins.metrics.faithfulness.road import ROAD, imputed

NAMES = ("cat", "dog", "horse")


def probability(seen: MetricInput, image: torch.Tensor, label: int) -> float:
    return float(seen.score(image[None])[0, label].double().sigmoid())


def falling(values: torch.Tensor) -> list[tuple[int, int]]:
    """Pixels from the highest to the lowest."""
    height, width = values.shape
    places = [(y, x) for y in range(height) for x in range(width)]
    return sorted(places, key=lambda place: -float(values[place]))


def class_means(seen: MetricInput, numbers: list[float]) -> float:
    """The mean over classes of the mean over a class's pairs."""
    by_class: dict[int, list[float]] = {}
    for label, number in zip(seen.classes.tolist(), numbers, strict=True):
        by_class.setdefault(label, []).append(number)
    return sum(sum(values) / len(values) for values in by_class.values()) / len(by_class)


def blurred(image: torch.Tensor, size: int, sigma: float) -> torch.Tensor:
    """RISE's: a bright pixel in size x size, smeared by a Gaussian whose borders reflect; zeros around the image.

    The smear from its definition: of the Gaussian's tail, cut off at four deviations, what leaves comes back mirrored.
    """
    half, reach = size // 2, int(4 * sigma + 0.5)
    tail = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    weights = np.zeros(size)
    for offset, weight in zip(range(-reach, reach + 1), tail / tail.sum(), strict=True):
        place = (half + offset) % (2 * size)  # mirrored tiles repeat every two sizes
        weights[place if place < size else 2 * size - 1 - place] += weight
    padded = np.pad(image.double().numpy(), ((0, 0), (half, half), (half, half)))
    out = np.zeros(image.shape)
    for dy in range(size):
        for dx in range(size):
            out += weights[dy] * weights[dx] * padded[:, dy : dy + image.shape[1], dx : dx + image.shape[2]]
    return torch.from_numpy(out).float()


def test_insertion_and_deletion() -> None:
    seen = example_metric_input()
    steps = 8
    insertions, deletions = [], []
    for pair in range(len(seen.maps)):
        image, label = seen.batch.images[seen.images[pair]], int(seen.classes[pair])
        order = falling(seen.maps[pair])
        start = blurred(image, 7, 5.0)
        curves = {"in": [], "out": []}
        for step in range(steps + 1):
            there, gone = start.clone(), image.clone()
            for y, x in order[: round(step / steps * len(order))]:
                there[:, y, x], gone[:, y, x] = image[:, y, x], 0.0
            curves["in"].append(probability(seen, there, label))
            curves["out"].append(probability(seen, gone, label))
        for name, found in (("in", insertions), ("out", deletions)):
            curve = curves[name]
            found.append(100 * sum((a + b) / 2 for a, b in pairwise(curve)) / steps)
    metric = InsertionDeletion(steps=steps, blur=7)
    numbers = metric.compute(metric.update(seen), NAMES)
    assert numbers["insertion"] == pytest.approx(class_means(seen, insertions), rel=1e-5)
    assert numbers["deletion"] == pytest.approx(class_means(seen, deletions), rel=1e-5)


def test_the_blur_of_the_authors_code() -> None:
    """``gkern(11, 5)`` and a convolution with zeros around the image, written out with SciPy."""
    image = torch.randn(3, 9, 14, dtype=torch.float64)
    bright = np.zeros((11, 11))
    bright[5, 5] = 1
    kernel = gaussian_filter(bright, 5)
    expected = np.stack([convolve2d(channel, kernel, mode="same") for channel in image.numpy()])
    np.testing.assert_allclose(blur(image[None], 11)[0].numpy(), expected, atol=1e-12)
    with pytest.raises(CamForgeError, match=r"blur.*must be odd"):
        build("metric", {"name": "insertion_deletion", "blur": 10})


def test_average_drop_and_increase() -> None:
    seen = example_metric_input()
    drops, increases = [], []
    for pair in range(len(seen.maps)):
        image, label = seen.batch.images[seen.images[pair]], int(seen.classes[pair])
        scaled = seen.maps[pair].clamp(min=0) / seen.maps[pair].max()
        before, after = probability(seen, image, label), probability(seen, image * scaled, label)
        drops.append(100 * max(0.0, before - after) / before)
        increases.append(100.0 * (after > before))
    numbers = AverageDrop().compute(AverageDrop().update(seen), NAMES)
    assert numbers["average_drop"] == pytest.approx(class_means(seen, drops), rel=1e-5)
    assert numbers["average_increase"] == pytest.approx(class_means(seen, increases))
    assert 0 < numbers["average_increase"] < 100


def solved(image: torch.Tensor, removed: torch.Tensor) -> torch.Tensor:
    """The paper's linear system, one equation per removed pixel, by a sparse direct solver."""
    height, width = removed.shape
    index = {place: k for k, place in enumerate(map(tuple, removed.nonzero().tolist()))}
    system, right = lil_matrix((len(index), len(index))), np.zeros((len(index), len(image)))
    for (y, x), row in index.items():
        near = [(y + dy, x + dx, 1 / 6 if 0 in (dy, dx) else 1 / 12) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        near = [(a, b, w) for a, b, w in near if (a, b) != (y, x) and 0 <= a < height and 0 <= b < width]
        system[row, row] = sum(w for *_, w in near)
        for a, b, w in near:
            if (a, b) in index:
                system[row, index[a, b]] = -w
            else:
                right[row] += w * image[:, a, b].double().numpy()
    out = image.clone()
    found = spsolve(system.tocsr(), right)
    for (y, x), row in index.items():
        out[:, y, x] = torch.from_numpy(found[row])
    return out


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_removed_pixels_solve_the_linear_system(share: float) -> None:
    images = torch.randn(2, 3, 14, 11)
    removed = torch.rand(2, 14, 11) < share
    found = imputed(images, removed)
    for image, gone, filled in zip(images, removed, found, strict=True):
        assert torch.allclose(filled, solved(image, gone).float(), atol=2e-3)


def test_road() -> None:
    seen = example_metric_input()
    shares = (0.2, 0.7)
    expected = []
    for pair in range(len(seen.maps)):
        image, label = seen.batch.images[seen.images[pair]], int(seen.classes[pair])
        order = falling(seen.maps[pair])
        differences = []
        for share in shares:
            count = round(share * len(order))
            scores = []
            for places in (order[len(order) - count :], order[:count]):
                gone = torch.zeros(image.shape[1:], dtype=torch.bool)
                gone[tuple(torch.tensor(places).T)] = True
                scores.append(probability(seen, solved(image, gone), label))
            differences.append((scores[0] - scores[1]) / 2)
        expected.append(100 * sum(differences) / len(differences))
    metric = ROAD(shares=shares, noise=0.0)
    assert metric.compute(metric.update(seen), NAMES)["road"] == pytest.approx(class_means(seen, expected), abs=0.05)


def test_an_arm_without_a_network_of_all_classes() -> None:
    with pytest.raises(CamForgeError, match="'road' asks the network of all classes, and the arm has none"):
        ROAD().update(replace(example_metric_input(), model=None))
