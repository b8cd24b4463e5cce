"""The group stage: views from a grouper, kept in the store as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from camforge.config.schema import Arm
from camforge.host.failure import blaming
from camforge.pipeline.session import Session, data_recipe, recipe_of
from camforge.pipeline.train import ArmContext
from camforge.store.store import digest, write_json
from camforge.types import CamForgeError, Grouping, View


def group(arm: Arm, session: Session) -> tuple[Grouping, str]:
    """The arm's grouping and its key; networks that the grouper asks for are trained on the way."""
    recipe = data_recipe(session.train) | {
        "grouper": recipe_of(arm.grouper),
        "trainer": recipe_of(arm.trainer),
        "seed": session.seed,
    }
    key = digest(recipe)
    with session.store.lock("grouping", key):
        entry = session.store.find("grouping", key)
        if entry is None:
            with blaming(arm.grouper):
                grouping = arm.grouper.group(ArmContext(session, arm.trainer))
            _check(grouping, session.train.dataset.classes, arm.grouper.name)
            entry = session.store.commit("grouping", key, recipe, lambda draft: _save(draft, grouping))
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
    views_by_class = value["views_by_class"]
    return Grouping(
        views=tuple(
            View(**{**v, "outputs": tuple(v["outputs"]), "assignment": tuple(v["assignment"])}) for v in value["views"]
        ),
        diagnostics=value["diagnostics"],
        views_by_class=None if views_by_class is None else tuple(tuple(row) for row in views_by_class),
    )
