"""Methods that look at more than one backward pass, beside the peers that have them: time and memory.

    OMP_WAIT_POLICY=passive python benchmarks/methods.py --out methods.md

Needs ``pip install camforge[bench]``. Each contender runs in a process of its own, forked from one that has read the
libraries and run nothing, so that its peak memory is its own. In it a bare forward and the method take turns, and the
ratio is taken within a round: a machine that slows down slows both. Of what takes hundreds of forwards the first run
is measured, and no other.
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import torchvision
from captum import attr
from contenders import Run
from peers import Times, high_water
from pytorch_grad_cam import DeepFeatureFactorization, GradCAM, GuidedBackpropReLUModel
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torchcam.methods import LeGrad

from camforge import build
from camforge.capture import extract_maps

TARGET, CONCEPTS = 7, 5
SQUARES = {"patch": 56, "stride": 28}  # 49 of 224 pixels


@dataclass(frozen=True)
class Subject:
    """The network and the images that everybody is given."""

    model: nn.Module
    images: Tensor

    @staticmethod
    def of(kind: str, count: int) -> Subject:
        """ "cnn": ResNet-18; "vit": a vision transformer of DeiT-tiny's size. Random weights."""
        torch.manual_seed(0)
        small = {"num_layers": 12, "num_heads": 3, "hidden_dim": 192, "mlp_dim": 768}
        made = (
            torchvision.models.VisionTransformer(224, 16, **small) if kind == "vit" else torchvision.models.resnet18()
        )
        if kind == "vit":
            nn.init.normal_(made.heads[-1].weight, std=0.02)  # torchvision begins with zeros
        return Subject(made.eval(), torch.randn(count, 3, 224, 224))

    def forward(self) -> Tensor:
        with torch.inference_mode():
            return self.model(self.images)


def ours(name: str, **options: Any) -> Callable[[Subject], Run]:
    extractor = build("extractor", {"name": name, **options})
    return lambda subject: lambda: extract_maps(subject.model, subject.images, [extractor], TARGET).maps


def captum(name: str, **options: Any) -> Callable[[Subject], Run]:
    """Captum's explainer of that name; of networks whose ReLU works in place it can hook none."""

    def make(subject: Subject) -> Run:
        for module in subject.model.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = False
        layer = [subject.model.get_submodule("layer4")] if name == "GuidedGradCam" else []
        explainer = getattr(attr, name)(subject.model, *layer)
        return lambda: explainer.attribute(subject.images, target=TARGET, **options).detach()

    return make


def guided_backprop_of_grad_cam(subject: Subject) -> Run:
    """One image at a time: it takes no others."""
    guided = GuidedBackpropReLUModel(subject.model, "cpu")
    return lambda: [guided(image[None].clone(), TARGET) for image in subject.images]


def guided_gradcam_of_grad_cam(subject: Subject) -> Run:
    """As its examples make it: guided backprop times the map."""
    guided, targets = guided_backprop_of_grad_cam(subject), [ClassifierOutputTarget(TARGET)] * len(subject.images)

    def run() -> list[Any]:
        with GradCAM(subject.model, [subject.model.get_submodule("layer4")]) as extractor:
            maps = extractor(subject.images, targets)
        return [image * one[..., None] for image, one in zip(guided(), maps, strict=True)]

    return run


def dff_of_grad_cam(subject: Subject) -> Run:
    """It factorises the batch as one."""
    factorise = DeepFeatureFactorization(subject.model, subject.model.get_submodule("layer4"))
    return lambda: factorise(subject.images, CONCEPTS)


def legrad_of_torchcam(subject: Subject) -> Run:
    def run() -> Any:
        with LeGrad(subject.model, list(subject.model.encoder.layers)) as extractor:
            return extractor(TARGET, subject.model(subject.images), normalized=False)

    return run


