"""Methods that read attention, and occlusion, beside the peers that have them: torch-cam's LeGrad, Captum's occlusion.

    OMP_WAIT_POLICY=passive python benchmarks/attention.py --threads 1

Needs ``pip install camforge[bench]``. Times as in peers.py; the largest difference of the maps in units of their
maximum; the peak memory of one run, each in a process of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torchvision
from contenders import Row, Run
from peers import high_water, measure, table
from torch import Tensor

from camforge import build
from camforge.capture import extract_maps

NAMES = ("attention_rollout", "generic_attention", "legrad", "attnlrp", "transformer_attribution")
OCCLUDED = {"name": "occlusion", "patch": 28, "stride": 14}


def vit(count: int) -> tuple[torch.nn.Module, Tensor]:
    torch.manual_seed(0)
    model = torchvision.models.vit_b_16().eval()
    torch.nn.init.normal_(model.heads[-1].weight, std=0.02)  # torchvision begins with zeros
    return model, torch.randn(count, 3, 224, 224)


def resnet(count: int) -> tuple[torch.nn.Module, Tensor]:
    torch.manual_seed(0)
    return torchvision.models.resnet18().eval(), torch.randn(count, 3, 112, 112)


def bare(model: torch.nn.Module, images: Tensor) -> Run:
    def run() -> Tensor:
        with torch.inference_mode():
            return model(images)

    return run


def ours(model: torch.nn.Module, images: Tensor, spec: Any) -> Run:
    extractor = build("extractor", spec)
    return lambda: extract_maps(model, images, [extractor], 7).maps[0][0]


def torchcam_legrad(model: Any, images: Tensor) -> Run:
    from torchcam.methods import LeGrad

    def run() -> Tensor:
        with LeGrad(model, list(model.encoder.layers)) as extractor:
            maps = extractor(7, model(images), normalized=False)
            return torch.stack(list(maps)).mean(0)

    return run


def captum_occlusion(model: torch.nn.Module, images: Tensor) -> Run:
    from captum.attr import Occlusion

    window, strides = (3, OCCLUDED["patch"], OCCLUDED["patch"]), (3, OCCLUDED["stride"], OCCLUDED["stride"])
    explainer = Occlusion(model)

    def run() -> Tensor:
        with torch.no_grad():
            return explainer.attribute(images, window, strides, target=7, perturbations_per_eval=16)[:, 0]

    return run


CONTENDERS: dict[str, Callable[[int], Run]] = {
    "forward of ViT-B/16": lambda n: bare(*vit(n)),
    **{f"CamForge {name}": lambda n, name=name: ours(*vit(n), name) for name in NAMES},
    "torch-cam LeGrad": lambda n: torchcam_legrad(*vit(n)),
    "forward of ResNet-18": lambda n: bare(*resnet(n)),
    "CamForge occlusion": lambda n: ours(*resnet(n), OCCLUDED),
    "Captum occlusion": lambda n: captum_occlusion(*resnet(n)),
}


def difference(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


def peak(name: str, count: int) -> float:
    """MiB that one run adds to what its process holds before it."""
    run = CONTENDERS[name](count)
    Path("/proc/self/clear_refs").write_text("5")
    before = high_water()
    run()
    return (high_water() - before) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peak", default="")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.peak:
        print(peak(args.peak, args.images))
        return
    made = {name: make(args.images) for name, make in CONTENDERS.items()}
    names = list(made)
    for title, part in (("ViT-B/16, all blocks", names[:7]), ("Occlusion, 49 squares of ResNet-18", names[7:])):
        row = Row(title, {name: made[name] for name in part}, args.rounds, "no slower than the peer")
        print(table(row, measure(row)), flush=True)
    print("LeGrad, torch-cam:", difference(made["CamForge legrad"](), made["torch-cam LeGrad"]()))
    print("occlusion, Captum:", difference(made["CamForge occlusion"](), made["Captum occlusion"]()), flush=True)
    for name in names:
        command = [
            sys.executable,
            __file__,
            "--peak",
            name,
            "--images",
            str(args.images),
            "--threads",
            str(args.threads),
        ]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
        print(f"| {name} | {float(found):.0f} |", flush=True)


if __name__ == "__main__":
    main()
