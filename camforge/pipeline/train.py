"""The train stage: networks on demand, trained once, kept in the store, shared by groupers and arms."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor

from camforge.files import checksum, file_name
from camforge.host.failure import blaming
from camforge.interfaces import Learner, ObjectTrainer, SeedTrainer, Trainer
from camforge.pipeline.seeds import seed_reader
from camforge.pipeline.session import Session, data_recipe, recipe_of
from camforge.store.store import digest, write_json, write_tensors
from camforge.training.seeds import FoundSeeds
from camforge.types import CamForgeError, Network, TrainedModel, View
from camforge.weights import weights_file

LOGGERS = {
    "tensorboard": "TensorboardVisBackend", "wandb": "WandbVisBackend", "mlflow": "MLflowVisBackend",
    "clearml": "ClearMLVisBackend", "neptune": "NeptuneVisBackend", "dvclive": "DVCLiveVisBackend",
    "aim": "AimVisBackend",
}  # fmt: skip
"""mmengine's classes."""


@dataclass(frozen=True)
class ArmContext:
    """The GroupingContext of one arm: its trainer is the one a grouper gets unless it names another."""

    session: Session
    trainer: Trainer

    @property
    def seed(self) -> int:
        return self.session.seed

    @property
    def classes(self) -> tuple[str, ...]:
        return self.session.train.dataset.classes

    @property
    def labels(self) -> Tensor:
        return self.session.train.labels

    @property
    def taxonomy(self) -> Mapping[str, tuple[str, ...]] | None:
        return self.session.train.dataset.taxonomy

    def train(self, view: View, trainer: Trainer | None = None, holdout: Tensor | None = None) -> TrainedModel:
        """The view's networks: from memory, from the store, or trained now."""
        session, trainer = self.session, trainer or self.trainer
        use = torch.ones(len(session.train), dtype=torch.bool) if holdout is None else ~holdout
        recipe = self._recipe(view, trainer, use)
        key = digest(recipe)
        if key not in session.trained:
            with session.store.lock("network", key):
                entry = session.store.find("network", key) or self._train(view, trainer, use, key, recipe)
            session.trained[key] = _trained_model(entry, trainer, view, key, session)
        found = session.trained[key]
        return TrainedModel(view, found.networks, found.history, key)

    def key(self, view: View) -> str:
        """The store's key of the view's networks by the arm's trainer."""
        return digest(self._recipe(view, self.trainer, torch.ones(len(self.session.train), dtype=torch.bool)))

    def _recipe(self, view: View, trainer: Trainer, use: Tensor) -> dict[str, Any]:
        session = self.session
        seeds = {"seeds": self._recipe(view, trainer.seeds.trainer, use)} if isinstance(trainer, SeedTrainer) else {}
        return (
            data_recipe(session.train)
            | seeds
            | {
                "trainer": recipe_of(trainer),
                "weights": _weight_files(trainer),
                "view": {"outputs": len(view.outputs), "assignment": view.assignment, "exclusive": view.exclusive},
                "use": digest(use.tolist()),
                "seed": session.seed,
                "crop": session.crop,
            }
        )

    def _train(self, view: View, trainer: Trainer, use: Tensor, key: str, recipe: dict[str, Any]) -> Path:
        from camforge.training.loop import Training, train

        session, found = self.session, self._seeds(view, trainer, use)
        folder = session.store.scratch_dir("network", key)
        log_folder = session.log_folder / f"{file_name(view.name)[:50]} {key}"
        label = f"train {view.name} ({len(view.outputs)} outputs, {trainer.name})"
        with session.progress.task(label) as tick:
            loggers = [LOGGERS[name] for name in session.experiment.report.loggers]
            training = Training(
                trainer, view, session.train, use, session.seed, session.device, folder, session.crop, loggers,
                log_folder, tick, found,
            )  # fmt: skip
            with blaming(trainer):
                learner, history = train(training)

        def write(draft: Path) -> None:
            write_tensors(draft / "weights.pt", learner.state_dict())
            write_json(draft / "history.json", history)
            logs = sorted(folder.glob("*/*.log"))  # one per start of the training
            (draft / "training.log").write_text("".join(log.read_text() for log in logs))

        return session.store.commit("network", key, recipe, write)

    def _seeds(self, view: View, trainer: Trainer, use: Tensor) -> FoundSeeds | None:
        """What a trainer of places learns from; networks that find seeds are trained on the same images."""
        if isinstance(trainer, ObjectTrainer):
            return FoundSeeds((), lambda places: self.session.train.objects(places.tolist()))
        if not isinstance(trainer, SeedTrainer):
            return None
        model = self.train(view, trainer.seeds.trainer, ~use)
        return FoundSeeds(model.networks, seed_reader(trainer.seeds, model, self.session))

    def logits(self, model: TrainedModel, images: Tensor) -> Tensor:
        """(M,) places in the training split -> (M, K) float32 logits of the first branch, on the CPU."""
        session, network = self.session, model.networks[0]
        rows = []
        with torch.inference_mode():
            for chunk in images.split(32):
                pixels = session.train.pixels(chunk.tolist()).to(session.device)
                rows.append(network(session.train.geometry.normalise(pixels)).float().cpu())
        return torch.cat(rows)


class StoredNetworks(Sequence[Network]):
    """The networks of a finished training, one per branch, in eval mode: read from the store when they are used.

    Those of the last KEPT trainings that were used stay on the device: a run has hundreds where pairs are told apart.
    """

    KEPT = 4

    def __init__(self, read: Callable[[], tuple[Network, ...]], count: int, session: Session) -> None:
        self._read, self._count, self._loaded = read, count, session.loaded

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Network: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Network, ...]: ...
    def __getitem__(self, place: int | slice) -> Network | tuple[Network, ...]:
        if self not in self._loaded:
            while len(self._loaded) >= self.KEPT:
                self._loaded.popitem(last=False)
            self._loaded[self] = self._read()
        self._loaded.move_to_end(self)
        return self._loaded[self][place]


def _trained_model(entry: Path, trainer: Trainer, view: View, key: str, session: Session) -> TrainedModel:
    names = torch.load(entry / "weights.pt", map_location="cpu", weights_only=True, mmap=True)
    count = len({name.split(".")[1] for name in names if name.startswith("networks.")})
    read = partial(_networks, entry, trainer, len(view.outputs), session.device)
    history = tuple(json.loads((entry / "history.json").read_text()))
    return TrainedModel(view, StoredNetworks(read, count, session), history, key)


def _networks(entry: Path, trainer: Trainer, outputs: int, device: torch.device) -> tuple[Network, ...]:
    learner: Learner = trainer.learner(outputs, pretrained=False)
    state = torch.load(entry / "weights.pt", map_location="cpu", weights_only=True)
    try:
        learner.load_state_dict(state)
    except RuntimeError as error:
        raise CamForgeError(f"store: {entry.name} does not fit trainer {trainer.name!r}: {error}") from None
    learner.to(device).eval()
    return tuple(network for network in learner.networks if isinstance(network, Network))


def _weight_files(trainer: Trainer) -> dict[str, str]:
    """Checksums of the file of weights, or of the folder's files, that the backbone reads: a path does not say them."""
    named = {option: value for option, value in trainer.backbone.spec().items() if isinstance(value, str)}
    path = weights_file(named["weights"]) if "weights" in named else None
    files = {} if path is None else {path.name: path}
    for folder in (Path(text) for text in named.values() if os.path.isabs(text) and os.path.isdir(text)):
        files |= {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
    return {name: checksum(file) for name, file in files.items()}