@dataclass(frozen=True)
class Entry:
    """A row of the table: who, on which kind of network, and whether it takes hundreds of forwards."""

    method: str
    who: str
    make: Callable[[Subject], Run]
    kind: str = "cnn"
    dear: bool = False

    @property
    def key(self) -> str:
        return f"{self.method}: {self.who}"


WINDOW = {
    "sliding_window_shapes": (3, SQUARES["patch"], SQUARES["patch"]),
    "strides": (3, SQUARES["stride"], SQUARES["stride"]),
    "perturbations_per_eval": 16,
}
ENTRIES = (
    Entry("guided backprop", "CamForge", ours("guidedbackprop")),
    Entry("guided backprop", "Captum", captum("GuidedBackprop")),
    Entry("guided backprop", "pytorch-grad-cam", guided_backprop_of_grad_cam),
    Entry("Guided Grad-CAM", "CamForge", ours("guidedgradcam")),
    Entry("Guided Grad-CAM", "Captum", captum("GuidedGradCam")),
    Entry("Guided Grad-CAM", "pytorch-grad-cam", guided_gradcam_of_grad_cam),
    Entry("DFF, 5 concepts", "CamForge", ours("dff", count=CONCEPTS)),
    Entry("DFF, 5 concepts", "pytorch-grad-cam", dff_of_grad_cam),
    Entry("Recipro-CAM", "CamForge", ours("reciprocam")),
    Entry("BagCAMs", "CamForge", ours("bagcams")),
    Entry("Integrated Grad-CAM, 50 steps", "CamForge", ours("integratedgradcam"), dear=True),
    Entry("occlusion, 49 squares", "CamForge", ours("occlusion", **SQUARES), dear=True),
    Entry("occlusion, 49 squares", "Captum", captum("Occlusion", **WINDOW), dear=True),
    Entry("RISE, 200 masks", "CamForge", ours("rise", samples=200), dear=True),
    Entry("Poly-CAM, plus, last stage", "CamForge", ours("polycam", layers=["layer4"], variant="plus"), dear=True),
    Entry("rollout, ViT", "CamForge", ours("attention_rollout"), "vit"),
    Entry("LeGrad, ViT", "CamForge", ours("legrad"), "vit"),
    Entry("LeGrad, ViT", "torch-cam", legrad_of_torchcam, "vit"),
)


def measured(key: str, count: int, rounds: int) -> dict[str, float]:
    """MiB that a run adds to what the process holds before it; median seconds, and forwards that it takes."""
    entry = next(entry for entry in ENTRIES if entry.key == key)
    subject = Subject.of(entry.kind, count)
    run = entry.make(subject)
    subject.forward()
    Path("/proc/self/clear_refs").write_text("5")
    before = high_water()
    first, forwards = Times(), Times()
    first.add(run)
    mib = (high_water() - before) / 1024
    runs = first if entry.dear else Times()
    for _ in range(rounds):
        forwards.add(subject.forward)
        if not entry.dear:
            runs.add(run)
    bare = statistics.median(forwards.cpu)
    ratios = [cpu / (bare if entry.dear else own) for cpu, own in zip(runs.cpu, forwards.cpu, strict=False)]
    return {"wall": statistics.median(runs.wall), "forwards": statistics.median(ratios), "mib": mib}


def row(entry: Entry, found: dict[str, float]) -> str:
    return f"| {entry.method} | {entry.who} | {found['wall']:.3g} | {found['forwards']:.3g} | {found['mib']:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="methods whose name holds this")
    parser.add_argument("--out", type=Path, help="write the table there as it comes")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    warnings.simplefilter("ignore")
    lines = ["| method | who | wall, s | forwards, processor time | MiB |", "|---|---|---|---|---|"]
    with get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        for entry in (entry for entry in ENTRIES if given.only in entry.method):
            lines.append(row(entry, pool.apply(measured, (entry.key, given.images, given.rounds))))
            print(lines[-1], flush=True)
            if given.out:
                given.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
