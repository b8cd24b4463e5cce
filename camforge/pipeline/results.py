"""What a run leaves behind: results.json, manifest.json, report.html, and an object to go on with."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from rich.table import Table
from torch import Tensor

from camforge import __version__
from camforge.data.prepared import Prepared
from camforge.notebook import Picture
from camforge.notebook.files import save_results
from camforge.notebook.html import results_html
from camforge.notebook.pictures import gallery_maps, results_picture
from camforge.pipeline.arms import Row
from camforge.pipeline.session import Session
from camforge.report.data import ReportData
from camforge.report.table import arms_table
from camforge.store.store import write_json
from camforge.types import Grouping, Maps, TrainedModel

_LIBRARIES = ("torchvision", "mmengine", "numpy", "scikit-learn", "pydantic", "pluggy", "opencv-python")


@dataclass(frozen=True, eq=False)
class Results:
    """A finished experiment: its report data and the folder of results.json, manifest.json, report.html, gallery.png.

    groupings  {arm: how its classes were grouped};  models  {arm: one trained model per view of its grouping}
    """

    report_data: ReportData
    folder: Path
    groupings: Mapping[str, Grouping] = field(default_factory=dict)
    models: Mapping[str, tuple[TrainedModel, ...]] = field(default_factory=dict)

    @property
    def arms(self) -> dict[str, dict[str, float]]:
        """{arm: {metric: number}}."""
        return {arm.name: dict(arm.metrics) for arm in self.report_data.arms if not (arm.control or arm.failure)}

    @property
    def controls(self) -> dict[str, dict[str, float]]:
        """{control: {metric: number}}: what every arm must be held against."""
        return {arm.name: dict(arm.metrics) for arm in self.report_data.arms if arm.control and not arm.failure}

    @property
    def failures(self) -> dict[str, str]:
        """{arm or control: why it ended early}: a plugin that failed, or data that it cannot work with."""
        return {arm.name: arm.failure for arm in self.report_data.arms if arm.failure}

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / "report.html"

    @property
    def photographs(self) -> Tensor:
        """(N, 3, H, W) uint8: the gallery's images, in the geometry in which they were measured."""
        return torch.stack([image.image for image in self.report_data.gallery])

    def maps(self, arm: str) -> Maps:
        """An arm's or control's fused maps of the gallery's images, one per image and class shown."""
        return gallery_maps(self.report_data, arm)

    def plot(self) -> Picture:
        """A few photographs in rows, the truth and every arm's map in columns."""
        return results_picture(self.report_data)

    def save(self, path: str | Path) -> Path:
        """Write the numbers as .csv, the page as .html, or the plot as a picture."""
        return save_results(self.report_data, path)

    def _repr_html_(self) -> str:
        return results_html(self.report_data, self.report)

    def table(self) -> Table:
        """The arms, for the screen."""
        return arms_table(self.report_data)

    def write(self, empty_maps: Mapping[str, int], degenerate: Mapping[str, Mapping[str, Any]]) -> None:
        """Both JSON files, the manifest first: results must never exist without their recipe.

        empty_maps  {arm: how many fused maps are zero};  silent  {arm: which of its raw maps are zero or not finite}
        """
        write_json(self.folder / "manifest.json", dict(self.report_data.recipe))
        numbers = {"experiment": self.report_data.title, "arms": self.arms, "controls": self.controls}
        write_json(
            self.folder / "results.json",
            numbers
            | {"failures": self.failures, "skipped": list(self.report_data.skipped)}
            | {"empty_maps": dict(empty_maps), "silent_raw_maps": dict(degenerate)},
        )


def manifest_of(config: Mapping[str, Any], rows: Sequence[Row], session: Session, val: Prepared) -> dict[str, Any]:
    """The recipe: what it takes to get the same numbers again."""
    versions = {name: metadata.version(name) for name in _LIBRARIES} | {"torch": torch.__version__}
    return {
        "camforge": __version__,
        "python": platform.python_version(),
        "versions": versions,
        "platform": platform.platform(),
        "device": str(session.device),
        "threads": torch.get_num_threads(),
        "seed": session.seed,
        "store": str(session.store.root.resolve()),
        "data": {"train": session.data_recipe(session.train), "val": session.data_recipe(val)},
        "stages": {row.name: dict(row.keys or {}) for row in rows},
        "seconds": {label: round(seconds, 1) for label, seconds in session.progress.seconds.items()},
        "config": dict(config),
    }
