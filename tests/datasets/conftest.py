"""Small files as the published data sets have them."""

from __future__ import annotations

import random
import re
import shutil
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


ROUNDS = 40
TOKENS = ["nan", "-inf", "-1", "1e999", "9" * 5000, "../../x", "<", "\0", "\x85", '"', ",", "{", "]", "null", "[[", "é"]


def _damage(path: Path, chance: random.Random) -> None:
    """Change one file: cut, emptied, gone, a folder, bytes that are others, a word that is another, a line twice."""
    content = path.read_bytes()
    words = list(re.finditer(rb"[\w.+-]+", content)) or [re.match(rb"", content)]
    deed = chance.choice(["cut", "empty", "gone", "folder", "bytes", "bytes", "word", "word", "word", "line"])
    if deed in ("gone", "folder"):
        path.unlink()
    if deed == "folder":
        path.mkdir()
    elif deed == "word":
        word = chance.choice(words)
        path.write_bytes(content[: word.start()] + chance.choice(TOKENS).encode() + content[word.end() :])
    elif deed == "line":
        lines = content.splitlines(keepends=True)
        path.write_bytes(b"".join([*lines, chance.choice(lines or [b""])]))
    elif deed == "bytes":
        changed = bytearray(content)
        for _ in range(3):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        path.write_bytes(changed)
    elif deed != "gone":
        path.write_bytes(content[: chance.randrange(len(content))] if deed == "cut" else b"")


@pytest.fixture
def told_of_damage(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, Callable[[Path], Dataset]], int]:
    """How many of 40 damaged copies of a folder are refused; each is, with an error that says where, or is read."""

    def count(folder: Path, dataset: Callable[[Path], Dataset]) -> int:
        refused, unclear = 0, []
        for seed in range(ROUNDS):
            chance = random.Random(seed)
            copy = tmp_path_factory.mktemp("damaged") / folder.name
            shutil.copytree(folder, copy)
            files = sorted(path for path in copy.rglob("*") if path.is_file())
            texts = [path for path in files if path.suffix in (".txt", ".xml", ".json", ".csv")]
            _damage(chance.choice(texts if texts and chance.random() < 0.8 else files), chance)
            try:
                for split in ("train", "val"):
                    images = dataset(copy).open(split)  # type: ignore[arg-type]
                    assert [images.load(i).id for i in range(len(images))] == list(images.ids)
            except CamForgeError as error:
                refused += 1
                unclear += [str(error)] if str(copy) not in str(error) else []
        assert unclear == []
        return refused

    return count
