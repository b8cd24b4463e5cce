"""What plugins ask of the data, looked at before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from camforge.config.schema import Experiment
from camforge.data.prepared import Prepared
from camforge.interfaces import Metric, ObjectTrainer, Plugin
from camforge.pipeline.measure import at_split
from camforge.pipeline.session import Session, Splits
from camforge.progress.progress import Progress
from camforge.store.store import Store
from camforge.types import CamForgeError


def check_arms(session: Session) -> None:
    """Raises CamForgeError with all that groupers and trainers cannot do with this data."""
    problems = arm_problems(session)
    if problems:
        raise CamForgeError("\n".join(problems))


def arm_problems(session: Session) -> list[str]:
    """All that groupers and trainers cannot do with this data, one line each."""
    train = session.train
    untaught = [] if train.truth & {"masks", "boxes"} else [
        f"arms.{name}.{key} ({plugin.name}): needs masks or boxes, and the train split has none"
        for name, arm in session.experiment.arms.items()
        for start, outer in (("trainer", arm.trainer), ("grouper", arm.grouper))
        for key, plugin in _within(outer, start)
        if isinstance(plugin, ObjectTrainer)
    ]  # fmt: skip
    return untaught + [
        f"arms.{name}.grouper ({arm.grouper.name}): {problem}"
        for name, arm in session.experiment.arms.items()
        for problem in arm.grouper.check(train.dataset.classes, train.labels)
    ]


def _within(plugin: Plugin, key: str) -> Iterator[tuple[str, Plugin]]:
    """A plugin and those that its options name, however deep, with the place of each."""
    yield key, plugin
    for name in type(plugin).model_fields:
        given = getattr(plugin, name)
        for inner in given if isinstance(given, tuple) else (given,):
            if isinstance(inner, Plugin):
                yield from _within(inner, f"{key}.{name}")


def left_out_metrics(session: Session) -> dict[str, str]:
    """{metric: what it needs and the data lacks}: it gets no column. Raises CamForgeError where no metric is left."""
    metrics = session.experiment.metrics
    found = {metric.name: reason for metric in metrics for reason in _reasons(metric, session)}
    if len(found) == len(metrics):
        raise CamForgeError("\n".join(f"metric {name!r}: {reason}" for name, reason in found.items()))
    second = session.second_split
    if second is None:
        return found
    served = [metric for metric in metrics if metric.name not in found]
    needs = {at_split(metric.name, "train"): lacking(metric, second) for metric in served}
    return found | {name: _reason(what, "train", second) for name, what in needs.items() if what}


def data_notes(session: Session) -> list[str]:
    """What a reader of the numbers must know of the data."""
    train = session.calibration or session.second_split
    splits = {"val": session.val} | ({"train": train} if train is not None else {})
    return [
        f"the {name} split has no boxes: each is drawn around a connected part of a mask"
        for name, split in splits.items()
        if split.boxes_from_masks
    ]


def lacking(metric: Metric, split: Prepared) -> list[str]:
    """What the metric needs and the split, or some image of it, lacks."""
    return sorted(metric.requires - _offered(split))


def _reasons(metric: Metric, session: Session) -> Iterator[str]:
    """Why a metric cannot be computed, at most once. Training images are read only where it chooses by them."""
    if needed := lacking(metric, session.val):
        yield _reason(needed, "val", session.val)
    elif metric.needs_calibration and (train := session.calibration) and (needed := lacking(metric, train)):
        yield _reason(needed, "train", train)


def _reason(needed: Sequence[str], name: str, split: Prepared) -> str:
    absent = [kind for kind in needed if kind not in _known(split)]
    if absent:
        return f"needs {' and '.join(absent)}, and the {name} split has none"
    bare = split.bare(needed[0])
    return f"needs {needed[0]}, and {len(bare)} of {len(split)} images of the {name} split have none, such as {bare[0]}"


def _offered(split: Prepared) -> frozenset[str]:
    """What the split has, of every image."""
    return frozenset(kind for kind in _known(split) if kind not in split.truth or not split.bare(kind))


def _known(split: Prepared) -> frozenset[str]:
    """What the split has, of one image at least."""
    more = {
        "several classes": len(split.dataset.classes) > 1,
        "removable parts": split.dataset.without_part is not None,
    }
    return split.truth | {name for name, there in more.items() if there}


@dataclass(frozen=True)
class DataReport:
    """What ``config check --data`` found: problems that keep the experiment from running, and what is worth knowing."""

    problems: tuple[str, ...]
    notes: tuple[str, ...]


def examine_data(experiment: Experiment, progress: Progress) -> DataReport:
    """Read both splits and hold every plugin against them; nothing is trained or written."""
    splits = Splits(experiment, progress)
    session = Session(experiment, splits, Store(Path("store")), torch.device("cpu"), progress)
    problems = _problems([lambda: splits.train, lambda: splits.val, lambda: session.calibration])
    if problems:
        return DataReport(tuple(problems), tuple(_idle_fusers(experiment)))
    left_out: dict[str, str] = {}
    checks = [splits.check, lambda: check_arms(session), lambda: left_out.update(left_out_metrics(session))]
    problems = _problems(checks)
    notes = [f"no column for {name}: it {reason}" for name, reason in left_out.items()]
    notes += [f"{name}: {len(split.skipped)} images are left out" for name, split in _skipping(splits)]
    return DataReport(tuple(problems), (*notes, *data_notes(session), *_idle_fusers(experiment)))


def _problems(steps: Sequence[Callable[[], object]]) -> list[str]:
    """What each step that fails has to say, one line each."""
    problems: list[str] = []
    for step in steps:
        try:
            step()
        except CamForgeError as error:
            problems += str(error).splitlines()
    return problems


def _skipping(splits: Splits) -> list[tuple[str, Prepared]]:
    return [(name, split) for name, split in (("train", splits.train), ("val", splits.val)) if split.skipped]


def _idle_fusers(experiment: Experiment) -> Iterator[str]:
    """Fusers of views where nothing is grouped."""
    for name, arm in experiment.arms.items():
        for fuser in arm.fusers:
            if fuser.axis == "view" and arm.grouper.name == "none":
                yield f"arms.{name}: fuser {fuser.name!r} has one view alone: grouper 'none' makes no more"
