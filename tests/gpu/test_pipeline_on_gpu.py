"""A whole experiment on a GPU, with nvJPEG, autocast and either memory format, tells about what the CPU tells."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import camforge
from camforge.data.decoding import decoding_on, read_image

CONFIG = """
name: folder
dataset: {{name: image_folder, root: {root}, val_fraction: 0.25}}
images: {{size: 32}}
trainer: {{name: single, epochs: 2, batch_size: 16, lr: 0.01, tf32: false,
          backbone: {{name: small, stem: 4, widths: [8], strides: [2], blocks: [plain]}}}}
extractor: gradcam
arms: {{baseline: {{}}}}
metrics: [average_drop]
controls: false
report: {{images: 0}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """80 JPEG files of two classes, colours as fine as brightness: decoders differ in how they spread coarser ones."""
    chance = np.random.default_rng(0)
    for i in range(80):
        values = chance.integers(0, 120, (6, 6, 3), dtype=np.uint8)
        values[2:4, 2:4, i % 2] = 255
        path = tmp_path / f"photographs/{'ab'[i % 2]}/{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).resize((60, 45)).save(path, quality=95, subsampling=0)
    return tmp_path


def drop(folder: Path, device: str, *overrides: str) -> float:
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(root=folder / "photographs"))
    work = folder / "-".join([device.replace(":", ""), *overrides])
    found = camforge.run(config, overrides=list(overrides), work_dir=work, device=device, quiet=True)
    return next(iter(found.arms["baseline"].values()))


@pytest.mark.parametrize(
    "override",
    [
        "extraction.channels_last=true",
        "extraction.channels_last=false",
        "extraction.autocast=bf16",
        "images.decoder=gpu",
    ],
)
def test_numbers_are_about_those_of_the_cpu(device: torch.device, folder: Path, override: str) -> None:
    assert drop(folder, str(device), override) == pytest.approx(drop(folder, "cpu"), abs=2)


def test_nvjpeg_decodes_what_the_cpu_decodes(device: torch.device, folder: Path) -> None:
    for path in sorted((folder / "photographs").rglob("*.jpg"))[:10]:
        with decoding_on(device):
            found = read_image(path)
        assert found.is_cuda
        assert (found.cpu().int() - read_image(path).int()).abs().float().mean() < 2
