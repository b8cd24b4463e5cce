"""Training on a GPU: as on the CPU, resumed, in half precision, and as one of several processes."""

import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.multiprocessing.spawn import spawn

from camforge.data.geometry import Geometry
from camforge.data.prepared import Prepared, prepare
from camforge.training import distributed
from camforge.training.loop import Training, train
from camforge.types import ImageSet, Sample, View
from camforge_plugins.backbones.small import Small
from camforge_plugins.trainers.single import Single

LABELS = torch.tensor([[True, False], [False, True], [True, True]]).repeat(16, 1)


def image(i: int) -> Sample:
    pixels = torch.randint(0, 60, (3, 16, 16), generator=torch.Generator().manual_seed(i), dtype=torch.uint8)
    for c in LABELS[i].nonzero().flatten().tolist():
        pixels[c, 4 + 4 * c : 7 + 4 * c] = 250
    return Sample(f"bar{i}", pixels, LABELS[i])


def bars() -> Prepared:
    images = ImageSet(("red", "green"), tuple(f"bar{i}" for i in range(48)), LABELS, image, "bars")
    return prepare(images, Geometry(16, "crop", (0.5,) * 3, (0.25,) * 3))


def task(folder: Path, device: torch.device | str, **options: Any) -> Training:
    folder.mkdir(exist_ok=True)
    backbone = Small(stem=4, widths=(8,), strides=(2,), blocks=("plain",))
    trainer = Single(backbone=backbone, **{"epochs": 3, "batch_size": 16, "lr": 0.01, "optimizer": "sgd"} | options)
    data = bars()
    everything = torch.ones(len(data), dtype=torch.bool)
    return Training(trainer, View.identity(data.dataset.classes), data, everything, 0, torch.device(device), folder)


def weights(found: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten().cpu() for parameter in found.parameters()])


def test_as_on_the_cpu(device: torch.device, tmp_path: Path) -> None:
    found, history = train(task(tmp_path / "gpu", device, tf32=False))
    expected, _ = train(task(tmp_path / "cpu", "cpu"))
    assert history[-1]["loss"] < history[0]["loss"]
    torch.testing.assert_close(weights(found), weights(expected), rtol=1e-3, atol=1e-4)


def test_crops_and_flips_are_those_of_the_cpu(device: torch.device, tmp_path: Path) -> None:
    """A thread fetches the batches: the images that a network sees are the same, in the same order."""
    options = {"tf32": False, "flip": True}
    found, _ = train(replace(task(tmp_path / "gpu", device, **options), size=12))
    expected, _ = train(replace(task(tmp_path / "cpu", "cpu", **options), size=12))
    torch.testing.assert_close(weights(found), weights(expected), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("amp", ["off", "bf16", "fp16"])
def test_precisions_learn(device: torch.device, tmp_path: Path, amp: str) -> None:
    _, history = train(task(tmp_path / amp, device, amp=amp, epochs=8))
    assert history[-1]["loss"] < 0.9 * history[0]["loss"]


def test_resumed(device: torch.device, tmp_path: Path) -> None:
    """Ended after an epoch and started again, it comes to the weights of a training that was let alone."""
    whole, _ = train(task(tmp_path / "whole", device))

    class Ended(BaseException):
        pass

    def tick(images: int, total: int, logs: object) -> None:
        del total, logs
        if images > 60:  # in the second epoch of 48 images
            raise Ended

    ended = replace(task(tmp_path / "parts", device), tick=tick)
    with pytest.raises(Ended):
        train(ended)
    again, history = train(replace(ended, tick=None))
    assert len(history) == 3
    torch.testing.assert_close(weights(again), weights(whole), rtol=1e-4, atol=1e-6)


def _one_of_one(_number: int, port: int, folder: Path) -> None:
    os.environ |= {
        "RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    distributed.join("pytorch")
    try:
        found, _ = train(task(folder / "process", "cuda:0"))
        torch.save(weights(found), folder / "weights.pt")
    finally:
        distributed.leave()


def test_one_process_of_a_launcher(device: torch.device, tmp_path: Path) -> None:
    """nccl between GPUs, here between one and itself."""
    expected, _ = train(task(tmp_path / "alone", device))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawn(_one_of_one, (port, tmp_path), nprocs=1)
    found = torch.load(tmp_path / "weights.pt", weights_only=True)
    torch.testing.assert_close(found, weights(expected), rtol=1e-4, atol=1e-6)
