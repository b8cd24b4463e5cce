"""Everything that a GPU is to reach, in one command of a few minutes: passes beside the peers, extraction, training.

    python benchmarks/gpu.py --out gpu.md
    python benchmarks/gpu.py --device cpu --quick     # does it start? The numbers say nothing

ResNet-50 with random weights, images of 224 pixels. The contenders of a table take turns, and a ratio is taken within a
round, to a bare forward of the same images in the same precision; on a GPU each run ends with a wait for the device.
A part that fails is told in its place. Peers take part where ``pip install camforge[bench]`` has put them.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import statistics
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torchvision
from contenders import STAGES, Bench, Run
from torch import Tensor, nn

from camforge import build
from camforge.capture import extract_maps


@dataclass(frozen=True)
class Given:
    """Where and how much is measured."""

    device: torch.device
    quick: bool
    rounds: int

    @property
    def size(self) -> int:
        return 32 if self.quick else 224

    def images(self, count: int) -> int:
        return min(count, 2) if self.quick else count

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


@dataclass(frozen=True)
class Table:
    """Contenders by name, the first of them what ratios are to, and the goal."""

    title: str
    goal: str
    contenders: dict[str, Run]


def bench(given: Given, count: int, channels_last: bool = False) -> Bench:
    """The model and the images on the device."""
    made = Bench.of(given.images(count), given.size)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = made.model.to(given.device, memory_format=layout)
    images = made.images.to(given.device, memory_format=layout)
    return replace(made, model=model, images=images)


def autocast(given: Given, run: Run) -> Run:
    """The same in bfloat16."""

    def inside() -> Any:
        with torch.autocast(given.device.type, torch.bfloat16):
            return run()

    return inside


def bare(made: Bench) -> Run:
    """A forward in inference mode, in the layout that the images have."""

    def run() -> Tensor:
        with torch.inference_mode():
            return made.model(made.images)

    return run


def has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def passes(given: Given) -> Iterator[Table]:
    """One pass, eight images in float32, then 64 in bfloat16 in either layout."""
    eight = bench(given, 8)
    peers: dict[str, Run] = {}
    twenty: dict[str, Run] = {}
    layers: dict[str, Run] = {}
    if has("torchcam"):
        peers["torch-cam"] = eight.torchcam("GradCAM", "layer4")
        twenty["torch-cam"] = eight.torchcam_twenty()
        layers["torch-cam"] = eight.torchcam("LayerCAM", STAGES)
    own = {"name": "layercam", "layers": "stages"}
    first = {"forward": bare(eight)}
    goal = "<= 1.15 forwards, >= 1.25 times as fast as torch-cam"
    yield Table("Grad-CAM, last stage, 8 images", goal, first | {"CamForge": eight.camforge("gradcam")} | peers)
    many = {"CamForge": eight.camforge("gradcam", targets=eight.twenty)}
    yield Table("Grad-CAM of twenty classes of each of 8 images", "<= 1.2 forwards", first | many | twenty)
    yield Table("Layer-CAM, all stages, 8 images", "none", first | {"CamForge": eight.camforge(own)} | layers)
    yield Table("FullGrad, 8 images", "none", first | {"CamForge": eight.camforge("fullgrad")})
    for channels_last in (False, True):
        many_images = bench(given, 64, channels_last)
        runs = {
            "forward": bare(many_images),
            "Grad-CAM": many_images.camforge("gradcam"),
            "Layer-CAM, all stages": many_images.camforge(own),
            "FullGrad": many_images.camforge("fullgrad"),
        }
        if has("torchcam"):
            runs["torch-cam Grad-CAM"] = many_images.torchcam("GradCAM", "layer4")
        layout = "channels_last" if channels_last else "plain layout"
        goal = "Grad-CAM <= 1.05, Layer-CAM <= 1.9, FullGrad <= 3.2 forwards"
        yield Table(f"64 images, float32, {layout}", "none", runs)
        yield Table(f"64 images, bfloat16, {layout}", goal, {k: autocast(given, run) for k, run in runs.items()})


def extraction(given: Given) -> Iterator[Table]:
    """Grad-CAM of a split whose pixels are on the host, in batches, beside bare inference on images already there."""
    made = bench(given, 64, channels_last=True)
    pixels = torch.randint(0, 256, (given.images(1024), 3, given.size, given.size), dtype=torch.uint8)
    extractors = [build("extractor", "gradcam")]

    def forwards() -> None:
        for _ in range(0, len(pixels), len(made.images)):
            bare(made)()

    def maps() -> list[Tensor]:
        found = []
        for start in range(0, len(pixels), len(made.images)):
            batch = pixels[start : start + len(made.images)].to(given.device, non_blocking=True)
            images = batch.float().div_(255).contiguous(memory_format=torch.channels_last)
            found.append(extract_maps(made.model, images, extractors, [0] * len(images)).maps[0][0].cpu())
        return found

    runs = {"inference": autocast(given, forwards), "extraction": autocast(given, maps)}
    yield Table("Grad-CAM of 1024 images, bfloat16", "<= 1.33 times bare inference (75 % of its speed)", runs)


def training(given: Given) -> Iterator[Table]:
    """Two epochs of CamForge's training on images in memory beside a bare loop on images on the device."""
    count, batch = (20, 4) if given.quick else (2048, 128)
    epochs = 1 if given.quick else 2
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            "bare loop": _bare_loop(given, count, batch, epochs),
            "CamForge": _own_training(given, count, batch, epochs, Path(folder)),
        }
        yield Table(
            f"Training, ResNet-50, bfloat16, {epochs} epochs of {count} images", "<= 1.11 times the bare loop", runs
        )


