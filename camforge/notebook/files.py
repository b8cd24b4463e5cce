"""What ``save`` writes: the end of the file's name says it."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import yaml

from camforge.files import write_atomically
from camforge.notebook.pictures import grouping_drawing, maps_picture, results_picture
from camforge.pictures import FORMATS
from camforge.report.data import ReportData
from camforge.report.page import write_page
from camforge.report.standing import in_order
from camforge.types import CamForgeError, Grouping, Maps

if TYPE_CHECKING:
    from camforge.config.schema import Experiment


def save_results(report_data: ReportData, path: str | Path) -> Path:
    """The numbers (.csv), the page (.html) or the picture of a finished experiment."""
    suffix = Path(path).suffix.lower()
    if suffix == ".html":
        return write_page(path, report_data)
    if suffix == ".csv":
        return write_atomically(path, _csv(report_data).encode())
    return results_picture(report_data).save(_known(path, (".csv", ".html", *FORMATS)))


def save_grouping(grouping: Grouping, path: str | Path) -> Path:
    """Views and diagnostics (.json), or the drawing (.svg)."""
    if Path(path).suffix.lower() == ".json":
        content = {"views": [asdict(view) for view in grouping.views], "diagnostics": dict(grouping.diagnostics)}
        return write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False).encode())
    return grouping_drawing(grouping).save(_known(path, (".json", ".svg")))


def save_maps(maps: Maps, path: str | Path) -> Path:
    """Every field (.pt: a dict of tensors and the axes' names), or the picture."""
    if Path(path).suffix.lower() != ".pt":
        return maps_picture(maps).save(_known(path, (".pt", *FORMATS)))
    content = BytesIO()
    torch.save({each.name: getattr(maps, each.name) for each in fields(maps)}, content)
    return write_atomically(path, content.getvalue())


def save_experiment(experiment: Experiment, path: str | Path) -> Path:
    """The whole experiment as a config, every option spelt out."""
    config = experiment.model_dump(mode="json")
    if Path(_known(path, (".yaml", ".yml", ".json"))).suffix.lower() == ".json":
        text = json.dumps(config, indent=2, ensure_ascii=False)
    else:
        text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    return write_atomically(path, text.encode())


def _known(path: str | Path, suffixes: Sequence[str]) -> str | Path:
    if Path(path).suffix.lower() not in suffixes:
        raise CamForgeError(f"{path}: the end of the name says what is written: {', '.join(suffixes)}")
    return path


def _csv(report_data: ReportData) -> str:
    """Arms in rows, metrics in columns, whole numbers of digits; a cell is empty where there is no number."""
    names = list(dict.fromkeys(name for arm in report_data.arms for name in arm.metrics))
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["arm", "control", *names])
    for arm in in_order(report_data.arms):
        table.writerow([arm.name, int(arm.control), *(arm.metrics.get(name, "") for name in names)])
    return text.getvalue()
