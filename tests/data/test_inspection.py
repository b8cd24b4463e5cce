"""What a check of the data tells beside what cannot be used."""

from __future__ import annotations

from contextlib import nullcontext

import torch

from camforge.data.inspection import inspect
from camforge.interfaces import Dataset
from camforge.types import CamForgeError, ImageSet, Sample

MASKS = {"right": [1, 255], "other": [2], "both": [1, 2], "empty": [], "broken": None}


class Disagreeing(Dataset):
    """Images of class a whose masks show other things."""

    name = "disagreeing"

    def open(self, split: str) -> ImageSet:
        labels = torch.tensor([[True, False]]).repeat(len(MASKS), 1)

        def load(i: int) -> Sample:
            values = list(MASKS.values())[i]
            if values is None:
                raise CamForgeError("broken.jpg: cannot be read")
            mask = torch.zeros(4, 4, dtype=torch.uint8)
            mask.flatten()[: len(values)] = torch.tensor(values, dtype=torch.uint8)
            return Sample(f"{i}", torch.zeros(3, 4, 4, dtype=torch.uint8), labels[i], mask)

        return ImageSet(("a", "b"), tuple(MASKS), labels, load, "x", notes=(f"a note of {split}",))


def test_masks_that_disagree_with_labels_are_told() -> None:
    found = list(inspect(Disagreeing(), lambda _label: nullcontext(lambda *_counts: None)))
    assert [one.split for one in found] == ["train", "val"]
    assert found[0].problems == ("broken.jpg: cannot be read", "no image shows b")
    assert found[0].notes == (
        "a note of train",
        "masks that show a class their label has not: 2, other (b), both (b)",
        "labels with a class that the mask shows nowhere: 2, other (a), empty (a)",
    )