def _bare_loop(given: Given, count: int, batch: int, epochs: int) -> Run:
    def run() -> None:
        model = torchvision.models.resnet50(num_classes=10).to(given.device, memory_format=torch.channels_last).train()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=given.device.type == "cuda")
        images = torch.randn(batch, 3, given.size, given.size, device=given.device)
        images = images.contiguous(memory_format=torch.channels_last)
        targets = torch.zeros(batch, 10, device=given.device)
        for _ in range(epochs * count // batch):
            with torch.autocast(given.device.type, torch.bfloat16):
                loss = nn.functional.binary_cross_entropy_with_logits(model(images), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return run


def _own_training(given: Given, count: int, batch: int, epochs: int, folder: Path) -> Run:
    from camforge.data.geometry import Geometry
    from camforge.data.prepared import prepare
    from camforge.training.loop import Training, train
    from camforge.types import ImageSet, Sample, View

    labels = torch.eye(10, dtype=torch.bool).repeat(-(-count // 10), 1)[:count]
    pixels = torch.randint(0, 256, (3, given.size, given.size), dtype=torch.uint8)
    ids = tuple(map(str, range(count)))
    images = ImageSet(tuple("abcdefghij"), ids, labels, lambda i: Sample(str(i), pixels, labels[i]), "noise")
    data = prepare(images, Geometry(given.size, "crop", (0.5,) * 3, (0.25,) * 3))
    backbone = {"name": "torchvision", "arch": "resnet50"}
    options = {"epochs": epochs, "batch_size": batch, "amp": "bf16", "channels_last": True, "schedule": "constant"}
    trainer = build("trainer", {"name": "single", "backbone": backbone} | options)
    view, use, number = View.identity(images.classes), torch.ones(count, dtype=torch.bool), iter(range(1000))

    def run() -> None:
        own = folder / str(next(number))
        own.mkdir()
        train(Training(trainer, view, data, use, 0, given.device, own))

    return run


def measure(table: Table, given: Given, rounds: int) -> str:
    """Median milliseconds and ratios to the first contender, with their quartiles where there are enough rounds."""
    times: dict[str, list[float]] = {name: [] for name in table.contenders}
    for number in range(-1, rounds):
        order = random.Random(number).sample(list(table.contenders), len(times))
        for name in order:
            given.wait()
            start = time.perf_counter()
            table.contenders[name]()
            given.wait()
            if number >= 0:
                times[name].append(time.perf_counter() - start)
    reference = next(iter(times.values()))
    lines = [
        f"### {table.title}",
        "",
        f"Goal: {table.goal}. Rounds: {rounds}.",
        "",
        "| | ms | ratio |",
        "|---|---|---|",
    ]
    for name, seconds in times.items():
        ratios = [a / b for a, b in zip(seconds, reference, strict=True)]
        lines.append(f"| {name} | {1000 * statistics.median(seconds):.2f} | {_spread(ratios)} |")
    return "\n".join(lines) + "\n"


def _spread(ratios: list[float]) -> str:
    if len(ratios) < 4:
        return f"{statistics.median(ratios):.2f}"
    low, middle, high = statistics.quantiles(ratios)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def memory(given: Given) -> str:
    """Peak memory of one pass over 8 images beyond model and images."""
    if given.device.type != "cuda":
        return "### Peak memory\n\nNot measured: no GPU.\n"
    eight = bench(given, 8)
    runs = {"forward": bare(eight), "Grad-CAM": eight.camforge("gradcam"), "FullGrad": eight.camforge("fullgrad")}
    if has("torchcam"):
        runs["torch-cam Grad-CAM"] = eight.torchcam("GradCAM", "layer4")
    lines = ["### Peak memory, 8 images", "", "| | MiB |", "|---|---|"]
    for name, run in runs.items():
        run()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        given.wait()
        lines.append(f"| {name} | {(torch.cuda.max_memory_allocated() - before) / 2**20:.0f} |")
    return "\n".join(lines) + "\n"


Part = Callable[[Given], Iterator[Table]]
PARTS: dict[str, tuple[Part, float]] = {
    "passes": (passes, 1),
    "extraction": (extraction, 0.2),
    "training": (training, 0.1),
}
"""Each part, and its share of the rounds."""


def reports(given: Given, only: list[str], seconds: float) -> Iterator[str]:
    """The tables as they come. When the time is up, what is left is named."""
    end = time.perf_counter() + seconds
    for name, (part, share) in PARTS.items():
        if name not in only:
            continue
        try:
            for table in part(given):
                if time.perf_counter() > end:
                    yield f"### {table.title}\n\nNot measured: the time was up.\n"
                else:
                    yield measure(table, given, max(1, int(share * given.rounds)))
        except Exception:
            yield f"### {name}\n\nFailed:\n\n```\n{traceback.format_exc(limit=-4)}```\n"
    yield memory(given)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=300, help="no table is begun after that")
    parser.add_argument("--quick", action="store_true", help="tiny images and one round")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--out", type=Path, help="write the tables there as they come")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    given = Given(torch.device(asked.device), asked.quick, 1 if asked.quick else asked.rounds)
    name = torch.cuda.get_device_name() if given.device.type == "cuda" else "CPU"
    parts = [f"torch {torch.__version__}, {name}\n"]
    print(parts[0])
    for part in reports(given, asked.only, asked.seconds):
        parts.append(part)
        print(part, flush=True)
        if asked.out:
            asked.out.write_text("\n".join(parts))


if __name__ == "__main__":
    main()
