"""Data sets: images with their image-level labels, and the truth that only metrics see."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from camforge.interfaces.base import Plugin
from camforge.types import ImageSet

Split = Literal["train", "val"]


class Dataset(Plugin, ABC):
    """A data set opens a split.

    class TwoDots(Dataset):
        \"""Two classes told apart by the place of a dot.\"""
        name = "two_dots"
        size: int = 32

        def open(self, split):
            labels = torch.eye(2, dtype=torch.bool)
            def load(i):
                image = torch.zeros(3, self.size, self.size, dtype=torch.uint8)
                image[:, 4, 4 if i == 0 else -4] = 255
                return Sample(f"dot{i}", image, labels[i])
            return ImageSet(("left", "right"), ("dot0", "dot1"), labels, load, f"two_dots-{self.size}")
    """

    kind: ClassVar[str] = "dataset"

    @abstractmethod
    def open(self, split: Split) -> ImageSet:
        """The images of one split. Raises CamForgeError with file and place where the data set is damaged."""
