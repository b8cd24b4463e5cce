"""CamForge beside pytorch-grad-cam, torch-cam and Captum: the same model, images, targets and threads, in one run.

    OMP_WAIT_POLICY=passive python benchmarks/peers.py --out tables.md

Needs ``pip install camforge[bench]``. The contenders of a table take turns, in an order that changes every round, and a
ratio is taken within a round: a machine that slows down slows all of them. Two clocks: the wall, and the processor time
of the process, which other programs on the machine disturb less.
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from contenders import STAGES, Bench, Row, Run, rows
from torch import Tensor
from torch.nn.functional import interpolate


@dataclass
class Times:
    """Seconds of one contender, round by round."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, run: Run) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)


def measure(row: Row) -> dict[str, Times]:
    """Every contender once per round, in a new order each round; one run before does not count."""
    times = {name: Times() for name in row.contenders}
    for name, run in row.contenders.items():
        if name not in row.cold:
            run()
    for number in range(row.rounds):
        order = list(row.contenders)
        random.Random(number).shuffle(order)
        for name in order:
            times[name].add(row.contenders[name])
    return times


def table(row: Row, times: dict[str, Times]) -> str:
    """Median seconds, and the medians of the ratios to the first contender with their quartiles."""
    name, first = next(iter(times.items()))
    lines = [f"### {row.title}\n", f'Goal: {row.goal}. Rounds: {row.rounds}. Ratios are to "{name}".\n']
    lines += ["| | wall, s | ratio, wall | ratio, processor |", "|---|---|---|---|"]
    for name, one in times.items():
        ratios = f"{_ratio(one.wall, first.wall)} | {_ratio(one.cpu, first.cpu)}"
        lines.append(f"| {name} | {statistics.median(one.wall):.4g} | {ratios} |")
    return "\n".join(lines) + "\n"


def _ratio(times: list[float], reference: list[float]) -> str:
    ratios = [a / b for a, b in zip(times, reference, strict=True)]
    if len(ratios) < 3:
        return f"{statistics.median(ratios):.3g}"
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


PEAKS: dict[str, Callable[[Bench], Run]] = {
    "forward": lambda b: b.forward(True),
    "CamForge Grad-CAM": lambda b: b.camforge("gradcam"),
    "torch-cam Grad-CAM": lambda b: b.torchcam("GradCAM", "layer4"),
    "CamForge Layer-CAM": lambda b: b.camforge({"name": "layercam", "layers": "stages"}),
    "torch-cam Layer-CAM": lambda b: b.torchcam("LayerCAM", STAGES),
    "CamForge FullGrad": lambda b: b.camforge("fullgrad"),
}


def peak(name: str, count: int) -> float:
    """MiB that one run adds to what its process holds before it (Linux: the high-water mark, reset in between)."""
    run = PEAKS[name](Bench.of(count))
    Path("/proc/self/clear_refs").write_text("5")
    before = high_water()
    run()
    return (high_water() - before) / 1024


