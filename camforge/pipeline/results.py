"""What a run leaves behind: results.json, manifest.json, report.html, and an object to go on with."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import torch
from rich.table import Table
from torch import Tensor

from camforge import __version__
from camforge.files import write_strict_json
from camforge.notebook import Picture
from camforge.notebook.files import save_results
from camforge.notebook.html import results_html
from camforge.notebook.pictures import gallery_maps, results_picture
from camforge.pipeline.arms import ArmResult, FailedArm, Result
from camforge.pipeline.session import NUMBERS, Session, data_recipe
from camforge.report.data import ReportData
from camforge.report.table import arms_table
from camforge.types import Grouping, Maps, TrainedModel

_LIBRARIES = ("torchvision", "mmengine", "numpy", "scikit-learn", "pydantic", "pluggy")


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

    def write(self, found: Sequence[Result]) -> None:
        """Both JSON files. The manifest comes first, so that results never exist without it."""
        write_strict_json(self.folder / "manifest.json", dict(self.report_data.recipe))
        measured = [result for result in found if not isinstance(result, FailedArm)]
        arms = [result for result in measured if isinstance(result, ArmResult)]
        numbers = {
            "experiment": self.report_data.title,
            "arms": self.arms,
            "controls": self.controls,
            "failures": self.failures,
            "left_out": dict(self.report_data.left_out),
            "missing": {r.name: dict(r.measurement.missing) for r in measured if r.measurement.missing},
            "notes": list(self.report_data.notes),
            "skipped": list(self.report_data.skipped),
            "empty_maps": {r.name: r.measurement.empty for r in measured if r.measurement.empty},
            "degenerate_raw_maps": {r.name: asdict(r.degenerate) for r in arms if r.degenerate is not None},
        }
        write_strict_json(self.folder / "results.json", numbers)


def manifest_of(config: Mapping[str, Any], found: Sequence[Result], session: Session) -> dict[str, Any]:
    """The recipe: what it takes to get the same numbers again."""
    return {
        "camforge": __version__,
        "python": platform.python_version(),
        "versions": _versions(),
        "platform": platform.platform(),
        "device": str(session.device),
        "threads": torch.get_num_threads(),
        "seed": session.seed,
        "store": str(session.store.root.resolve()),
        "data": {"train": data_recipe(session.train), "val": data_recipe(session.val)},
        "stages": {result.name: dict(result.keys) if isinstance(result, ArmResult) else {} for result in found},
        "seconds": {label: round(seconds, 1) for label, seconds in session.progress.seconds.items()},
        "config": dict(config),
    }


def other_numbers(folder: Path) -> str | None:
    """The release that an earlier run in this folder has its numbers of; None: this one's, or there was no run."""
    try:
        made = str(json.loads((folder / "manifest.json").read_text("utf-8"))["data"]["val"]["camforge"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):  # there is none, or what is there is replaced
        return None
    return made if made != NUMBERS else None


def _versions() -> dict[str, str]:
    """Of the libraries that numbers depend on; one that is there under another distribution's name is "unknown"."""
    found = {"torch": torch.__version__, "opencv": cv2.__version__}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "unknown"
    return found
