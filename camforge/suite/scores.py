"""Scores as files: one small text per row of a table, to be compared line by line and made again by its key."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from camforge.config.schema import filled
from camforge.files import free_name, write_strict_json
from camforge.interfaces.base import choices
from camforge.pipeline.results import Results
from camforge.report.data import ArmReport, ReportData
from camforge.store.recipe import read_recipe
from camforge.store.store import digest
from camforge.types import CamForgeError

RECIPE = "recipe.json"
SETTINGS = ("dataset", "images", "seed", "batch_size", "measure_on")
"""What of a config determines a row's numbers, beside its arm."""
Checksum = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Score(BaseModel):
    """One row: what made it, its maps, its numbers.

    key     the digest of all that determines the maps, whatever measures them
    arm     its plugins with every option; of a control, the arm whose network it is measured with
    maps    per network of the arm: SHA-256 of its maps of the validation images, as bytes of float32
    scores  {metric: number}, None where there is none;  failure  why there are none at all
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    experiment: str
    row: str
    control: bool
    arm: dict[str, Any]
    maps: tuple[Checksum, ...] = ()
    scores: dict[str, float | None] = {}
    failure: str = ""


@dataclass(frozen=True)
class Recorded:
    """A row that was found, and the recipe of its experiment beside it."""

    score: Score
    recipe: Mapping[str, Any]
    file: Path

    @property
    def config(self) -> dict[str, Any]:
        """The experiment with this row alone."""
        name = "network" if self.score.control else self.score.row
        return {**self.recipe["config"], "arms": {name: self.score.arm}}


def write_scores(folder: Path, results: Results) -> None:
    """A run's rows, a file each, and its recipe; files of rows that it no longer has go."""
    manifest = results.report_data.recipe
    scores = [_score(arm, results) for arm in results.report_data.arms]
    taken = {RECIPE.removesuffix(".json")}
    files = {f"{free_name(score.row, taken)}.json": score.model_dump(mode="json") for score in scores}
    shared = {key: value for key, value in manifest["config"].items() if key not in ("arms", "paper", "report")}
    kept = {key: manifest[key] for key in ("camforge", "python", "versions", "platform", "device", "threads", "data")}
    kept |= _directions(results.report_data)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**files, RECIPE: {**kept, "config": shared}}.items():
        write_strict_json(folder / name, content)
    for path in set(folder.glob("*.json")) - {folder / name for name in (*files, RECIPE)}:
        path.unlink()


def _directions(report_data: ReportData) -> dict[str, Any]:
    """What a reader of the numbers must know: whose they are, and what is better."""
    arm = next(arm for arm in report_data.arms if not arm.failure)
    numbers = {name: [one for one in names if "/" not in one] for name, names in report_data.by_metric.items()}
    return {
        "numbers": numbers, "lower_is_better": sorted(arm.lower_is_better), "undirected": sorted(arm.undirected),
        "thresholds": dict(arm.thresholds), "left_out": dict(report_data.left_out),
    }  # fmt: skip


def _score(arm: ArmReport, results: Results) -> Score:
    manifest = results.report_data.recipe
    config = manifest["config"]
    specs = {one.name: dict(one.spec) for one in results.report_data.arms if one.spec}
    written = filled(config)["arms"]
    spec = next(iter(specs.values()), {}) if arm.control else specs.get(arm.name) or written[arm.name]
    spec = {key: value for key, value in spec.items() if key != "note"}
    shared = {key: config[key] for key in SETTINGS if key in config}
    key = digest({**shared, "data": manifest["data"]["val"], "arm": spec, "control": arm.name if arm.control else ""})
    return Score(
        key=key, experiment=results.report_data.title, row=arm.name, control=arm.control, arm=spec,
        maps=tuple(_checksum(Path(manifest["store"]), entry) for entry in _entries(manifest, arm.name)),
        scores={name: value if math.isfinite(value) else None for name, value in arm.metrics.items()},
        failure=arm.failure,
    )  # fmt: skip


def _entries(manifest: Mapping[str, Any], row: str) -> list[str]:
    keys: list[str] = manifest["stages"].get(row, {}).get("maps", [])
    return keys


def _checksum(store: Path, key: str) -> str:
    """Of the maps alone, not of the logits beside them: the store has the checksum of each file."""
    files = read_recipe(store / f"maps-{key}").files
    listed = "".join(f"{name} {sum_}\n" for name, sum_ in sorted(files.items()) if name.endswith(".float32"))
    return hashlib.sha256(listed.encode()).hexdigest()


def recorded(folder: Path) -> Iterator[Recorded]:
    """Every row below a folder of scores, in the order of their files. Raises CamForgeError for one that is broken."""
    for recipe in sorted(folder.rglob(RECIPE)):
        shared = _read(recipe)
        for path in sorted(path for path in recipe.parent.glob("*.json") if path.name != RECIPE):
            try:
                yield Recorded(Score.model_validate(_read(path)), shared, path)
            except ValidationError as error:
                raise CamForgeError(f"{path}: no row of scores: {error.errors()[0]['msg']}") from None


def find(folder: Path, key: str) -> Recorded:
    """The row with that key, its beginning, or ``experiment/row``. Raises CamForgeError with what there is."""
    rows = list(recorded(folder))
    names = {f"{row.score.experiment}/{row.score.row}": row for row in rows}
    found = [row for row in rows if row.score.key.startswith(key)] if len(key) >= 4 else []
    found = [names[key]] if key in names else found
    if not rows:
        raise CamForgeError(f"{folder}: no scores are there")
    if len({row.score.key for row in found}) != 1:
        problem = "no row has" if not found else f"{len(found)} rows have"
        raise CamForgeError(f"{folder}: {problem} the key {key!r}; {choices(key, names, 'rows')}")
    return found[0]


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CamForgeError(f"{path}: cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise CamForgeError(f"{path}: no JSON object")
    return content