def high_water() -> int:
    """KiB."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def peaks(count: int, threads: int) -> str:
    """Each contender in a process of its own."""
    lines = ["### Peak memory of one run\n", "| | MiB beyond model and images |", "|---|---|"]
    for name in PEAKS:
        command = [sys.executable, __file__, "--peak", name, "--images", str(count), "--threads", str(threads)]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
        lines.append(f"| {name} | {float(found):.0f} |")
    return "\n".join(lines) + "\n"


RAW = (("gradcam", "GradCAM"), ("layercam", "LayerCAM"), ("xgradcam", "XGradCAM"), ("cam", "CAM"))
SCALED = (
    ("gradcam", "GradCAM"), ("gradcampp", "GradCAMPlusPlus"), ("hirescam", "HiResCAM"),
    ("elementwise", "GradCAMElementWise"), ("layercam", "LayerCAM"), ("xgradcam", "XGradCAM"),
)  # fmt: skip


def with_a_bright_target(one: Bench) -> Bench:
    """Its target is that of twenty whose map rises highest: random weights leave many without anything above zero."""
    highest = one.camforge("cam", targets=one.twenty)()[0][0].flatten(1).amax(1).argmax()
    return replace(one, targets=[int(one.twenty[0, highest])])


def agreement(one: Bench) -> str:
    """The largest difference of the maps where the peer computes the paper's equation, in units of the map's maximum.

    Raw maps of torch-cam and Captum; pytorch-grad-cam's are scaled to [0, 1] and upsampled by OpenCV: ours likewise.
    """
    lines = ["### Agreement of the maps\n", "| method | peer | largest difference / maximum |", "|---|---|---|"]
    for name, method in RAW:
        theirs = one.torchcam(method, "layer4", **({"fc_layer": "fc"} if name == "cam" else {}))()[0]
        lines.append(_line(method, "torch-cam", one.camforge(name)()[0][0].relu(), theirs.relu()))
    lines.append(_line("GradCAM", "Captum", one.camforge("gradcam")()[0][0], one.captum()().detach()[:, 0]))
    for name, method in SCALED:
        ours = _unit(one.camforge(name)()[0][0], one.images.shape[2:])
        lines.append(_line(method, "pytorch-grad-cam", ours, torch.from_numpy(one.grad_cam(method)())))
    return "\n".join(lines) + "\n"


def known_wrong(one: Bench) -> str:
    """Where a peer does something else than the paper's equation, and how far from it where that is quickly told."""
    size, before_addition = one.images.shape[2:], {"name": "gradcam", "layers": ["layer4.2.bn3"]}
    plusplus, full, inplace = (maps[0] for maps in one.camforge("gradcampp", "fullgrad", before_addition)())
    apart = (
        _apart(_unit(plusplus), _unit(one.torchcam("GradCAMpp", "layer4")()[0])),
        _apart(_unit(full), torch.from_numpy(one.grad_cam("FullGrad", ())())),
        _apart(_unit(inplace), _unit(one.torchcam("GradCAM", "layer4.2.bn3")()[0])),
        _apart(_unit(inplace, size), torch.from_numpy(one.grad_cam("GradCAM", ("layer4.2.bn3",))())),
    )
    return WRONG.format(*apart)


WRONG = """### Known to be wrong

| peer | method | instead of the equation | largest difference / maximum |
|---|---|---|---|
| torch-cam | Grad-CAM++ | alpha is divided in a copy of the selected places and never applied | {:.2f} |
| pytorch-grad-cam | FullGrad | each channel is scaled to 0..1 by itself; the paper scales the whole term | {:.2f} |
| pytorch-grad-cam | Ablation-CAM | where activations can be negative, channels become -1e7, -2e7 and so on, not 0 | |
| torch-cam | any, at layer4.2.bn3 | the activation is read after the addition in place behind the layer | {:.2f} |
| pytorch-grad-cam | any, at layer4.2.bn3 | the same | {:.2f} |
"""


def _unit(maps: Tensor, size: Sequence[int] = ()) -> Tensor:
    """(N, h, w) -> ReLU, each map scaled to [0, 1], upsampled to ``size``: what pytorch-grad-cam returns."""
    maps = maps.relu()
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    maps = (maps - low) / (high - low + 1e-7)
    return interpolate(maps[:, None], size=tuple(size), mode="bilinear", align_corners=False)[:, 0] if size else maps


def _apart(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference in units of the peer's maximum."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


def _line(method: str, peer: str, ours: Tensor, theirs: Tensor) -> str:
    return f"| {method} | {peer} | {_apart(ours, theirs):.1e} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dear", type=int, default=2, help="rounds of the tables that take minutes")
    parser.add_argument("--only", default="", help="tables whose title holds this")
    parser.add_argument("--out", type=Path, help="write the tables there as they come")
    parser.add_argument("--peak", choices=PEAKS, help="measure one contender's memory and end")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    warnings.simplefilter("ignore")
    if given.peak:
        print(peak(given.peak, given.images))
        return
    parts: list[str] = []

    def tell(part: str) -> None:
        parts.append(part)
        print(part, flush=True)
        if given.out:
            given.out.write_text("\n".join(parts))

    for row in rows(Bench.of(given.images), given.rounds, given.dear):
        if given.only in row.title:
            tell(table(row, measure(row)))
    if not given.only:
        one = with_a_bright_target(Bench.of(1))
        tell(peaks(given.images, given.threads))
        tell(agreement(one))
        tell(known_wrong(one))


if __name__ == "__main__":
    main()
