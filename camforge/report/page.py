"""The page: one HTML file that holds everything, loads nothing from elsewhere and runs only its own script."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from camforge.files import write_atomically
from camforge.pictures import data_uri, heat_colours
from camforge.report.data import ArmReport, ReportData, ViewReport
from camforge.report.figures import HUES, Chart, Tree, bars, charts, tree
from camforge.report.gallery import BUDGET, FUSED, Packed, pack_gallery
from camforge.report.standing import Column, columns, duration, in_order, per_class
from camforge.report.table import asides, remarks

BRIEF = 72  # letters of a value that is shown as it is; longer ones unfold
CONTROL_HUE = HUES  # grey, beside the colours h0 … of the arms
SCRIPTS = ("tables.js", "maps.js", "drawing.js", "measure.js", "bench.js", "film.js", "gallery.js")
"""Joined in this order into the page's one script."""


@dataclass(frozen=True)
class Matrix:
    """A C x C table of the grouper's diagnostics as a picture, in the order of the tree's leaves."""

    name: str
    picture: str
    order: tuple[str, ...]
    low: float
    high: float


@dataclass(frozen=True)
class GroupingPart:
    """How classes were grouped, and the arms that share it."""

    arms: tuple[str, ...]
    tree: Tree | None
    views: tuple[ViewReport, ...]
    matrices: tuple[Matrix, ...]
    facts: Mapping[str, Any]


def write_page(path: Path | str, report_data: ReportData) -> Path:
    """Write the report as one HTML file."""
    return write_atomically(path, render(report_data).encode())


def render(report_data: ReportData, budget: int = BUDGET) -> str:
    """The page's text; ``budget`` is the number of characters that the gallery may take."""
    return render_template("page.html", **context_of(report_data, budget))


def context_of(report_data: ReportData, budget: int = BUDGET) -> dict[str, Any]:
    """What the page's template, and those that extend it, have to say."""
    gallery = pack_gallery(report_data, budget)
    arms, classwise = in_order(report_data.arms), per_class(report_data.arms)
    return {
        "report_data": report_data,
        "arms": arms,
        "hues": hues_of(report_data.arms),
        "columns": columns(report_data.arms),
        "headline": _headline(report_data),
        "remarks": remarks(report_data),
        "asides": asides(report_data),
        "per_class": classwise,
        "bars": {metric: bars(arms, metric, labels) for metric, labels in classwise.items()},
        "groupings": groupings(report_data.arms, report_data.classes),
        "trainings": trainings(report_data.arms),
        "gallery": gallery,
        "index": _index(report_data, gallery),
    }


def render_template(name: str, **context: object) -> str:
    """One of the package's templates with its style and script inline, allowed by their hashes and nothing else."""
    loader = PackageLoader("camforge.report")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"pretty": _pretty, "brief": _brief, "is_brief": _is_brief, "json_text": _json_text}
    environment.filters |= {"duration": duration, "breakable": _breakable, "code": _code}
    style = _source(environment, "page.css")
    script = "(() => {\n'use strict';\n" + "\n".join(_source(environment, part) for part in SCRIPTS) + "\n})();"
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    shared = {"style": Markup(style), "script": Markup(script), "policy": policy}
    return environment.get_template(name).render(**shared, **context)


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _breakable(text: str) -> Markup:
    """A name that a narrow column breaks after an underscore."""
    return Markup("_<wbr>").join(text.split("_"))


def _code(text: str) -> Markup:
    """Prose whose code stands in double backticks."""
    parts = text.split("``")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup().join(Markup("<code>{}</code>").format(part) if i % 2 else part for i, part in enumerate(parts))


