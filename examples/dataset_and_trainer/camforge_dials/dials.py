"""A data set that is drawn."""

from typing import Annotated

import torch
from pydantic import Field

from camforge.api import Dataset, ImageSet, Sample

HANDS = {"north": (0, -1), "east": (1, 0), "south": (0, 1), "west": (-1, 0)}


class Dials(Dataset):
    """Dials whose hand points in one of four directions, which is the class; the mask is the hand."""

    name = "dials"
    api = "2.0"

    size: Annotated[int, Field(ge=16, le=512)] = 48
    """Height and width of the images in pixels."""
    train: Annotated[int, Field(ge=4)] = 200
    """Images of the training split."""
    val: Annotated[int, Field(ge=4)] = 40
    """Images of the validation split."""

    def open(self, split):
        count = self.train if split == "train" else self.val
        classes = torch.arange(count) % len(HANDS)
        labels = torch.nn.functional.one_hot(classes, len(HANDS)).bool()
        ids = tuple(f"{split}-{i:04d}" for i in range(count))

        def load(i):
            image, hand = self._drawn(i if split == "train" else self.train + i, int(classes[i]))
            return Sample(ids[i], image, labels[i], mask=hand.byte() * (1 + classes[i].byte()))

        return ImageSet(tuple(HANDS), ids, labels, load, f"dials-{self.size}-{self.train}-{self.val}-{split}")

    def _drawn(self, number, direction):
        """(3, H, W) uint8 and (H, W) bool, the hand: a bar from the dial's middle to its rim."""
        random = torch.Generator().manual_seed(number)
        noise = torch.randint(0, 40, (3, self.size, self.size), generator=random, dtype=torch.uint8)
        shift, brightness = torch.randint(-self.size // 8, self.size // 8 + 1, (2,), generator=random), 160
        steps = torch.arange(self.size) - self.size // 2
        x, y = (steps - shift[0])[None], (steps - shift[1])[:, None]
        dx, dy = list(HANDS.values())[direction]
        along, across = x * dx + y * dy, x * dy - y * dx
        hand = (along >= 0) & (along < self.size // 3) & (across.abs() <= self.size // 16)
        rim = ((x**2 + y**2).sqrt() - self.size // 3).abs() < 1.5
        return noise + brightness * (hand | rim).byte(), hand
