"""Optimisers, schedulers and hooks that mmengine knows by name."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import nn
from trainings import TINY, Killed, same, state, task

from camforge.config.load import load
from camforge.data.prepared import Prepared
from camforge.training.loop import train
from camforge.training.optimization import optimizer_of
from camforge.training.vocabulary import mistakes
from camforge.types import CamForgeError
from camforge_plugins.trainers.single import Single


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"optimizer": {"type": "RMSprp"}}, r"optimizer: mmengine has no 'RMSprp'; did you mean 'RMSprop'\? known: "),
        ({"optimizer": {"type": "RMSprop", "alfa": 1}}, "optimizer: .*unexpected keyword argument 'alfa'"),
        ({"optimizer": {"type": "LBFGS"}}, "optimizer: LBFGS doesn't support per-parameter options"),
        ({"schedule": {"type": "StepLR"}}, r"schedule.0: .*missing 1 required .*'step_size'"),
        ({"schedule": [{"type": "ConstantLR"}, {"type": "Step"}]}, "schedule.1: mmengine has no 'Step'; did you mean"),
        ({"hooks": [{"type": "EMAHok"}]}, r"hooks.0: mmengine has no 'EMAHok'; did you mean 'EMAHook'\?"),
        ({"hooks": [{"type": "EMAHook", "momentm": 0.1}]}, "hooks.0: .*unexpected keyword argument 'momentm'"),
        ({"hooks": [{"type": "os.system", "command": "true"}]}, "hooks.0: mmengine has no 'os.system'"),
        (
            {"hooks": [{"type": "EarlyStoppingHook", "monitor": "loss", "rule": "less"}]},
            "hooks.0: EarlyStoppingHook acts on a validation or test loop, and a training here has neither",
        ),
    ],
)
def test_what_cannot_be_built_is_told_before_anything_is_trained(
    data: Prepared, tmp_path: Path, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(CamForgeError, match=rf"^trainer 'single': {told}.* \(given: \{{"):
        train(task(data, tmp_path / "t", **options))
    assert not list((tmp_path / "t").iterdir())


def test_the_check_of_a_config_tells_it_at_its_place(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        """
        name: wrong
        dataset: {name: partworld}
        images: {size: 64}
        trainer: {name: single, backbone: {name: small}, hooks: [{type: EMAHok}]}
        arms: {one: {}}
        extractor: {name: gradcam}
        metrics: [{name: miou}]
        """
    )
    with pytest.raises(CamForgeError, match=r"trainer.hooks.0: mmengine has no 'EMAHok'; did you mean 'EMAHook'"):
        load(file)


@pytest.mark.parametrize("given", [{"name": "Adam"}, {"type": 3}])
def test_a_dictionary_needs_a_type(given: Any) -> None:
    with pytest.raises(ValueError, match="give the name of what is registered with mmengine as 'type'"):
        Single(backbone=TINY, optimizer=given)


def steps_by_hand(data: Prepared, optimizer: Any, epochs: int) -> dict[str, torch.Tensor]:
    """The same batches in the same order, stepped by torch alone."""
    torch.manual_seed(0)
    learner = Single(backbone=TINY).learner(2)
    stepped = optimizer(learner)
    for epoch in range(epochs):
        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(epoch))
        for places in order.split(16):
            images = data.geometry.normalise(data.pixels(places.tolist()))
            loss = learner.losses(images, data.labels[places].float())["loss"]
            stepped.zero_grad()
            loss.backward()
            stepped.step()
    return state(learner)


def test_an_optimiser_by_type_steps_as_torch_does(data: Prepared, tmp_path: Path) -> None:
    given = {"type": "RMSprop", "alpha": 0.5, "momentum": 0.3}
    ours = train(task(data, tmp_path / "t", optimizer=given, schedule="constant", channels_last=False))[0]
    theirs = steps_by_hand(data, lambda net: torch.optim.RMSprop(net.parameters(), 0.01, 0.5, momentum=0.3), 3)
    assert all(torch.allclose(value, theirs[name], atol=1e-6) for name, value in state(ours).items())


def test_its_own_rate_goes_before_the_trainers_and_the_heads_before_both() -> None:
    def rates(**options: Any) -> list[float]:
        trainer = Single(backbone=TINY, lr=0.5, optimizer={"type": "SGD"} | options.pop("own", {}), **options)
        return [group["lr"] for group in optimizer_of(trainer, trainer.learner(2)).param_groups]

    assert rates() == [0.5, 0.5]
    assert rates(own={"lr": 0.2}) == [0.2, 0.2]
    assert rates(own={"lr": 0.2}, head_lr=0.1) == [0.2, 0.1]


def test_schedulers_by_type_act_on_the_rate(data: Prepared, tmp_path: Path) -> None:
    by_epoch = {"type": "MultiStepLR", "milestones": [1, 3], "gamma": 0.1}
    _, history = train(task(data, tmp_path / "a", epochs=4, schedule=by_epoch))
    assert [record["lr"] for record in history] == pytest.approx([1e-2, 1e-3, 1e-3, 1e-4])
    by_step = [{"type": "LinearLR", "start_factor": 0.5, "end": 2, "convert_to_iter_based": True}]
    _, history = train(task(data, tmp_path / "b", epochs=3, schedule=by_step))
    assert history[0]["lr"] == pytest.approx(0.01 * (0.5 + 0.5 * 3 / 5)), "3 of the 5 steps that it takes to rise"
    assert history[-1]["lr"] == pytest.approx(0.01)


def test_a_monitor_that_nothing_logs_is_named(data: Prepared, tmp_path: Path) -> None:
    with pytest.raises(CamForgeError, match=r"trainer\.schedule: no loss is called 'val_loss'; logged: loss, "):
        train(task(data, tmp_path / "t", schedule={"type": "ReduceOnPlateauLR", "monitor": "val_loss"}))


EMA = {"type": "EMAHook", "momentum": 0.25}


def test_averaged_weights_are_the_trained_network(data: Prepared, tmp_path: Path) -> None:
    plain: list[dict[str, torch.Tensor]] = []

    @HOOKS.register_module(force=True)
    class Keeping(Hook):
        def after_train_iter(self, runner, **_named):
            plain.append(state(runner.model.learner))

    averaged = state(train(task(data, tmp_path / "t", hooks=[EMA, {"type": "Keeping"}]))[0])
    name = "networks.0.body.fc.weight"
    expected = plain[0][name]
    for step in plain[1:]:
        expected = 0.75 * expected + 0.25 * step[name]
    assert torch.allclose(averaged[name], expected, atol=1e-6)
    assert not torch.allclose(averaged[name], plain[-1][name], atol=1e-4)


def test_a_killed_training_with_hooks_goes_on_to_the_same_weights(data: Prepared, tmp_path: Path) -> None:
    options = {"hooks": [EMA], "amp": "fp16", "schedule": {"type": "StepLR", "step_size": 1}, "flip": True}
    whole, history = train(task(data, tmp_path / "whole", **options))

    def kill(seen: int, *_: object) -> None:
        if seen == 5 * 16:
            raise Killed

    with pytest.raises(Killed):
        train(task(data, tmp_path / "cut", tick=kill, **options))
    seen: list[int] = []
    resumed, rest = train(task(data, tmp_path / "cut", tick=lambda n, *_: seen.append(n), **options))
    assert seen[0] == 4 * 16
    assert rest == history
    assert same(state(resumed), state(whole))


class Secret:
    """No plain data."""


def test_a_hooks_own_class_in_a_checkpoint_needs_to_be_declared_safe(data: Prepared, tmp_path: Path) -> None:
    @HOOKS.register_module(force=True)
    class Hiding(Hook):
        def before_save_checkpoint(self, _runner, checkpoint):
            checkpoint["secret"] = Secret()

    def kill(seen: int, *_: object) -> None:
        if seen == 5 * 16:
            raise Killed

    options: dict[str, Any] = {"hooks": [{"type": "Hiding"}]}
    with pytest.raises(Killed):
        train(task(data, tmp_path / "cut", tick=kill, **options))
    told = r"its checkpoint holds more than plain data: .*Secret.*; where that class is defined, call torch.serial"
    with pytest.raises(CamForgeError, match=told):
        train(task(data, tmp_path / "cut", **options))
    seen: list[int] = []
    with torch.serialization.safe_globals([Secret]):
        train(task(data, tmp_path / "cut", tick=lambda n, *_: seen.append(n), **options))
    assert seen[0] == 4 * 16


def test_a_wrong_optimiser_hides_no_other_mistake() -> None:
    trainer = Single(
        backbone=TINY,
        optimizer={"type": "Nadam"},
        schedule=[{"type": "CosineAnnealingLR", "T_max": 3}, {"type": "StepLR"}],
        hooks=[{"type": "EmptyCacheHook", "priority": "LOW"}, {"type": "SyncBuffers"}],
    )
    assert [path for path, _, _ in mistakes(trainer)] == [("optimizer",), ("schedule", 1), ("hooks", 1)]
    assert isinstance(trainer.learner(2), nn.Module)