def _json_text(text: str) -> Markup:
    """JSON for a script element: in JSON these letters stand only inside strings, where an escape means the same."""
    return Markup(text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026"))


def _brief(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _is_brief(value: object) -> bool:
    return isinstance(value, str) or len(_brief(value)) <= BRIEF


def _headline(report_data: ReportData) -> tuple[Column, ArmReport] | None:
    """The first metric and the arm that leads in it."""
    first = next(iter(columns(report_data.arms)), None)
    leader = next((arm for arm in report_data.arms if first and arm.name in first.best), None)
    return (first, leader) if first and leader else None


def trainings(arms: Sequence[ArmReport]) -> list[tuple[tuple[str, ...], list[Chart]]]:
    """Every training once: the arms that share it, and its curves."""
    shared: dict[str, list[ArmReport]] = {}
    for arm in arms:
        if arm.curves:
            shared.setdefault(repr(arm.curves), []).append(arm)
    return [(tuple(arm.name for arm in sharing), charts(sharing[0].curves)) for sharing in shared.values()]


def groupings(arms: Sequence[ArmReport], classes: tuple[str, ...]) -> list[GroupingPart]:
    """Every way in which classes were grouped, once, with the arms that share it."""
    shared: dict[str, list[ArmReport]] = {}
    for arm in arms:
        drawable = any(_is_matrix(value, len(classes)) for value in arm.diagnostics.values())
        if drawable or any(view.level > 0 for view in arm.views):
            key = repr(sorted(map(repr, arm.views))) + json.dumps(arm.diagnostics, sort_keys=True, default=str)
            shared.setdefault(key, []).append(arm)
    return [_grouping(arms, classes) for arms in shared.values()]


def _grouping(arms: Sequence[ArmReport], classes: tuple[str, ...]) -> GroupingPart:
    arm = arms[0]
    levels = tree(arm.views, classes)
    drawn = levels or tree(_clusters(arm.diagnostics, classes), classes)
    order = drawn.order if drawn else classes
    tables = {name: value for name, value in arm.diagnostics.items() if _is_matrix(value, len(classes))}
    return GroupingPart(
        arms=tuple(a.name for a in arms),
        tree=drawn,
        views=() if levels else tuple(view for view in arm.views if view.level > 0),
        matrices=tuple(_matrix(name, rows, order, classes) for name, rows in tables.items()),
        facts={name: _short(value) for name, value in arm.diagnostics.items() if name not in tables},
    )


def _clusters(diagnostics: Mapping[str, Any], classes: tuple[str, ...]) -> list[ViewReport]:
    """The diagnostics' "clusters" as a level of its own, where they hold every class once."""
    clusters = diagnostics.get("clusters")
    groups = list(clusters.values()) if isinstance(clusters, Mapping) else []
    if not all(isinstance(group, list | tuple) for group in groups):
        return []
    once = sorted(str(member) for group in groups for member in group) == sorted(classes)
    return [ViewReport("clusters", tuple(tuple(group) for group in groups), level=1)] if once else []


def _short(value: Any) -> Any:
    """Numbers of diagnostics with the digits that a person reads."""
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {key: _short(inner) for key, inner in value.items()}
    return [_short(inner) for inner in value] if isinstance(value, list | tuple) else value


def _is_matrix(value: object, size: int) -> bool:
    rows = value if isinstance(value, list | tuple) else []
    return len(rows) == size > 0 and all(
        isinstance(row, list | tuple) and len(row) == size and all(isinstance(x, int | float) for x in row)
        for row in rows
    )


def _matrix(name: str, rows: Sequence[Sequence[float]], order: Sequence[str], classes: tuple[str, ...]) -> Matrix:
    """Colours span the values off the diagonal, which would drown the others."""
    places = [classes.index(label) for label in order]
    values = torch.tensor(rows, dtype=torch.float64)[places][:, places]
    others = values[~torch.eye(len(places), dtype=torch.bool) & values.isfinite()]
    low, high = (float(others.min()), float(others.max())) if len(others) else (0.0, 1.0)
    steps = ((values.nan_to_num(low) - low) / ((high - low) or 1) * 255).clamp(0, 255).round().long()
    return Matrix(name, data_uri(heat_colours()[steps].permute(2, 0, 1), ".png"), tuple(order), low, high)


def _index(report_data: ReportData, gallery: Packed) -> dict[str, Any]:
    """What the page's script knows before it opens the first image."""
    hues, kinds = hues_of(report_data.arms), {arm.name: _kind(arm) for arm in report_data.arms}
    items = [(i, label) for i, image in enumerate(report_data.gallery) for label in _shown_classes(image.maps.values())]
    return {
        "classes": report_data.classes,
        "sources": [
            {"arm": a, "step": s, "fused": s == FUSED, "hue": hues.get(a, 0), "kind": kinds.get(a, "")}
            for a, s in gallery.sources
        ],
        "items": items,
        "threshold": round(min(1.0, max(0.0, report_data.threshold)) * 100)
        if math.isfinite(report_data.threshold)
        else 15,
        "palette": base64.b64encode(heat_colours().numpy().tobytes()).decode(),
    }


def hues_of(arms: Sequence[ArmReport]) -> dict[str, int]:
    """{arm: its colour in every figure}."""
    own = [arm.name for arm in arms if not arm.control]
    controls = {arm.name: CONTROL_HUE for arm in arms if arm.control}
    return {name: i % HUES for i, name in enumerate(own)} | controls


def _kind(arm: ArmReport) -> str:
    """What the gallery lists an arm under: its extractor."""
    return "controls" if arm.control else str(arm.spec.get("extractor", {}).get("name", ""))


def _shown_classes(maps: Iterable[Mapping[int, object]]) -> list[int]:
    return sorted({label for of_arm in maps for label in of_arm})
