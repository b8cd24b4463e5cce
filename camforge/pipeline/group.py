"""The group stage: views from a grouper, kept in the store as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from camforge.config.schema import Arm
from camforge.pipeline.failure import blaming
from camforge.pipeline.session import ArmWorkshop, Bench, recipe_of
from camforge.store.store import digest, write_json
from camforge.types import CamForgeError, Grouping, View


def group(arm: Arm, bench: Bench) -> tuple[Grouping, str]:
    """The arm's grouping and its key; networks that the grouper asks for are trained on the way."""
    recipe = bench.data_recipe(bench.train) | {
        "grouper": recipe_of(arm.grouper),
        "trainer": recipe_of(arm.trainer),
        "seed": bench.seed,
    }
    key = digest(recipe)
    with bench.store.making("grouping", key):
        entry = bench.store.find("grouping", key)
        if entry is None:
            with blaming(arm.grouper):
                grouping = arm.grouper.group(ArmWorkshop(bench, arm.trainer))
            _check(grouping, bench.train.images.classes, arm.grouper.name)
            entry = bench.store.keep("grouping", key, recipe, lambda draft: _save(draft, grouping))
    return _load(entry), key


def _check(grouping: Grouping, classes: tuple[str, ...], name: str) -> None:
    if not grouping.views:
        raise CamForgeError(f"grouper {name!r} returned no view")
    for view in grouping.views:
        if len(view.assignment) != len(classes):
            raise CamForgeError(
                f"grouper {name!r}: view {view.name!r} assigns {len(view.assignment)} classes of {len(classes)}"
            )
    unserved = [c for i, c in enumerate(classes) if not grouping.views_of(i)]
    if unserved:
        raise CamForgeError(f"grouper {name!r}: no view holds {', '.join(unserved)}")


def _save(draft: Path, grouping: Grouping) -> None:
    write_json(draft / "grouping.json", asdict(grouping))


def _load(entry: Path) -> Grouping:
    value: dict[str, Any] = json.loads((entry / "grouping.json").read_text())
    serves = value["serves"]
    return Grouping(
        views=tuple(
            View(**{**v, "outputs": tuple(v["outputs"]), "assignment": tuple(v["assignment"])}) for v in value["views"]
        ),
        account=value["account"],
        serves=None if serves is None else tuple(tuple(row) for row in serves),
    )
