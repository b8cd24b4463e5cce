"""Trainers that learn where something is from the maps of a network that knew only what is there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from camforge.interfaces.base import Plugin
from camforge.interfaces.extractor import Extractor
from camforge.interfaces.fuser import Fuser
from camforge.interfaces.trainer import Learner, Trainer
from camforge.types import Network


class Seeds(Plugin):
    """How seeds are found: another trainer's network of the same view, an extractor, fusers."""

    name: ClassVar[str] = "seeds"

    trainer: Trainer
    extractor: Extractor
    fusers: tuple[Fuser, ...] = ()
    """From layers and branches to one map per image and output; a view axis has one entry."""


class SeedLearner(Learner):
    """A learner whose ``targets`` are seeds (B, K, h, w) in [0, 1], each map divided by its maximum.

    The map of an output that the image does not show is 0. Seeds follow the images through crops and mirrors; their
    grid may be coarser than the images.
    """

    def take_over(self, networks: Sequence[Network]) -> None:
        """Called once before training with the networks, one per branch, that found the seeds. Default: nothing."""
        del networks


class SeedTrainer(Trainer, ABC):
    """A trainer that gets seeds: the host trains their network first, extracts and fuses, and keeps them in the store.

    class Mimic(SeedTrainer):
        \"""One network whose strongest map is to be the seed's size.\"""
        name = "mimic"

        def learner(self, outputs, pretrained=True):
            return MimicLearner([self.backbone.build(outputs, pretrained)])
    """

    seeds: Seeds
    """How the seeds are found."""

    @abstractmethod
    def learner(self, outputs: int, pretrained: bool = True) -> SeedLearner:
        """The untrained learner for a view with this many outputs."""


class ObjectTrainer(Trainer, ABC):
    """A trainer that is told where objects are: full supervision, a yardstick for what learns from labels alone.

    Its learner's targets are (B, 1, H, W), whatever the classes: 1 on objects, 0 around them, 0.5 where that is not
    known. They are the data set's masks, of an image that has none its boxes, filled.

    class Outlines(ObjectTrainer):
        \"""One network whose last stage's mean is to be the objects'.\"""
        name = "outlines"

        def learner(self, outputs, pretrained=True):
            return OutlineLearner([self.backbone.build(outputs, pretrained)])
    """

    @abstractmethod
    def learner(self, outputs: int, pretrained: bool = True) -> SeedLearner:
        """The untrained learner for a view with this many outputs."""
