"""How the books grow: many arms, classes, stored stages and images; time and peak memory at a size and at ten times it.

    OMP_NUM_THREADS=1 python benchmarks/books.py [--only arms classes entries images page] [--divide 1]

Each measurement is a process of its own. What grows linearly takes ten times the time at most; what is quadratic would
take a hundred.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torchvision.io import write_png

import camforge
from camforge.report.data import ArmReport, GalleryImage, ReportData
from camforge.report.page import write_page
from camforge.store.maintenance import list_entries, prunable, verify
from camforge.store.store import Store, digest, write_tensors

MIB = 1 << 20
SMALL = {"name": "small", "stem": 4, "widths": [4], "strides": [2], "blocks": ["plain"]}
TINY: dict[str, Any] = {
    "name": "tiny",
    "dataset": {"name": "partworld", "size": 32, "train": 24, "val": 8},
    "images": {"size": 32},
    "trainer": {"name": "single", "epochs": 1, "batch_size": 24, "backbone": SMALL},
    "extractor": "gradcam",
    "metrics": ["miou"],
    "report": {"images": 4},
}
Seconds = dict[str, float]


def timed(work: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def run(folder: Path, config: dict[str, Any]) -> float:
    """Seconds of an experiment that must not fail."""
    file = folder / "experiment.json"
    file.write_text(json.dumps(config))
    start = time.perf_counter()
    results = camforge.run(file, work_dir=folder / "work", device="cpu", quiet=True)
    assert not results.failures, results.failures
    return time.perf_counter() - start


def arms(folder: Path, count: int) -> Seconds:
    """An experiment of so many arms, which share one network."""
    extractors = {f"arm {i}": {"extractor": {"name": "random", "seed": i}} for i in range(count)}
    config = TINY | {"arms": extractors}
    return {"run": run(folder, config), "again, all in the store": run(folder, config)}


def classes(folder: Path, count: int) -> Seconds:
    """A folder of so many classes, two images each, grouped once."""
    for i in range(count):
        for split in ("train", "val"):
            path = folder / "images" / split / f"class {i:04}" / "a.png"
            path.parent.mkdir(parents=True)
            write_png(torch.randint(0, 255, (3, 16, 16), dtype=torch.uint8), str(path))
    grouper = {"name": "kmeans_hierarchy", "sizes": [max(2, count // 10)]}
    grouping = {"grouper": grouper, "fusers": [{"name": "hierarchy"}]}
    data = {"dataset": {"name": "image_folder", "root": str(folder / "images")}, "metrics": ["average_drop"]}
    return {"run": run(folder, TINY | data | {"images": {"size": 16}, "arms": {"alone": {}, "grouped": grouping}})}


def entries(folder: Path, count: int) -> Seconds:
    """A store of so many stages of 2 kB."""
    store, stages = Store(folder / "store"), [{"number": number} for number in range(count)]

    def fill() -> None:
        for stage in stages:
            store.commit("totals", digest(stage), stage, lambda draft: write_tensors(draft / "t.pt", torch.zeros(256)))

    return {
        "commit": timed(fill),
        "find": timed(lambda: [store.find("totals", digest(stage)) for stage in stages]),
        "ls": timed(lambda: list(list_entries(store.root))),
        "verify": timed(lambda: list(verify(store.root))),
        "prunable": timed(lambda: prunable(store.root, 1.0)),
    }


def images(folder: Path, count: int) -> Seconds:
    """So many validation images, measured and shown."""
    arms_of_one = {"arms": {"alone": {}}}
    return {"run": run(folder, TINY | arms_of_one | {"dataset": TINY["dataset"] | {"val": count}})}


def page(folder: Path, count: int) -> Seconds:
    """A page whose gallery holds so many images of 64 pixels, with one map each."""
    gallery = tuple(
        GalleryImage(f"image {i}", torch.randint(0, 255, (3, 64, 64), dtype=torch.uint8), torch.tensor([True]),
                     {"arm": {0: torch.rand(8, 8)}})
        for i in range(count)
    )  # fmt: skip
    data = ReportData("page", ("cat",), (ArmReport("arm", {"miou": 0.5}),), gallery=gallery)
    seconds = timed(lambda: write_page(folder / "report.html", data))
    return {f"write {(folder / 'report.html').stat().st_size / MIB:.0f} MiB": seconds}


BOOKS = {arms: 500, classes: 1000, entries: 10_000, images: 20_000, page: 2000}


def measured(name: str, count: int) -> tuple[Seconds, float]:
    """Seconds by step, and the peak memory in MiB, of a process of its own."""
    command = [sys.executable, __file__, "--case", name, str(count)]
    told = subprocess.run(command, capture_output=True, text=True)
    if told.returncode:
        raise SystemExit(told.stderr)
    seconds, peak = json.loads(told.stdout.splitlines()[-1])
    return seconds, peak


def case(name: str, count: int) -> None:
    """One measurement, as JSON on the last line."""
    torch.set_num_threads(1)
    book = next(book for book in BOOKS if book.__name__ == name)
    with tempfile.TemporaryDirectory() as folder:
        seconds = book(Path(folder), count)
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def main() -> None:
    """Print the table."""
    names = [book.__name__ for book in BOOKS]
    parser = argparse.ArgumentParser(description="How the books grow.")
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--divide", type=int, default=1, help="Smaller by this much, for a first look.")
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.case:
        case(asked.case[0], int(asked.case[1]))
        return
    print("| what | how many | seconds | times | peak, MiB |\n|---|---|---|---|---|", flush=True)
    for book, most in BOOKS.items():
        if book.__name__ not in asked.only:
            continue
        few, many = most // asked.divide // 10, most // asked.divide
        (before, low), (after, high) = measured(book.__name__, few), measured(book.__name__, many)
        for (_, first), (step, last) in zip(before.items(), after.items(), strict=True):
            row = f"{few} -> {many} | {first:.2f} -> {last:.2f} | {last / first:.1f} | {low:.0f} -> {high:.0f} |"
            print(f"| {book.__name__}: {step} | {row}", flush=True)


if __name__ == "__main__":
    main()
