"""Heat maps in other people's training loops: a few steps with mmengine's Runner and with Lightning's Trainer."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

import camforge
from camforge.callbacks import HeatMapHook, MapMonitor
from camforge.types import CamForgeError

COUNT, SIDE = 8, 16
BACKENDS = ("Tensorboard", "Local")


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.1), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(6, 2),
    )  # fmt: skip


def images() -> tuple[Tensor, Tensor, Tensor]:
    """A bright square left or right tells the class: images, labels, masks."""
    labels = torch.arange(COUNT) % 2
    masks = torch.zeros(COUNT, SIDE, SIDE, dtype=torch.bool)
    for mask, label in zip(masks, labels.tolist(), strict=True):
        mask[4:12, 1 + 8 * label : 7 + 8 * label] = True
    noise = torch.randn(COUNT, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) / 4
    return noise + 2 * masks[:, None], labels, masks


def monitor(**options: Any) -> MapMonitor:
    pixels, labels, masks = images()
    extractor = {"name": "gradcam", "layers": ["2"]}
    return MapMonitor(pixels[:4], labels[:4], masks=masks[:4], extractor=extractor, **options)


class Classifier(BaseModel):
    """Anybody's mmengine model."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network()

    def forward(self, inputs: Any, labels: Tensor | None = None, mode: str = "tensor") -> Any:
        logits = self.net(torch.stack(inputs) if isinstance(inputs, list) else inputs)
        return {"loss": cross_entropy(logits, labels)} if mode == "loss" else logits


def run(folder: Path, hooks: list[Any]) -> dict[str, Tensor]:
    torch.manual_seed(3)
    pixels, labels, _ = images()
    runner = Runner(
        Classifier(), str(folder), train_dataloader=DataLoader(TensorDataset(pixels, labels), batch_size=4),
        train_cfg={"by_epoch": True, "max_epochs": 2}, custom_hooks=hooks, log_level="ERROR",
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.1}}, randomness={"seed": 3},
        visualizer={"type": "Visualizer", "vis_backends": [{"type": f"{n}VisBackend"} for n in BACKENDS]},
        experiment_name=folder.name,
    )  # fmt: skip
    runner.train()
    return {name: value.clone() for name, value in runner.model.state_dict().items()}


def logged(folder: Path) -> EventAccumulator:
    (file,) = folder.rglob("events.out.tfevents.*")
    found = EventAccumulator(str(file.parent), size_guidance={"images": 0, "scalars": 0})
    return found.Reload()


def test_the_hook_shows_maps_in_anybodys_runner(tmp_path: Path) -> None:
    assert HOOKS.get("HeatMapHook") is HeatMapHook
    watched = run(tmp_path / "a", [{"type": "HeatMapHook", "monitor": monitor(module="net")}])
    found = logged(tmp_path / "a")
    assert [picture.step for picture in found.Images("maps")] == [1, 2]
    shares = [scalar.value for scalar in found.Scalars("maps/pointing_game")]
    model = network()
    model.load_state_dict({name.removeprefix("net."): value for name, value in watched.items()})
    pixels, labels, masks = images()
    maps = camforge.explain(model.eval(), pixels[:4], labels[:4].tolist(), {"name": "gradcam", "layers": ["2"]}).maps
    peaks = maps.flatten(1).argmax(1)
    hits = masks[:4].flatten(1)[torch.arange(4), peaks].float().mean() * 100
    assert shares[-1] == pytest.approx(float(hits), abs=26)  # the game forgives a few pixels: one image of four
    assert list((tmp_path / "a").rglob("maps_*.png"))
    plain = run(tmp_path / "b", [])
    assert all(torch.equal(watched[name], plain[name]) for name in plain)  # who is looked at learns the same


