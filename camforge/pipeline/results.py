"""What a run leaves behind: results.json, manifest.json, report.html, and an object to go on with."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.table import Table
from torch import Tensor

from camforge import __version__
from camforge.data.prepared import Prepared
from camforge.pipeline.arms import Row
from camforge.pipeline.session import Bench
from camforge.report.data import Story
from camforge.report.table import arms_table
from camforge.store.store import write_json
from camforge.types import Grouping, Maps, TrainedModel

if TYPE_CHECKING:
    from camforge.notebook import Picture

_LIBRARIES = ("torchvision", "mmengine", "numpy", "scikit-learn", "pydantic", "pluggy", "opencv-python")


@dataclass(frozen=True, eq=False)
class Results:
    """A finished experiment: its story, and the folder with results.json, manifest.json, report.html, gallery.png.

    groupings  {arm: how its classes were grouped};  models  {arm: one trained model per view of its grouping}
    """

    story: Story
    folder: Path
    groupings: Mapping[str, Grouping] = field(default_factory=dict)
    models: Mapping[str, tuple[TrainedModel, ...]] = field(default_factory=dict)

    @property
    def arms(self) -> dict[str, dict[str, float]]:
        """{arm: {metric: number}}."""
        return {arm.name: dict(arm.metrics) for arm in self.story.arms if not (arm.control or arm.failure)}

    @property
    def controls(self) -> dict[str, dict[str, float]]:
        """{control: {metric: number}}: what every arm must be held against."""
        return {arm.name: dict(arm.metrics) for arm in self.story.arms if arm.control and not arm.failure}

    @property
    def failures(self) -> dict[str, str]:
        """{arm or control: why it ended early}: a plugin that failed, or data that it cannot work with."""
        return {arm.name: arm.failure for arm in self.story.arms if arm.failure}

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / "report.html"

    @property
    def photographs(self) -> Tensor:
        """(N, 3, H, W) uint8: the gallery's images, in the geometry in which they were measured."""
        return torch.stack([image.image for image in self.story.gallery])

    def maps(self, arm: str) -> Maps:
        """An arm's or control's fused maps of the gallery's images, one per image and class shown."""
        from camforge.notebook.pictures import gallery_maps

        return gallery_maps(self.story, arm)

    def plot(self) -> Picture:
        """A few photographs in rows, the truth and every arm's map in columns."""
        from camforge.notebook.pictures import results_picture

        return results_picture(self.story)

    def save(self, path: str | Path) -> Path:
        """Write the numbers as .csv, the page as .html, or the plot as a picture."""
        from camforge.notebook.files import save_results

        return save_results(self.story, path)

    def _repr_html_(self) -> str:
        from camforge.notebook.html import results_html

        return results_html(self.story, self.report)

    def table(self) -> Table:
        """The arms, for the screen."""
        return arms_table(self.story)

    def write(self, empty_maps: Mapping[str, int], silent: Mapping[str, Mapping[str, Any]]) -> None:
        """Both JSON files, the manifest first: numbers without a recipe must not lie about.

        empty_maps  {arm: how many fused maps are zero};  silent  {arm: which of its raw maps are zero or not finite}
        """
        write_json(self.folder / "manifest.json", dict(self.story.recipe))
        numbers = {"experiment": self.story.title, "arms": self.arms, "controls": self.controls}
        write_json(
            self.folder / "results.json",
            numbers
            | {"failures": self.failures, "skipped": list(self.story.skipped)}
            | {"empty_maps": dict(empty_maps), "silent_raw_maps": dict(silent)},
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
        "store": str(bench.store.root.resolve()),
        "data": {"train": bench.data_recipe(bench.train), "val": bench.data_recipe(val)},
        "stages": {row.name: dict(row.keys or {}) for row in rows},
        "seconds": {label: round(seconds, 1) for label, seconds in bench.progress.seconds.items()},
        "config": dict(config),
    }
