"""What plugins ask of the data, looked at before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator

from camforge.data.prepared import Prepared
from camforge.interfaces import Metric
from camforge.pipeline.session import Session
from camforge.types import CamForgeError


def check_groupers(session: Session) -> None:
    """Raises CamForgeError with all that groupers know cannot work with these classes."""
    problems = grouper_problems(session)
    if problems:
        raise CamForgeError("\n".join(problems))


def grouper_problems(session: Session) -> list[str]:
    """All that groupers know cannot work with these classes, one line each."""
    train = session.train
    return [
        f"arms.{name}.grouper ({arm.grouper.name}): {problem}"
        for name, arm in session.experiment.arms.items()
        for problem in arm.grouper.check(train.images.classes, train.labels)
    ]


def left_out_metrics(session: Session) -> dict[str, str]:
    """{metric: what it needs and the data lacks}: it gets no column. Raises CamForgeError where no metric is left."""
    metrics = session.experiment.metrics
    found = {metric.name: reason for metric in metrics for reason in _lacking(metric, session)}
    if len(found) == len(metrics):
        raise CamForgeError("\n".join(f"metric {name!r}: {reason}" for name, reason in found.items()))
    return found


def data_notes(session: Session) -> list[str]:
    """What a reader of the numbers must know of the data."""
    splits = {"val": session.val} | ({"train": session.calibration} if session.calibration is not None else {})
    return [
        f"the {name} split has no boxes: each is drawn around a connected part of a mask"
        for name, split in splits.items()
        if split.boxes_from_masks
    ]


def _lacking(metric: Metric, session: Session) -> Iterator[str]:
    """Why a metric cannot be computed, at most once."""
    splits = {"val": session.val}
    if metric.needs_calibration and session.calibration is not None:
        splits["train"] = session.calibration
    for name, split in splits.items():
        lacking = sorted(metric.requires - _offered(split))
        if lacking:
            yield f"needs {' and '.join(lacking)}, and the {name} split has none"
            return


def _offered(split: Prepared) -> frozenset[str]:
    return split.truth | ({"several classes"} if len(split.images.classes) > 1 else set())