def test_a_config_names_the_hook_with_plain_values(tmp_path: Path) -> None:
    of = {"dataset": {"name": "partworld", "size": 32, "train": 8, "val": 6}, "count": 3, "size": SIDE}
    spec = {
        "type": "camforge.callbacks.HeatMapHook", "interval": 2, "by_epoch": False, "name": "seen",
        "monitor": of | {"extractor": {"name": "gradcam", "layers": ["2"]}, "metrics": ["miou"], "module": "wide"},
    }  # fmt: skip

    class Wide(Classifier):
        def __init__(self) -> None:
            super().__init__()
            self.wide = nn.Sequential(*network()[:-1], nn.Linear(6, 12))

    torch.manual_seed(3)
    pixels, labels, _ = images()
    runner = Runner(
        Wide(), str(tmp_path), train_dataloader=DataLoader(TensorDataset(pixels, labels), batch_size=4),
        train_cfg={"by_epoch": False, "max_iters": 4}, custom_hooks=[spec], log_level="ERROR",
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.1}}, default_hooks={"logger": None},
        visualizer={"type": "Visualizer", "vis_backends": [{"type": "TensorboardVisBackend"}]}, experiment_name="plain",
    )  # fmt: skip
    runner.train()
    found = logged(tmp_path)
    assert [scalar.step for scalar in found.Scalars("seen/miou")] == [2, 4]
    assert [picture.step for picture in found.Images("seen")] == [2, 4]


@pytest.fixture
def lightning() -> Any:
    return pytest.importorskip("lightning.pytorch", reason="needs Lightning: pip install 'camforge[lightning]'")


def fitted(lightning: Any, folder: Path, callbacks: list[Any], loggers: list[Any]) -> Any:
    class Module(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = network()

        def forward(self, pixels: Tensor) -> Tensor:
            return self.net(pixels)

        def training_step(self, batch: Any, _index: int) -> Tensor:
            return cross_entropy(self(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 0.1)

    torch.manual_seed(3)
    module, (pixels, labels, _) = Module(), images()
    trainer = lightning.Trainer(
        max_epochs=2, accelerator="cpu", logger=loggers, callbacks=callbacks, default_root_dir=folder,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False, log_every_n_steps=1,
    )  # fmt: skip
    trainer.fit(module, DataLoader(TensorDataset(pixels, labels), batch_size=4))
    return trainer


def test_the_callback_shows_maps_in_anybodys_trainer(lightning: Any, tmp_path: Path) -> None:
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

    from camforge.callbacks import HeatMapCallback

    loggers = [TensorBoardLogger(tmp_path / "tb"), CSVLogger(tmp_path / "csv")]
    watched = fitted(
        lightning, tmp_path, [HeatMapCallback(monitor(module="net", metrics=["miou", "pointing_game"]))], loggers
    )
    found = logged(tmp_path / "tb")
    assert [picture.step for picture in found.Images("maps")] == [2, 4]
    assert len(found.Scalars("maps/miou")) == 2
    assert float(watched.callback_metrics["maps/miou"]) == pytest.approx(found.Scalars("maps/miou")[-1].value, rel=1e-4)
    assert "maps/pointing_game" in next((tmp_path / "csv").rglob("metrics.csv")).read_text()
    plain = fitted(lightning, tmp_path, [], [])
    pairs = zip(watched.model.state_dict().values(), plain.model.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert watched.model.training == plain.model.training


@pytest.mark.slow
def test_weights_and_biases_get_the_pictures(lightning: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="needs W&B: pip install wandb")
    from lightning.pytorch.loggers import WandbLogger

    from camforge.callbacks import HeatMapCallback

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    fitted(
        lightning, tmp_path, [HeatMapCallback(monitor(module="net"))], [WandbLogger(save_dir=tmp_path, project="maps")]
    )
    assert len(list(tmp_path.rglob("media/images/maps_*.png"))) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"targets": [0, 1]}, "MapMonitor: 2 targets for 4 images"),
        ({"masks": torch.zeros(4, 3, 3)}, "MapMonitor: masks of (3, 3) pixels for images of (16, 16)"),
        ({"metrics": ["miou"]}, "MapMonitor: metric 'miou' needs masks, which were not given"),
    ],
)
def test_what_does_not_fit_is_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(CamForgeError) as error:
        MapMonitor(images()[0][:4], **({"targets": [0, 1, 0, 1]} | options))
    assert str(error.value) == said


def test_without_truth_there_are_pictures_alone() -> None:
    pixels, labels, _ = images()
    look = MapMonitor(pixels[:2], labels[:2], extractor={"name": "gradcam", "layers": ["2"]}).look(network())
    assert look.numbers == {}
    assert look.picture.dtype == torch.uint8
