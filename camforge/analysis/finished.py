"""A finished experiment, opened again: its arms with their maps on any split, from the store of its run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from camforge.config.load import built
from camforge.config.schema import Experiment
from camforge.interfaces import Split
from camforge.interfaces.base import choices
from camforge.pipeline.arms import fused_maps, train_arm
from camforge.pipeline.extract import extract
from camforge.pipeline.fuse import FusedMaps
from camforge.pipeline.session import Session, Splits
from camforge.progress.progress import Progress
from camforge.store.store import Store
from camforge.training.device import pick_device
from camforge.types import CamForgeError


@dataclass(frozen=True, eq=False)
class Finished:
    """What a run left in its work directory. What the store no longer holds is made again."""

    experiment: Experiment
    manifest: dict[str, Any]
    device: str
    progress: Progress

    @classmethod
    def open(cls, folder: Path, device: str, progress: Progress) -> Finished:
        """Raises CamForgeError where the folder holds no finished experiment."""
        path = folder / "manifest.json"
        if not path.is_file() or not (folder / "results.json").is_file():
            raise CamForgeError(f"{folder} holds no finished experiment (results.json, manifest.json): run it first")
        try:
            manifest = json.loads(path.read_text("utf-8"))
            config, _ = dict(manifest["config"]), Path(manifest["store"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            message = f"{type(error).__name__}: {error}"
            raise CamForgeError(f"{path} is not the manifest of a run ({message}): run the experiment again") from None
        return cls(built(config, str(path)), manifest, device, progress)

    def arm(self, name: str | None) -> str:
        """The name of an arm, None for the first. Raises CamForgeError."""
        arms = self.experiment.arms
        if name is not None and name not in arms:
            raise CamForgeError(f"no arm {name!r}; {choices(name, arms, 'arms')}")
        return name or next(iter(arms))

    def fused_maps(self, arm: str, split: Split) -> FusedMaps:
        """An arm's fused maps of a split."""
        trained = train_arm(arm, self.session)
        images = self.session.splits.measured(split)
        return fused_maps(trained, extract(trained.requests, self.session, images), images, self.session)

    @cached_property
    def session(self) -> Session:
        """The images and the store of the run."""
        store = Store(Path(self.manifest["store"]), self.progress.say)
        splits = Splits(self.experiment, self.progress, store.root)
        return Session(self.experiment, splits, store, pick_device(self.device), self.progress)
