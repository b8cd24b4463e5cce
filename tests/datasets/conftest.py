"""Small files as the published data sets have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camforge.api import CamForgeError, Dataset


@pytest.fixture
def picture() -> Callable[..., np.ndarray]:
    """Write an image: noise, or one colour. Returns its pixels (H, W, 3)."""

    def write(path: Path, width: int = 12, height: int = 8, colour: tuple[int, int, int] | None = None) -> np.ndarray:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
        if colour is not None:
            pixels[:] = colour
        Image.fromarray(pixels).save(path)
        return pixels

    return write


@pytest.fixture
def mask_file() -> Callable[..., None]:
    """Write a grey PNG of the values given, or a palette PNG."""

    def write(path: Path, values: np.ndarray, palette: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(values.astype(np.uint8))
        if palette:
            image.putpalette([(7 * i) % 256 for i in range(768)])
        image.save(path)

    return write


@pytest.fixture
def told() -> Callable[..., str]:
    """The text of the one error that opening a split raises."""

    def tell(dataset: Dataset, split: str = "train") -> str:
        with pytest.raises(CamForgeError) as caught:
            dataset.open(split)  # type: ignore[arg-type]
        return str(caught.value)

    return tell
