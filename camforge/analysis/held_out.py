"""Settings chosen on one split, measured on another, once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from camforge.analysis.finished import Finished
from camforge.files import write_strict_json
from camforge.interfaces.base import choices
from camforge.pipeline.results import Results
from camforge.pipeline.run import run
from camforge.progress.progress import Progress
from camforge.types import CamForgeError

BETWEEN = " | "
"""Between the name of a method and that of its setting: arms "CAM | lr 1e-3" and "CAM | lr 1e-2" compete."""


def held_out(
    folder: str | Path, metric: str, changes: Mapping[str, Any], *, device: str = "auto", quiet: bool = False
) -> Results:
    """The best setting of every method of a finished experiment, measured on data that chose nothing.

    folder   the work directory of the run whose validation images choose: for WSOL train-fullsup (Choe et al. 2020)
    metric   what chooses, such as "maxboxacc_v2"
    changes  options of the data set that make its validation split the held-out one: ``{"val": "test"}``

    The run lies in ``folder/held_out``; networks come from the store. Raises CamForgeError where that split has been
    measured before: whoever looks twice chooses on it.
    """
    folder = Path(folder)
    finished = Finished.open(folder, device, Progress(quiet=True))
    target = folder / "held_out"
    if (target / "experiment.json").exists():
        raise CamForgeError(f"{target} exists: the held-out split is read once, its numbers are in results.json")
    numbers = json.loads((folder / "results.json").read_text("utf-8"))["arms"]
    config = dict(finished.manifest["config"])
    lower = any(metric in each.lower_is_better for each in finished.experiment.metrics)
    chosen = best_settings(numbers, metric, lower)
    config |= {"arms": {arm: config["arms"][arm] for arm in chosen.values()}, "paper": {}}
    config["dataset"] = {**config["dataset"], **changes}
    target.mkdir(parents=True, exist_ok=True)
    told = {
        "metric": metric,
        "chosen": {arm: numbers[arm][metric] for arm in chosen.values()},
        "changes": dict(changes),
    }
    write_strict_json(target / "chosen.json", told)
    write_strict_json(target / "experiment.json", config)
    return run(
        target / "experiment.json", work_dir=target, store=finished.manifest["store"], device=device, quiet=quiet
    )


def best_settings(numbers: Mapping[str, Mapping[str, float]], metric: str, lower: bool) -> dict[str, str]:
    """{method: its arm with the best number}, the first among equals. Raises CamForgeError where none has it."""
    with_it = {arm: row[metric] for arm, row in numbers.items() if row.get(metric) is not None}
    if not with_it:
        known = sorted({name for row in numbers.values() for name in row if "/" not in name})
        raise CamForgeError(f"held out: no arm has {metric!r}; {choices(metric, known, 'metrics')}")
    chosen: dict[str, str] = {}
    for arm, value in with_it.items():
        method = arm.partition(BETWEEN)[0]
        best = with_it.get(chosen.get(method, ""))
        if best is None or (value < best if lower else value > best):
            chosen[method] = arm
    return chosen
