"""MaxBoxAcc and MaxBoxAccV2."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import Metric, MetricInput, Requirement
from camforge_plugins.metrics.common.boxes import box_iou, need_boxes, pair_boxes
from camforge_plugins.metrics.common.contours import contour_boxes
from camforge_plugins.metrics.common.foreground import LEVELS, byte_levels
from camforge_plugins.metrics.common.grid import grid_edges
from camforge_plugins.metrics.common.pairs import labelled_pairs

OVERLAPS = (30, 50, 70)  # percent


class MaxBoxAcc(Metric):
    """MaxBoxAcc(V2) in percent (Choe et al. 2020): share of maps with a box that fits, at the best threshold of all.

    As the authors' wsolevaluation computes it: 8-bit min-max maps, value > threshold, boxes around contours, inclusive
    IoU (one pixel is added to each side), true boxes cut to whole pixels. Every labelled class of an image is a map of
    its own; one without a true box counts as a miss.

    maxboxacc_v2  mean over IoU 30, 50 and 70 with the boxes of all contours; ``multi_contour=False`` takes the largest
                  contour alone, and the headline is then ``maxboxacc``, at IoU 50
    """

    name = "maxboxacc"
    family = "localization"
    bounds = (0, 100)
    multi_contour: bool = True
    """Boxes of all contours, and V2's mean; False: of the largest alone, and IoU 50."""
    step: Annotated[float, Field(gt=0, le=0.5)] = 0.001
    """Distance of two thresholds."""

    @property
    def thresholds(self) -> Mapping[str, str]:
        return {f"maxboxacc@{overlap}_threshold": f"maxboxacc@{overlap}" for overlap in OVERLAPS}

    @property
    def requires(self) -> frozenset[Requirement]:
        return frozenset({"boxes"})

    def update(self, metric_input: MetricInput) -> Tensor:
        """(4, thresholds) int64: maps that fit at IoU 30, 50, 70; in the last row maps and true boxes."""
        pairs = labelled_pairs(metric_input, self.name)
        boxes, owner = pair_boxes(pairs)
        levels, true, owner = byte_levels(pairs.maps).cpu(), whole_pixels(boxes).cpu(), owner.cpu()
        mine = [true[owner == pair] for pair in range(len(levels))]
        fits = torch.tensor(OVERLAPS, dtype=torch.float64)[:, None] / 100
        total = torch.zeros(len(OVERLAPS) + 1, len(grid_edges(self.step)), dtype=torch.int64)
        for best in _on_all_cores(self._best_overlaps, levels, mine):
            total[:-1] += best >= fits
        total[-1, 0], total[-1, 1] = len(levels), len(true)
        return total.to(metric_input.maps.device)

    def _best_overlaps(self, levels: Tensor, true: Tensor) -> Tensor:
        """(H, W) uint8 map, (G, 4) true boxes -> (thresholds,) float64: the best IoU of any box at each threshold."""
        edges = grid_edges(self.step)
        if len(true) == 0:
            return torch.full_like(edges, -1)
        boxes, place, values = contour_boxes(levels, largest=not self.multi_contour)
        if len(values) == 0:  # a mask without contours gets this box from the authors
            return box_iou(torch.zeros(1, 4), true, inclusive=True).amax().expand(len(edges))
        overlaps = box_iou(boxes, true, inclusive=True).amax(1)
        best = torch.zeros(len(values), dtype=torch.float64).scatter_reduce(0, place, overlaps, "amax")
        cut = (edges * (LEVELS - 1)).long()  # the highest value of a min-max map is 255
        return best[torch.searchsorted(values, cut, right=True) - 1]

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        del classes
        need_boxes(float(total[-1, 1]), self.name)
        accuracy, place = (100 * total[:-1].double() / total[-1, 0]).max(1)
        single = {f"maxboxacc@{overlap}": float(accuracy[i]) for i, overlap in enumerate(OVERLAPS)}
        at = {f"maxboxacc@{overlap}_threshold": int(place[i]) * self.step for i, overlap in enumerate(OVERLAPS)}
        headline = {"maxboxacc": single["maxboxacc@50"]}
        if self.multi_contour:
            headline = {"maxboxacc_v2": float(accuracy.mean())}
        return headline | single | at


def _on_all_cores(task: Callable[[Tensor, Tensor], Tensor], *items: Iterable[Tensor]) -> list[Tensor]:
    """``map`` over as many threads as torch uses; NumPy and OpenCV let go of the interpreter while they work."""
    if torch.get_num_threads() == 1:
        return list(map(task, *items))
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return list(pool.map(task, *items))


def whole_pixels(boxes: Tensor) -> Tensor:
    """(G, 4) float -> (G, 4) int64, cut as the authors cut their resized boxes.

    Boxes in float32 may lie a hair below the whole number that the authors' float64 gives; a box of an image with sides
    below 10000 is never nearer than 1e-4 to the next one otherwise.
    """
    return (boxes + 1e-4).floor().long()
