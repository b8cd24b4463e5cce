"""What a run leaves behind: results.json, manifest.json, report.html, and an object to go on with."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from camforge import __version__
from camforge.experiment.pipeline import Row
from camforge.experiment.store import write_json
from camforge.experiment.workshop import Bench
from camforge.training.images import Prepared

_LIBRARIES = ("torch", "torchvision", "mmengine", "numpy", "scikit-learn", "pydantic", "pluggy", "opencv-python")


@dataclass(frozen=True, eq=False)
class Results:
    """The numbers of a finished experiment.

    arms, controls  name -> {metric: number}
    skipped         split -> {image id: reason}
    empty_maps      arm -> how many of its fused maps had nothing above zero
    folder          where results.json, manifest.json and report.html lie
    """

    name: str
    arms: Mapping[str, Mapping[str, float]]
    controls: Mapping[str, Mapping[str, float]]
    skipped: Mapping[str, Mapping[str, str]]
    empty_maps: Mapping[str, int]
    lower_is_better: frozenset[str]
    folder: Path

    @staticmethod
    def of(name: str, rows: Sequence[Row], bench: Bench, val: Prepared, lower: frozenset[str], folder: Path) -> Results:
        """Collect the rows."""
        return Results(
            name=name,
            arms={row.name: dict(row.measured.metrics) for row in rows if row.arm is not None},
            controls={row.name: dict(row.measured.metrics) for row in rows if row.arm is None},
            skipped={"train": bench.train.skipped, "val": val.skipped},
            empty_maps={row.name: row.measured.empty for row in rows if row.measured.empty},
            lower_is_better=lower,
            folder=folder,
        )

    def write(self, manifest: Mapping[str, Any]) -> None:
        """Both JSON files, the manifest first: numbers without a recipe must not lie about."""
        write_json(self.folder / "manifest.json", dict(manifest))
        numbers = {"experiment": self.name, "arms": self.arms, "controls": self.controls}
        write_json(self.folder / "results.json", numbers | {"skipped": self.skipped, "empty_maps": self.empty_maps})

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / "report.html"


def manifest_of(config: Mapping[str, Any], rows: Sequence[Row], bench: Bench, val: Prepared) -> dict[str, Any]:
    """The recipe: what it takes to get the same numbers again."""
    versions = {name: metadata.version(name) for name in _LIBRARIES}
    return {
        "camforge": __version__,
        "python": platform.python_version(),
        "versions": versions,
        "platform": platform.platform(),
        "device": str(bench.device),
        "threads": torch.get_num_threads(),
        "seed": bench.seed,
        "data": {"train": bench.data_recipe(bench.train), "val": bench.data_recipe(val)},
        "stages": {row.name: dict(row.keys or {}) for row in rows},
        "seconds": {label: round(seconds, 1) for label, seconds in bench.progress.seconds.items()},
        "config": dict(config),
    }
