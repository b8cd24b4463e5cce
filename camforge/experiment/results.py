"""What a run leaves behind: results.json, manifest.json, report.html, and an object to go on with."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from camforge import __version__
from camforge.experiment.pipeline import Row
from camforge.experiment.store import write_json
from camforge.experiment.workshop import Bench
from camforge.report.story import Story
from camforge.report.table import arms_table
from camforge.training.images import Prepared

_LIBRARIES = ("torchvision", "mmengine", "numpy", "scikit-learn", "pydantic", "pluggy", "opencv-python")


@dataclass(frozen=True, eq=False)
class Results:
    """A finished experiment: its story, and the folder with results.json, manifest.json, report.html, gallery.png."""

    story: Story
    folder: Path

    @property
    def arms(self) -> dict[str, dict[str, float]]:
        """{arm: {metric: number}}."""
        return {arm.name: dict(arm.metrics) for arm in self.story.arms if not arm.control}

    @property
    def controls(self) -> dict[str, dict[str, float]]:
        """{control: {metric: number}}: what every arm must be held against."""
        return {arm.name: dict(arm.metrics) for arm in self.story.arms if arm.control}

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / "report.html"

    def table(self) -> Table:
        """The arms, for the screen."""
        return arms_table(self.story)

    def write(self, empty_maps: Mapping[str, int]) -> None:
        """Both JSON files, the manifest first: numbers without a recipe must not lie about."""
        write_json(self.folder / "manifest.json", dict(self.story.recipe))
        numbers = {"experiment": self.story.title, "arms": self.arms, "controls": self.controls}
        write_json(
            self.folder / "results.json",
            numbers | {"skipped": list(self.story.skipped), "empty_maps": dict(empty_maps)},
        )


def manifest_of(config: Mapping[str, Any], rows: Sequence[Row], bench: Bench, val: Prepared) -> dict[str, Any]:
    """The recipe: what it takes to get the same numbers again."""
    versions = {name: metadata.version(name) for name in _LIBRARIES} | {"torch": torch.__version__}
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
