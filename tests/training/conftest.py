"""Images that a tiny network learns in a few epochs."""

import pytest
import torch

from camforge.data.geometry import Geometry
from camforge.data.prepared import Prepared, prepare
from camforge.types import ImageSet, Sample


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
