"""How long the metrics take beside a direct transcription of wsolevaluation on the same maps, and beside the maps.

    python benchmarks/wsol_metrics.py [--maps 16] [--size 224] [--rounds 5] [--threads 1]

Processor time. The two sides run in turn, so that a busy machine slows both; the ratio is the median over the rounds.
The last line sets the four metrics of one batch beside the Grad-CAM maps of one, ResNet-18's last stage.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
import torchvision
from torch.nn.functional import interpolate

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "metrics"))

from made import metric_input
from wsol_direct import box_counts, pixel_histograms

import camforge
from camforge.api import Metric, MetricInput
from camforge.capture import extract_maps
from camforge_plugins.metrics.localization.maxboxacc import MaxBoxAcc
from camforge_plugins.metrics.localization.miou import MeanIoU
from camforge_plugins.metrics.localization.mlev import MeanLocalizationError
from camforge_plugins.metrics.localization.pxap import PxAP


def made_evidence(cells: int, count: int, size: int) -> MetricInput:
    """One class; rectified random maps of ``cells`` x ``cells``, enlarged, with a box and its mask for each."""
    torch.manual_seed(cells)
    coarse = torch.randn(count, 1, cells, cells).relu()
    maps = interpolate(coarse, size=(size, size), mode="bilinear")[:, 0]
    low, high = size // 5, 3 * size // 4
    masks = torch.zeros(count, size, size, dtype=torch.uint8)
    masks[:, low:high, low:high] = 1
    boxes = {(i, 0): [[low, low, high, high]] for i in range(count)}
    return metric_input({(i, 0): maps[i] for i in range(count)}, [[1]] * count, masks, boxes)


def direct_boxes(seen: MetricInput, multi: bool) -> np.ndarray:
    """(3, 1000) counts, map by map."""
    true = [boxes.long().numpy() for boxes in seen.batch.boxes]
    return sum(box_counts(cam.numpy(), true[i], 0.001, multi).astype(int) for i, _, cam in seen.pairs())


def direct_pixels(seen: MetricInput) -> np.ndarray:
    """(2, bins) counts, map by map."""
    return sum(pixel_histograms(cam.numpy(), seen.batch.masks[i].numpy(), 0.001) for i, _, cam in seen.pairs())


def seconds(run: Callable[[], object]) -> float:
    """Processor time of one run."""
    start = time.process_time()
    run()
    return time.process_time() - start


def compare(name: str, metric: Metric, direct: Callable[[], np.ndarray], seen: MetricInput, rounds: int) -> None:
    """One line: milliseconds per map of both sides, how many times faster the metric is, and whether counts agree."""
    counts, want = metric.update(seen).numpy(), direct()
    agree = np.array_equal(counts[: len(want), : want.shape[1]], want[:, : counts.shape[1]])
    slow, fast = [], []
    for _ in range(rounds):
        slow.append(seconds(direct))
        fast.append(seconds(lambda: metric.update(seen)))
    theirs, ours = (1000 * statistics.median(side) / len(seen.maps) for side in (slow, fast))
    ratio = statistics.median(a / b for a, b in zip(slow, fast, strict=True))
    verdict = "equal" if agree else "DIFFERENT"
    print(f"  {name:12s} direct {theirs:9.3f} ms/map   camforge {ours:8.3f} ms/map   {ratio:6.1f}x   {verdict}")


def alone(name: str, metric: Metric, seen: MetricInput, rounds: int) -> None:
    """One line: milliseconds per map of a metric that has nothing to be compared with."""
    times = [seconds(lambda: metric.update(seen)) for _ in range(rounds)]
    print(f"  {name:12s} {'':23s}camforge {1000 * statistics.median(times) / len(seen.maps):8.3f} ms/map")


def beside_extraction(seen: MetricInput, rounds: int) -> None:
    """One line: the four metrics of a batch, the maps of a batch, and the share that the metrics are of the maps."""
    model, images = torchvision.models.resnet18().eval(), torch.randn_like(seen.batch.images)
    metrics = [MeanIoU(), MeanLocalizationError(), MaxBoxAcc(), PxAP()]
    extractor = camforge.build("extractor", "gradcam")
    measured, extracted = [], []
    for _ in range(rounds):
        extracted.append(seconds(lambda: extract_maps(model, images, [extractor], 0)))
        measured.append(seconds(lambda: [metric.update(seen) for metric in metrics]))
    shares = [100 * m / e for m, e in zip(measured, extracted, strict=True)]
    ours, theirs = (1000 * statistics.median(side) for side in (measured, extracted))
    told = f"the four of a batch {ours:.0f} ms, its Grad-CAM maps {theirs:.0f} ms"
    print(f"{told}: {statistics.median(shares):.1f} percent")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("maps", 16), ("size", 224), ("rounds", 5), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    for cells in (7, 14, 28):
        seen, rounds = made_evidence(cells, options.maps, options.size), options.rounds
        print(f"maps of {cells} x {cells} at {options.size} x {options.size}, {options.maps} in a batch")
        compare("MaxBoxAccV2", MaxBoxAcc(), partial(direct_boxes, seen, True), seen, rounds)
        compare("MaxBoxAcc", MaxBoxAcc(multi_contour=False), partial(direct_boxes, seen, False), seen, rounds)
        compare("PxAP", PxAP(), partial(direct_pixels, seen), seen, rounds)
        alone("mIoU", MeanIoU(), seen, rounds)
        alone("mLEV", MeanLocalizationError(), seen, rounds)
    beside_extraction(made_evidence(7, options.maps, options.size), options.rounds)


if __name__ == "__main__":
    main()
