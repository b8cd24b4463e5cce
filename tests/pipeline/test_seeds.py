"""Seeds from one network to the training of the next."""

import json
from pathlib import Path

import torch
from torch import Tensor

import camforge
from camforge.store.stored_maps import load_maps
from camforge.training.seeds import cropped, mirrored

CONFIG = """
name = "seeds"
dataset = dict(name="partworld", train=24, val=8, size=32)
images = dict(size=32)
_small = dict(name="small", stem=4, widths=[8, 8], strides=[2, 1], blocks=["plain", "plain"])
_single = dict(name="single", backbone=_small, epochs=1, batch_size=8)
_seen = dict(name="layercam", layers="stages")
_sum = dict(name="sum", axis="layer", normalise="max")
_pixels = dict(name="pixels", backbone=_small, epochs=2, batch_size=8, flip=True,
    seeds=dict(trainer=_single, extractor=_seen, fusers=[_sum]))
_affinity = dict(name="affinity", backbone=_small, epochs=2, batch_size=8, flip=True, radius=3, seeds=_pixels["seeds"])
_irn = dict(_affinity, name="irn", hidden=8)
_lpcam = dict(name="lpcam", backbone=_small, epochs=2, batch_size=8, flip=True, clusters=2, seeds=_pixels["seeds"])
trainer = _single
extractor = _seen
fusers = [_sum]
arms = {
    "plain": {},
    "pixels": dict(trainer=_pixels, extractor=dict(name="beside", extractors=[dict(name="pixels"), _seen])),
    "affinities": dict(trainer=_affinity, extractor=dict(name="affinitywalk", radius=3, steps=4), fusers=[]),
    "prototypes": dict(trainer=_lpcam, extractor=dict(name="lpcam"), fusers=[]),
    "their places": dict(
        trainer=dict(_pixels, seeds=dict(trainer=_lpcam, extractor=dict(name="lpcam"))), extractor=dict(name="pixels")
    ),
    "boundaries": dict(trainer=_irn, extractor=dict(name="boundarywalk", radius=3, steps=4), fusers=[]),
}
metrics = [dict(name="threshold_sweep", choose="train")]
report = dict(images=0)
"""


def test_a_run_with_seeds(tmp_path: Path) -> None:
    (tmp_path / "seeds.py").write_text(CONFIG)
    results = camforge.run(tmp_path / "seeds.py", work_dir=tmp_path / "work", device="cpu", quiet=True)
    assert not results.failures
    entry = seeds_of("layercam", tmp_path / "work" / "store")
    kept = load_maps(entry)
    assert kept.asked[:].shape == (24, 12)
    count = int(kept.asked[:].sum())
    assert [rows.shape for rows in kept.maps[0]] == [(count, 8, 8)]
    maps = torch.from_file(str(entry / "branch0-layer0.float32"), size=count * 64).view(count, 8, 8)
    (raw,) = [
        folder for folder in (tmp_path / "work" / "store").glob("maps-*")
        if torch.equal(load_maps(folder).asked[:], kept.asked[:]) and len(load_maps(folder).maps[0]) == 2
    ]  # fmt: skip
    torch.testing.assert_close(maps, expected_seeds(raw, count), rtol=0, atol=1e-6)


def seeds_of(extractor: str, store: Path) -> Path:
    (entry,) = (
        found for found in store.glob("seeds-*")
        if json.loads((found / "recipe.json").read_text())["recipe"]["extractor"]["name"] == extractor
    )  # fmt: skip
    return entry


def expected_seeds(raw: Path, count: int) -> Tensor:
    """Two layers' maps over their maxima at the images' size, summed, over the maximum, at a quarter of the size."""
    total = torch.zeros(count, 32, 32, dtype=torch.float64)
    for layer, (height, width) in enumerate(rows.shape[1:] for rows in load_maps(raw).maps[0]):
        file = raw / f"branch0-layer{layer}.float32"
        maps = torch.from_file(str(file), size=count * height * width).view(count, 1, height, width).double()
        grown = torch.nn.functional.interpolate(maps, size=(32, 32), mode="bilinear")[:, 0].clamp(min=0)
        total += grown / grown.amax((1, 2), keepdim=True).clamp(min=1e-12)
    total = total / total.amax((1, 2), keepdim=True).clamp(min=1e-12)
    return torch.nn.functional.interpolate(total[:, None], size=(8, 8), mode="bilinear")[:, 0].float()


def test_seeds_follow_crops_and_mirrors() -> None:
    images = torch.zeros(3, 3, 12, 12, dtype=torch.uint8)
    images[:, :, 4, 6] = 255
    seeds = images[:, :1].float().expand(-1, 2, -1, -1) / 255
    shown, followed = cropped(images, seeds, 9, 3, slice(None))
    assert shown.shape == (3, 3, 9, 9)
    torch.testing.assert_close(followed, shown[:, :2].float() / 255)
    which = torch.tensor([True, False, True])
    torch.testing.assert_close(mirrored(followed, which), mirrored(shown, which)[:, :2].float() / 255)
    assert torch.equal(mirrored(shown, which)[0], shown[0].flip(-1))
    labels = torch.ones(3, 2)
    assert cropped(images, labels, 9, 3, slice(None))[1] is labels
    assert mirrored(labels, which) is labels
