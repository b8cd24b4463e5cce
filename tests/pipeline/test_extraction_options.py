"""How networks run in extraction, and where decoded images lie, change numbers by rounding or not at all."""

import json
from pathlib import Path

import pytest
import torch

import camforge
from camforge import CamForgeError
from camforge.store.stored_maps import StoredMaps, load_maps

PLAIN = ["report.images=0"]


def arms(results: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(results)["arms"]
    return found


def test_images_decoded_at_each_use_give_the_numbers_to_the_digit(tiny: Path, tmp_path: Path, whole: bytes) -> None:
    torch.set_num_threads(1)
    overrides = [*PLAIN, "images.memory=0", "images.disk=0"]
    camforge.run(tiny, overrides=overrides, work_dir=tmp_path / "w", device="cpu", quiet=True)
    assert arms((tmp_path / "w/results.json").read_bytes()) == arms(whole)
    told = (tmp_path / "w/run.log").read_text()
    assert "64 train images: images.memory and images.disk have no room for them: they are decoded anew" in told


def entries(folder: Path) -> dict[str, StoredMaps]:
    return {path.parent.name: load_maps(path.parent) for path in folder.rglob("index.pt")}


@pytest.mark.parametrize(
    ("override", "least", "most"),
    [("extraction.autocast=bf16", 1e-5, 0.1), ("extraction.channels_last=true", 0, 1e-4)],
)
def test_maps_differ_by_their_rounding(tiny: Path, tmp_path: Path, override: str, least: float, most: float) -> None:
    """Networks are those of the first run; maps of another precision are never taken for its own."""
    only = [*PLAIN, "arms={baseline: {}}"]
    camforge.run(tiny, overrides=only, work_dir=tmp_path / "a", quiet=True)
    camforge.run(tiny, overrides=[*only, override], work_dir=tmp_path / "b", quiet=True)
    (first,), (second,) = (list(entries(tmp_path / name).items()) for name in "ab")
    assert (first[0] != second[0]) == ("autocast" in override)
    expected, found = first[1].maps[0][0][:], second[1].maps[0][0][:]
    away = float((found - expected).abs().max() / expected.abs().max())
    assert least <= away <= most


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU the option works: tests/gpu")
def test_a_decoder_that_is_not_there_is_one_line(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(CamForgeError, match=r"^images\.decoder: 'gpu' needs an NVIDIA GPU, and torch finds none here"):
        camforge.run(tiny, overrides=["images.decoder=gpu"], work_dir=tmp_path, quiet=True)
