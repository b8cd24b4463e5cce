"""Training through mmengine's Runner."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from camforge.data.geometry import Geometry
from camforge.data.prepared import Prepared, prepare
from camforge.training.loop import Training, train
from camforge.types import CamForgeError, ImageSet, Sample, View
from camforge_plugins.backbones.small import Small
from camforge_plugins.trainers.single import Single, SingleLearner

TINY = Small(stem=4, widths=(8,), strides=(2,), blocks=("plain",))


@pytest.fixture(scope="module")
def data() -> Prepared:
    """48 images of 16 pixels with a bright bar per class."""
    labels = torch.tensor([[True, False], [False, True], [True, True]]).repeat(16, 1)

    def load(i: int) -> Sample:
        image = torch.randint(0, 60, (3, 16, 16), generator=torch.Generator().manual_seed(i), dtype=torch.uint8)
        for c in labels[i].nonzero().flatten().tolist():
            image[c, 4 + 4 * c : 7 + 4 * c] = 250
        return Sample(f"bar{i}", image, labels[i])

    images = ImageSet(("red", "green"), tuple(f"bar{i}" for i in range(48)), labels, load, "bars")
    return prepare(images, Geometry(16, "crop", (0.5,) * 3, (0.25,) * 3))


def task(data: Prepared, folder: Path, **options: Any) -> Training:
    folder.mkdir(exist_ok=True)
    tick = options.pop("tick", None)
    view = options.pop("view", View.identity(data.images.classes))
    trainer = Single(backbone=TINY, **{"epochs": 3, "batch_size": 16, "lr": 0.01} | options)
    return Training(
        trainer, view, data, torch.ones(len(data), dtype=torch.bool), 0, torch.device("cpu"), folder, tick=tick
    )


def state(learner: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in learner.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


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
    assert history[-1]["accuracy"] >= 0.9 > max(record["accuracy"] for record in history[:-1])


def test_amp_trains(data: Prepared, tmp_path: Path) -> None:
    _, history = train(task(data, tmp_path / "t", epochs=6, lr=0.1, schedule="onecycle", amp=True))
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]


def test_a_loss_that_is_no_number_ends_the_training(data: Prepared, tmp_path: Path) -> None:
    with pytest.raises(CamForgeError, match=r"training 'classes': loss is (nan|inf); a smaller lr than 1e\+30"):
        train(task(data, tmp_path / "t", lr=1e30, optimizer="sgd", schedule="constant"))


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
