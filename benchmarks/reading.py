"""The first read of photographs: JPEG files of 500x375 pixels to squares of 224, in images a second of one core.

    python benchmarks/reading.py [--images 600] [--folder PHOTOGRAPHS]

Without a folder it makes its own: smooth shapes under noise, about 50 kB each, as large as photographs of that size.
Processor time, of this process and of those that read, which other programs disturb less than the wall's; the rows
take turns. "bare" is torchvision's ``decode_image`` alone, without a resize and without anywhere to put the pixels.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_image

from camforge.data.decoding import read_image
from camforge.data.geometry import Geometry
from camforge.data.prepared import Prepared, prepare
from camforge.types import ImageSet, Sample

SQUARE = Geometry(224, "crop", (0.5,) * 3, (0.25,) * 3)


def write_photographs(folder: Path, count: int, size: tuple[int, int] = (500, 375)) -> list[Path]:
    """JPEG files; a hundred different ones, over and over."""
    chance = np.random.default_rng(0)
    paths = [folder / f"{i}.jpg" for i in range(count)]
    for i, path in enumerate(paths):
        if i < 100:
            shapes = Image.fromarray(chance.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize(size, Image.BICUBIC)
            noise = chance.normal(0, 7, (size[1], size[0], 1))
            Image.fromarray((np.asarray(shapes) + noise).clip(0, 255).astype(np.uint8)).save(path, quality=90)
        else:
            path.write_bytes(paths[i % 100].read_bytes())
    return paths


def image_set(paths: list[Path], classes: int = 10) -> ImageSet:
    """Files in turn of one class and the next."""
    labels = torch.eye(classes, dtype=torch.bool).repeat(-(-len(paths) // classes), 1)[: len(paths)]
    load = lambda i: Sample(paths[i].name, read_image(paths[i]), labels[i])  # noqa: E731
    names = tuple(f"class {c}" for c in range(classes))
    return ImageSet(names, tuple(path.name for path in paths), labels, load, "photographs")


def _bare(paths: list[Path]) -> None:
    for path in paths:
        decode_image(torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8), ImageReadMode.RGB)


def _alone(images: ImageSet) -> None:
    for i in range(len(images)):
        SQUARE.place(images.load(i))


def ways(paths: list[Path], decoder: torch.device | None = None) -> dict[str, Callable[[], Prepared | None]]:
    """What is measured, the bare decoder first."""
    images = image_set(paths)
    found: dict[str, Callable[[], Prepared | None]] = {
        "bare: torchvision decodes": partial(_bare, paths),
        "CamForge, decode and resize": partial(_alone, images),
        "CamForge, into its rows, by processes": partial(prepare, images, SQUARE),
    }
    return found if decoder is None else found | {"nvJPEG": partial(prepare, images, SQUARE, decoder=decoder)}


def rates(paths: list[Path], rounds: int = 5, decoder: torch.device | None = None) -> dict[str, float]:
    """Images per second of processor time, the median of the rounds."""
    chosen = ways(paths, decoder)
    seconds: dict[str, list[float]] = {name: [] for name in chosen}
    for _ in range(rounds):
        for name, run in chosen.items():
            before = sum(os.times()[:4])
            run()
            seconds[name].append(sum(os.times()[:4]) - before)
    return {name: len(paths) / statistics.median(found) for name, found in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        own = given.folder and sorted(given.folder.rglob("*.jpg"))[: given.images]
        found = rates(own or write_photographs(Path(folder), given.images), given.rounds)
    bare = next(iter(found.values()))
    print("| | images/s of a core | of bare decoding |\n|---|---|---|")
    for name, rate in found.items():
        print(f"| {name} | {rate:.0f} | {rate / bare:.2f} |")


if __name__ == "__main__":
    main()
