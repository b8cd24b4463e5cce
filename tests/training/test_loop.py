"""Training through mmengine's Runner."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.runner import Runner
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from trainings import TINY, Killed, same, state, task

from camforge.data.prepared import Prepared
from camforge.training import hooks, loop
from camforge.training.loop import Training, train
from camforge.training.precision import gpu_arithmetic
from camforge.types import CamForgeError, View
from camforge_plugins.trainers.single import Single, SingleLearner


def test_it_learns_and_repeats_to_the_digit(data: Prepared, tmp_path: Path) -> None:
    first, history = train(task(data, tmp_path / "a", epochs=6, lr=0.1, schedule="onecycle"))
    second, again = train(task(data, tmp_path / "b", epochs=6, lr=0.1, schedule="onecycle"))
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert history == again
    assert same(state(first), state(second))


@pytest.mark.parametrize("schedule", ["plateau", "onecycle", "poly", "constant"])
def test_a_killed_training_goes_on_to_the_same_weights(data: Prepared, tmp_path: Path, schedule: str) -> None:
    whole, history = train(task(data, tmp_path / "whole", schedule=schedule, flip=True))

    def kill(seen: int, _all: int, _logs: object) -> None:
        if seen == 5 * 16:  # in the middle of the second epoch
            raise Killed

    with pytest.raises(Killed):
        train(task(data, tmp_path / "cut", schedule=schedule, flip=True, tick=kill))
    seen: list[tuple[int, int]] = []
    resumed, rest = train(
        task(data, tmp_path / "cut", schedule=schedule, flip=True, tick=lambda *told: seen.append(told[:2]))
    )
    assert seen[0] == (4 * 16, 3 * 48), "the first epoch must not be trained again"
    assert rest == history
    assert same(state(resumed), state(whole))


def test_checkpoints_take_a_small_share_of_the_time(
    data: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that a step moves by 1 s and a checkpoint by 0.5 s: 25 s must lie between two, 9 epochs of 3 s."""
    clock, written = [0.0], []

    def save(self: Runner, *args: Any, **options: Any) -> None:
        whole(self, *args, **options)
        clock[0] += 0.5
        written.append(self.epoch + 1)

    def step(*_: object) -> None:
        clock[0] += 1.0

    whole = Runner.save_checkpoint
    monkeypatch.setattr(hooks.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(Runner, "save_checkpoint", save)
    train(task(data, tmp_path / "t", epochs=30, tick=step))
    assert written == [1, 10, 19, 28]


@pytest.mark.parametrize("harm", ["flip", "cut"])
def test_a_damaged_checkpoint_is_not_gone_on_from(data: Prepared, tmp_path: Path, harm: str) -> None:
    whole = state(train(task(data, tmp_path / "whole"))[0])

    def kill(seen: int, _all: int, _logs: object) -> None:
        if seen == 7 * 16:  # the third epoch's first step
            raise Killed

    with pytest.raises(Killed):
        train(task(data, tmp_path / "cut", tick=kill))
    checkpoint = tmp_path / "cut/checkpoint.pth"
    content = bytearray(checkpoint.read_bytes())
    content[len(content) // 2] ^= 0xFF
    checkpoint.write_bytes(content if harm == "flip" else content[:-10])
    seen: list[int] = []
    again, _ = train(task(data, tmp_path / "cut", tick=lambda images, *_: seen.append(images)))
    assert seen[0] == 16, "from the start"
    assert same(state(again), whole)


def test_memory_that_runs_out_is_told_with_what_may_help(data: Prepared, tmp_path: Path) -> None:
    class Greedy(SingleLearner):
        def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
            return {"loss": (images.mean() + targets.mean()).expand(1 << 60).contiguous().sum()}  # 4 EiB

    class GreedyTrainer(Single):
        def learner(self, outputs: int, pretrained: bool = True) -> SingleLearner:
            return Greedy(self.backbone.build(outputs, pretrained), self.loss)

    told = r"^training 'classes': memory ran out with batch_size 16 on cpu; a smaller trainer.batch_size, .* may help$"
    with pytest.raises(CamForgeError, match=told):
        train(replace(task(data, tmp_path / "t"), trainer=GreedyTrainer(backbone=TINY, batch_size=16)))


def test_plateau_halves_the_rate_as_torch_does(data: Prepared, tmp_path: Path) -> None:
    plateau = {"patience": 1, "threshold": 0.2, "factor": 0.5}
    _, history = train(task(data, tmp_path / "t", epochs=10, plateau=plateau))
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.01)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1, threshold=0.2, factor=0.5)
    expected = []
    for record in history:
        expected.append(optimizer.param_groups[0]["lr"])
        scheduler.step(record["loss"])
    assert [record["lr"] for record in history] == pytest.approx(expected)
    assert history[-1]["lr"] < 0.01, "the schedule must have acted"


