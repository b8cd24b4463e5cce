"""Tables that a notebook shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from camforge.explanation.captions import method_text
from camforge.interfaces import Plugin
from camforge.maps import all_zero
from camforge.notebook.pictures import class_names, members_by_name
from camforge.notebook.templates import rendered
from camforge.report.data import ReportData
from camforge.report.standing import columns, in_order
from camforge.report.table import asides, remarks
from camforge.types import Grouping, Maps

if TYPE_CHECKING:
    from camforge.config.schema import Experiment


_STEPS = ("grouper", "trainer", "backbone", "extractor", "fusers")


def results_html(report_data: ReportData, page: Path) -> str:
    """The arms table, the best of each column bold, with its remarks and the way to the whole report."""
    return rendered(
        "arms",
        title=report_data.title,
        arms=in_order(report_data.arms),
        columns=columns(report_data.arms),
        remarks=[*asides(report_data), *remarks(report_data)],
        page=page,
    )


def grouping_html(grouping: Grouping) -> str:
    """Each view with its outputs, and the grouper's diagnostics."""
    names = class_names(grouping)
    views = [(view, [", ".join(members) for members in members_by_name(view, names)]) for view in grouping.views]
    return rendered("grouping", views=views, diagnostics=grouping.diagnostics)


def maps_html(maps: Maps) -> str:
    """What the stack holds, in words."""
    values = maps.values
    axes = dict(zip(maps.axes, values.shape[1:-2], strict=True))
    size = f"{values.shape[-2]} x {values.shape[-1]}"
    extent = f"{float(values.min()):.4g} to {float(values.max()):.4g}" if values.numel() else "no values"
    empty = int(all_zero(values).sum()) if len(maps) else 0
    images = len(maps.images.unique())
    return rendered("maps", pairs=len(maps), images=images, axes=axes, size=size, extent=extent, empty=empty)


def experiment_html(experiment: Experiment) -> str:
    """One row per arm, one column per step of the pipeline; a step that all arms share stands above the table."""
    steps: dict[str, list[Plugin | Sequence[Plugin]]] = {
        name: [arm.grouper, arm.trainer, arm.trainer.backbone, arm.extractor, arm.fusers]
        for name, arm in experiment.arms.items()
    }
    cells = {name: [step_text(step) for step in line] for name, line in steps.items()}
    common = [len({line[i] for line in cells.values()}) == 1 for i in range(len(_STEPS))]
    message = {"dataset": step_text(experiment.dataset), "metrics": step_text(experiment.metrics)}
    message |= {step: line[i] for i, step in enumerate(_STEPS) if common[i] for line in [next(iter(cells.values()))]}
    varying = [i for i, same in enumerate(common) if not same]
    return rendered("experiment", experiment=experiment, common=message, steps=_STEPS, varying=varying, cells=cells)


def step_text(step: Plugin | Sequence[Plugin]) -> str:
    """A plugin, or several, by name with the options that differ from their defaults."""
    if not isinstance(step, Plugin):
        return ", ".join(map(step_text, step)) or "–"
    return method_text(step, nested=False)
