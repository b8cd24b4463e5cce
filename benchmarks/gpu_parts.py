"""What ``gpu.py`` measures: passes, the first read, extraction, training, memory; one generator of tables each."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torchvision
from contenders import STAGES, Bench, Run
from gpu_tables import Given, Goal, Table
from reading import image_set, ways, write_photographs
from torch import Tensor, nn

from camforge import build
from camforge.config.schema import Extraction
from camforge.data.geometry import Geometry
from camforge.data.prepared import Prepared, prepare
from camforge.pipeline.extraction.passes import Passes, ahead
from camforge.training.loop import Training, train
from camforge.types import View


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
    goals = [Goal("Grad-CAM, 8 images, in forwards", "CamForge", "forward", 1.15)]
    if peers:
        goals.append(Goal("Grad-CAM, 8 images, times as fast as torch-cam", "torch-cam", "CamForge", 1.25, least=True))
    yield Table("Grad-CAM, last stage, 8 images", first | {"CamForge": eight.camforge("gradcam")} | peers, tuple(goals))
    many = {"CamForge": eight.camforge("gradcam", targets=eight.twenty)}
    goal = Goal("twenty classes of each of 8 images, in forwards", "CamForge", "forward", 1.2)
    yield Table("Grad-CAM of twenty classes of each of 8 images", first | many | twenty, (goal,))
    yield Table("Layer-CAM, all stages, 8 images", first | {"CamForge": eight.camforge(own)} | layers)
    yield Table("FullGrad, 8 images", first | {"CamForge": eight.camforge("fullgrad")})
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
        limits = {"Grad-CAM": 1.05, "Layer-CAM, all stages": 1.9, "FullGrad": 3.2}
        said = f"64 images, bf16, {layout}, in forwards"
        goals = [Goal(f"{name}, {said}", name, "forward", limit) for name, limit in limits.items()]
        yield Table(f"64 images, float32, {layout}", runs)
        yield Table(
            f"64 images, bfloat16, {layout}", {k: autocast(given, run) for k, run in runs.items()}, tuple(goals)
        )


def photographs(given: Given, folder: str) -> Prepared:
    """JPEG files, decoded once: after that, what is read are rows of bytes."""
    count = 20 if given.quick else 4096
    paths = write_photographs(Path(folder), count, (64, 48) if given.quick else (500, 375))
    return prepare(image_set(paths), Geometry(given.size, "crop", (0.5,) * 3, (0.25,) * 3))


def reading(given: Given) -> Iterator[Table]:
    """The first read of JPEG files, by every decoder; ``benchmarks/reading.py`` tells images a second."""
    decoder = given.device if given.device.type == "cuda" else None
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photographs(Path(folder), 20 if given.quick else 4000)
        few = paths[: len(paths) // 10]
        one_core = dict([*ways(few).items()][:2])
        yield Table(f"First read of {len(few)} JPEG files, one core", one_core)
        all_cores = dict([*ways(paths, decoder).items()][2:])
        yield Table(f"First read of {len(paths)} JPEG files, all cores", all_cores)


def extraction(given: Given) -> Iterator[Table]:
    """The pipeline's own passes over a split, beside bare inference on images that are there already."""
    with tempfile.TemporaryDirectory() as folder:
        data = photographs(given, folder)
        for size in (64, 256):
            made = bench(given, size, channels_last=True)
            count = len(made.images)

            def forwards(made: Bench = made, count: int = count) -> None:
                for _ in range(0, len(data), count):
                    bare(made)()

            runs = {"inference": autocast(given, forwards)}
            runs |= {"extraction": _extraction(given, data, size)}
            said = f"extraction, bf16, batches of {size}, in the time of bare inference (75 % of its speed)"
            goal = Goal(said, "extraction", "inference", 1.33)
            yield Table(f"Grad-CAM of {len(data)} images, bfloat16, batches of {size}", runs, (goal,))


def _extraction(given: Given, data: Prepared, size: int) -> Run:
    asked = SimpleNamespace(extraction=Extraction(autocast="bf16"))
    session: Any = SimpleNamespace(experiment=asked, device=given.device)
    passes = Passes([build("extractor", "gradcam")], session, "", size)
    network = build("backbone", {"name": "torchvision", "arch": "resnet50"}).build(10, pretrained=False)
    ready = passes.ready(network.to(given.device).eval())

    def run() -> None:
        started = (passes.start(ready, *batch, data.labels) for batch in data.batches(size, given.device))
        for _ in ahead(started, 1):
            pass

    return run


def training(given: Given) -> Iterator[Table]:
    """Two epochs of CamForge's training on JPEG files that were decoded once, beside a bare loop on resident images."""
    batch, epochs = (4, 1) if given.quick else (128, 2)
    with tempfile.TemporaryDirectory() as folder:
        data = photographs(given, folder)
        runs = {
            "bare loop": _bare_loop(given, len(data), batch, epochs),
            "CamForge": _own_training(given, data, batch, epochs, Path(folder)),
        }
        goal = Goal("training, bf16, in the time of a bare loop (90 % of its speed)", "CamForge", "bare loop", 1.11)
        yield Table(f"Training, ResNet-50, bfloat16, {epochs} epochs of {len(data)} images", runs, (goal,))


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


def _own_training(given: Given, data: Prepared, batch: int, epochs: int, folder: Path) -> Run:
    backbone = {"name": "torchvision", "arch": "resnet50"}
    options = {"epochs": epochs, "batch_size": batch, "amp": "bf16", "channels_last": True, "schedule": "constant"}
    trainer = build("trainer", {"name": "single", "backbone": backbone} | options)
    view, use = View.identity(data.dataset.classes), torch.ones(len(data), dtype=torch.bool)
    number = iter(range(1000))

    def run() -> None:
        own = folder / f"training {next(number)}"
        own.mkdir()
        train(Training(trainer, view, data, use, 0, given.device, own))

    return run


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
    "reading": (reading, 0.1),
}
"""Each part, and its share of the rounds."""
