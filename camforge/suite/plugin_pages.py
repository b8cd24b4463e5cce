"""The page of a plugin: what the host knows of it, and its numbers in the scores of every suite that was run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from inspect import cleandoc, getdoc
from pathlib import Path
from typing import Any

from camforge.config.schema import Experiment
from camforge.config.shipped import shipped
from camforge.files import file_name
from camforge.host.describe import example, options_of
from camforge.host.discovery import PluginClass
from camforge.report.data import ArmReport
from camforge.report.plugin import PluginPage, PluginTable, write_plugin_page
from camforge.report.suite import SuiteReport
from camforge.suite.catalogue import WORK
from camforge.suite.scores import RECIPE, Recorded, recorded


def known_scores() -> list[Path]:
    """The folders of scores of the suites that ran below ``work/bench``, and those that come with CamForge."""
    return [path for path in (*sorted(WORK.glob("*/scores")), shipped() / "scores") if path.is_dir()]


def write_plugin_pages(folder: Path, plugins: Iterable[PluginClass], scores: Sequence[Path]) -> list[Path]:
    """A page each, ``extractor-gradcam.html``."""
    experiments = list(_experiments(scores))
    folder.mkdir(parents=True, exist_ok=True)
    return [write_plugin_page(folder / _file(one.kind, one.cls.name), _page(one, experiments)) for one in plugins]


def linked(table: SuiteReport, experiment: Experiment, folder: str) -> SuiteReport:
    """The table with each arm's link to the page of its extractor, below a suite's folder."""
    pages = {name: f"{folder}/{_file('extractor', arm.extractor.name)}" for name, arm in experiment.arms.items()}
    return replace(table, rows=tuple(replace(row, page=pages.get(row.arm.name, "")) for row in table.rows))


def _file(kind: str, name: str) -> str:
    return f"{file_name(f'{kind}-{name}')}.html"


def _page(plugin: PluginClass, experiments: Sequence[tuple[Path, list[Recorded]]]) -> PluginPage:
    cls = plugin.cls
    about = cleandoc(getdoc(cls) or "").split("\n\n")
    tables = [_table(plugin, folder, rows) for folder, rows in experiments]
    return PluginPage(
        plugin.kind, cls.name, f"{plugin.distribution} {plugin.version}", about, options_of(cls), example(cls),
        [table for table in tables if table is not None],
    )  # fmt: skip


def _experiments(scores: Sequence[Path]) -> Iterator[tuple[Path, list[Recorded]]]:
    """(folder, as the page names it, and its rows) of every experiment."""
    for root in map(Path.resolve, scores):
        for recipe in sorted(root.rglob(RECIPE)):
            yield recipe.parent.relative_to(root.parents[1]), list(recorded(recipe.parent))


def _table(plugin: PluginClass, folder: Path, rows: Sequence[Recorded]) -> PluginTable | None:
    """The rows of an experiment that the plugin has a part in, None where it has none."""
    own = frozenset(row.score.row for row in rows if not row.score.control and _uses(row.score.arm, plugin))
    metric = plugin.cls.name if plugin.kind == "metric" else ""
    only = frozenset(rows[0].recipe.get("numbers", {}).get(metric, ())) if rows else frozenset()
    if not own and not only:
        return None
    recipe = rows[0].recipe
    source = f"{folder}: CamForge {recipe['camforge']}, torch {recipe['versions']['torch']}, {recipe['platform']}"
    return PluginTable(rows[0].score.experiment, source, tuple(map(_arm, rows)), own, only)


def _arm(row: Recorded) -> ArmReport:
    """Its numbers that speak of all classes."""
    numbers = {name: math.nan if value is None else value for name, value in row.score.scores.items()}
    numbers = {name: value for name, value in numbers.items() if "/" not in name}
    lower, undirected = (frozenset(row.recipe.get(key, ())) for key in ("lower_is_better", "undirected"))
    return ArmReport(
        row.score.row, numbers, lower, control=row.score.control, failure=row.score.failure, undirected=undirected,
        thresholds=row.recipe.get("thresholds", {}),
    )  # fmt: skip


def _uses(value: Any, plugin: PluginClass, key: str = "") -> bool:
    """Whether a config's value, or one inside it, is the plugin; ``key``: what stands before it."""
    if isinstance(value, list):
        return any(_uses(one, plugin, key) for one in value)
    if not isinstance(value, Mapping):
        return False
    here = key.removesuffix("s") == plugin.kind and value.get("name") == plugin.cls.name
    return here or any(_uses(inner, plugin, name) for name, inner in value.items())