def test_the_head_has_its_own_rate(data: Prepared, tmp_path: Path) -> None:
    kept = task(data, tmp_path / "t", epochs=1, lr=1e-12, head_lr=0.1, optimizer="sgd", schedule="constant")
    torch.manual_seed(0)
    before = state(kept.trainer.learner(2))
    after = state(train(kept)[0])
    moved = {name for name in before if "running" not in name and not torch.allclose(before[name], after[name])}
    assert {name.split("body.")[1].split(".")[0] for name in moved if "num_batches" not in name} == {"fc"}


def test_training_ends_when_it_is_good_enough(data: Prepared, tmp_path: Path) -> None:
    _, history = train(task(data, tmp_path / "t", epochs=30, lr=0.05, stop_at_accuracy=0.9))
    assert len(history) < 30
    assert history[-1]["accuracy"] > 0.9 >= max(record["accuracy"] for record in history[:-1])


def test_an_accuracy_that_is_only_reached_ends_nothing(data: Prepared, tmp_path: Path) -> None:
    class Certain(SingleLearner):
        def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
            return super().losses(images, targets) | {"accuracy": torch.tensor(0.5)}

    class CertainTrainer(Single):
        def learner(self, outputs: int, pretrained: bool = True) -> SingleLearner:
            return Certain(self.backbone.build(outputs, pretrained), self.loss)

    for wanted, epochs in ((0.5, 3), (0.49, 1)):
        trainer = CertainTrainer(backbone=TINY, epochs=3, batch_size=16, stop_at_accuracy=wanted)
        _, history = train(replace(task(data, tmp_path / str(epochs)), trainer=trainer))
        assert len(history) == epochs


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_amp_trains(data: Prepared, tmp_path: Path, amp: str) -> None:
    seen: set[torch.dtype] = set()

    class Watching(SingleLearner):
        def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
            seen.add(self.networks[0](images).dtype)
            return super().losses(images, targets)

    class WatchingTrainer(Single):
        def learner(self, outputs: int, pretrained: bool = True) -> SingleLearner:
            return Watching(self.backbone.build(outputs, pretrained), self.loss)

    trainer = WatchingTrainer(backbone=TINY, epochs=6, batch_size=16, lr=0.1, schedule="onecycle", amp=amp)
    _, history = train(replace(task(data, tmp_path / "t"), trainer=trainer))
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    assert seen == {torch.bfloat16 if amp == "bf16" else torch.float16}


def test_amp_takes_the_old_booleans() -> None:
    named = {value: Single(backbone=TINY, amp=value).amp for value in (True, False, "off", "bf16", "fp16")}
    assert named == {True: "bf16", False: "off", "off": "off", "bf16": "bf16", "fp16": "fp16"}


def test_float16_gradients_are_scaled_and_a_step_that_overflows_is_left_out(data: Prepared, tmp_path: Path) -> None:
    """A loss of 1e-7 times the usual: its gradients would be 0 in float16; one of 1e30 times overflows."""

    class Shrunk(SingleLearner):
        scale = 1e-7

        def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
            return {"loss": super().losses(images, targets)["loss"] * self.scale}

    class Overflowing(Shrunk):
        scale = 1e30

    def trained(kind: type[Shrunk]) -> dict[str, Tensor]:
        class ShrunkTrainer(Single):
            def learner(self, outputs: int, pretrained: bool = True) -> SingleLearner:
                return kind(self.backbone.build(outputs, pretrained), self.loss)

        trainer = ShrunkTrainer(
            backbone=TINY, epochs=1, batch_size=16, lr=1e4, optimizer="sgd", schedule="constant", amp="fp16"
        )
        return state(train(replace(task(data, tmp_path / kind.__name__), trainer=trainer))[0])

    torch.manual_seed(0)
    start = state(Single(backbone=TINY).learner(2))
    weights = "networks.0.body.fc.weight"
    assert not torch.allclose(trained(Shrunk)[weights], start[weights], atol=1e-6)
    assert torch.equal(trained(Overflowing)[weights], start[weights])


