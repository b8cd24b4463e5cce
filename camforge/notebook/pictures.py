"""Pictures and drawings that a notebook shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import torch
from torch import Tensor

from camforge.explanation.drawing import comparison
from camforge.explanation.explanation import Explanation
from camforge.files import write_atomically
from camforge.interfaces.base import choices
from camforge.notebook.templates import rendered
from camforge.pictures import Picture, enlarged, overlay, sheet
from camforge.report.contact import contact_sheet
from camforge.report.data import ReportData, ViewReport
from camforge.report.figures import tree
from camforge.types import CamForgeError, Grouping, Maps, View

ROWS = 12  # pairs in one picture: more is a gallery, which the report has


@dataclass(frozen=True)
class Drawing:
    """A drawing that a notebook shows."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> Path:
        """Write an .svg file."""
        if Path(path).suffix.lower() != ".svg":
            raise CamForgeError(f"{path}: a drawing is saved as .svg")
        return write_atomically(path, self.svg.encode())


def show(found: Mapping[str, Explanation], photographs: Tensor | None = None) -> Picture:
    """Several explanations of the same images side by side, one row per image: what ``camforge.explain`` returned.

    photographs  (N, 3, h, w) uint8, or one (3, h, w), as the network saw them, at any size; None: those explained
    """
    return comparison(found, photographs)


def results_picture(report_data: ReportData) -> Picture:
    """A few photographs in rows, the truth and every arm's map in columns."""
    picture = contact_sheet(report_data)
    if picture is None:
        raise CamForgeError(f"experiment {report_data.title!r} kept no images to show: set report.images")
    return Picture(picture)


def grouping_drawing(grouping: Grouping) -> Drawing:
    """A tree where the levels nest; else a matrix of the classes that some view sets against each other."""
    names = class_names(grouping)
    drawn = tree([ViewReport(v.name, members_by_name(v, names), v.level) for v in grouping.views], names)
    if drawn is not None:
        return Drawing(rendered("tree", figure=drawn))
    problems = [view for view in grouping.views if None in view.assignment] or grouping.views
    against = {pair for view in problems for pair in _rivals(view)}
    return Drawing(rendered("against", names=names, cells=sorted(against)))


def maps_picture(maps: Maps, photographs: Tensor | None = None, classes: Sequence[str] = ()) -> Picture:
    """One row per pair, one tile per entry of the middle axes, at most twelve rows.

    photographs  (B, 3, H, W) uint8 of the batch; without them the maps are shown on black
    """
    if not len(maps):
        raise CamForgeError("there are no maps to show")
    rows = []
    for pair, values in enumerate(maps.values[:ROWS].detach().cpu()):
        image, label = int(maps.images[pair]), int(maps.classes[pair])
        name = classes[label] if classes else f"class {label}"
        ground = values.new_zeros(3, *values.shape[-2:]).byte() if photographs is None else photographs[image].cpu()
        tiles = [] if photographs is None else [(f"image {image}", ground)]
        tiles += [(f"{name}{part}", overlay(ground, values[place])) for part, place in _entries(maps, pair)]
        rows.append([(caption, enlarged(tile)) for caption, tile in tiles])
    return Picture(sheet(rows))


def gallery_maps(report_data: ReportData, arm: str) -> Maps:
    """A row's fused maps of the gallery's images, one per image and class shown. Raises CamForgeError."""
    rows = {row.name for row in report_data.arms if not row.failure}
    if arm not in rows:
        raise CamForgeError(f"no arm {arm!r}; {choices(arm, rows, 'arms and controls')}")
    if not report_data.gallery:
        raise CamForgeError(f"experiment {report_data.title!r} kept no images: set report.images")
    found = [(i, c, values) for i, image in enumerate(report_data.gallery) for c, values in image.maps[arm].items()]
    images, classes = (torch.tensor([row[k] for row in found], dtype=torch.int64) for k in (0, 1))
    nothing = torch.zeros(len(found), 0, dtype=torch.int64)
    labels = torch.stack([image.labels for image in report_data.gallery])
    return Maps(torch.stack([row[2] for row in found]), (), images, classes, nothing.bool(), nothing, labels)


def class_names(grouping: Grouping) -> tuple[str, ...]:
    """The names of the classes, as far as the views' outputs tell them."""
    names = {c: f"class {c}" for c in range(len(grouping.views[0].assignment))}
    for view in grouping.views:
        for output, name in enumerate(view.outputs):
            if len(view.members(output)) == 1:
                names[view.members(output)[0]] = name
    return tuple(names.values())


def members_by_name(view: View, names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Per output: the names of its classes."""
    return tuple(tuple(names[c] for c in view.members(output)) for output in range(len(view.outputs)))


def _entries(maps: Maps, pair: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The entries of the middle axes that a pair has: ", view 1, layer 0" and the place."""
    for place in product(*(range(n) for n in maps.values.shape[1:-2])):
        at = dict(zip(maps.axes, place, strict=True))
        if "view" not in at or bool(maps.valid[pair, at["view"]]):
            yield "".join(f", {axis} {i}" for axis, i in at.items()), place


def _rivals(view: View) -> Iterator[tuple[int, int]]:
    """Pairs of classes that have different outputs in a view."""
    there = [(c, output) for c, output in enumerate(view.assignment) if output is not None]
    yield from ((a, b) for (a, x), (b, y) in product(there, there) if x != y)
