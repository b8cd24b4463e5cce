"""Losses for TensorBoard, read back by TensorBoard."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import camforge
from camforge import CamForgeError


def test_every_training_writes_its_losses(tiny: Path, tmp_path: Path) -> None:
    overrides = ["report.loggers=[tensorboard]"]
    run = camforge.run(tiny, overrides=overrides, work_dir=tmp_path / "w", device="cpu", quiet=True)
    events = sorted((tmp_path / "w/logs").glob("*/**/events.*"))
    assert len(events) == 4  # trainings
    told = {model.key: model for models in run.models.values() for model in models}
    for path in events:
        key = path.relative_to(tmp_path / "w/logs").parts[0].split()[-1]
        accumulator = EventAccumulator(str(path))
        accumulator.Reload()
        losses = [scalar.value for scalar in accumulator.Scalars("loss")]
        assert len(losses) == 2  # epochs of two steps; the last 10 steps' mean is that of the epoch, or of both
        assert losses[0] == pytest.approx(told[key].history[0]["loss"], rel=1e-4)


def test_a_package_that_is_not_there_is_told_before_anything_is_read(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(
        CamForgeError, match=r"^report.loggers: 'clearml' needs a package of that name: pip install clea"
    ):
        camforge.run(tiny, overrides=["report.loggers=[clearml]"], work_dir=tmp_path / "w", quiet=True)