def test_whatever_a_gpu_rounds_is_set_for_the_training_alone() -> None:
    before = (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark)
    for tf32, benchmark in ((True, False), (False, True)):
        trainer = Single(backbone=TINY, tf32=tf32, cudnn_benchmark=benchmark)
        with gpu_arithmetic(trainer, torch.device("cuda")):
            assert torch.backends.cuda.matmul.allow_tf32 is torch.backends.cudnn.allow_tf32 is tf32
            assert torch.backends.cudnn.benchmark is benchmark
        now = (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark)
        assert now == before


@pytest.mark.slow
def test_compiled_losses_are_the_same_training(data: Prepared, tmp_path: Path) -> None:
    _, plain = train(task(data, tmp_path / "plain"))
    _, compiled = train(task(data, tmp_path / "compiled", compile=True))
    for a, b in zip(plain, compiled, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-4)


def test_a_loss_that_is_no_number_ends_the_training(data: Prepared, tmp_path: Path) -> None:
    told = r"^training 'classes': loss is (nan|inf) in step 2 of epoch 1; a smaller lr than 1e\+30 may help$"
    with pytest.raises(CamForgeError, match=told):
        train(task(data, tmp_path / "t", lr=1e30, optimizer="sgd", schedule="constant"))


def test_the_branch_that_is_no_number_is_named_with_its_step_though_read_later(
    data: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Breaking(SingleLearner):
        step = 0

        def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
            self.step += 1
            good = super().losses(images, targets)["loss"]
            return {"loss_good": good, "loss_bad": good * 0 + (float("inf") if self.step == 8 else 1.0)}

    class BreakingTrainer(Single):
        def learner(self, outputs: int, pretrained: bool = True) -> SingleLearner:
            return Breaking(self.backbone.build(outputs, pretrained), self.loss)

    reads: list[int] = []
    seldom(monkeypatch, 4)
    broken = task(data, tmp_path / "t", tick=lambda seen, *_: reads.append(seen))
    with pytest.raises(CamForgeError, match=r"loss_bad is inf in step 2 of epoch 2;"):
        train(replace(broken, trainer=BreakingTrainer(backbone=TINY, batch_size=8, epochs=3)))
    assert reads == [4 * 8, 6 * 8], "every fourth step, and at the epoch's end"


def seldom(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Losses are read as on a GPU, every so many steps."""
    monkeypatch.setattr(loop, "reads_every", lambda _device: steps)


def test_no_step_reads_a_number_until_the_losses_are_due(
    data: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU ``item()`` would wait for all that it has been told to do."""

    class Reads(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.count += func is torch.ops.aten._local_scalar_dense.default
            return func(*args, **(kwargs or {}))

    def reads_of(folder: str, batch_size: int) -> int:
        with Reads() as reads:
            options = {"optimizer": "sgd", "schedule": "onecycle", "flip": True}
            train(task(data, tmp_path / folder, batch_size=batch_size, **options))
        return reads.count

    seldom(monkeypatch, 1000)
    assert reads_of("9 steps", 16) == reads_of("36 steps", 4), "only the sampler, once an epoch"


def test_losses_read_seldom_are_the_same_losses(
    data: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, often = train(task(data, tmp_path / "often", batch_size=10))
    seldom(monkeypatch, 3)
    assert train(task(data, tmp_path / "seldom", batch_size=10))[1] == often


def test_poly_falls_once_an_epoch_and_never_trains_at_0(data: Prepared, tmp_path: Path) -> None:
    _, history = train(task(data, tmp_path / "t", epochs=5, schedule="poly", head_lr=0.1))
    assert [record["lr"] for record in history] == pytest.approx([0.01 * (1 - e / 5) ** 0.9 for e in range(5)])
    assert train(task(data, tmp_path / "one", epochs=1, schedule="poly"))[1][0]["lr"] == 0.01


def test_an_exclusive_view_sees_only_images_of_one_output(data: Prepared, tmp_path: Path) -> None:
    pair = View("pair", ("red", "green"), (0, 1), exclusive=True)
    seen: list[int] = []
    train(task(data, tmp_path / "t", view=pair, epochs=1, batch_size=8, tick=lambda _s, n, _l: seen.append(n)))
    assert set(seen) == {32}  # so many of the 48 images show one class only


def test_an_output_without_images_is_named(data: Prepared, tmp_path: Path) -> None:
    lonely = task(data, tmp_path / "t")
    none_red = Training(
        lonely.trainer, lonely.view, data, ~data.labels[:, 0], 0, torch.device("cpu"), tmp_path / "t"
    )  # fmt: skip
    with pytest.raises(CamForgeError, match="training 'classes': no training image shows red"):
        train(none_red)
