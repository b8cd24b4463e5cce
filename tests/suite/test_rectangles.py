"""Images that are no squares, as surfaces are: the whole line runs, and boxes, masks and maps keep their places."""

from pathlib import Path

import pytest
import torch
from published_layouts import ksdd2

from camforge import CamForgeError, run
from camforge.analysis.export import export
from camforge.api import Sample
from camforge.data.geometry import Geometry

TEXT = """
name = "tall"
dataset = dict(name="ksdd2", root="{root}")
images = dict(size=[60, 24], fit="squash")
trainer = dict(
    name="single", backbone=dict(name="small", stem=4, widths=[8], strides=[2], blocks=["plain"]), epochs=1, lr=0.01,
)
extractor = dict(name="gradcam")
arms = dict(one=dict())
metrics = [dict(name="miou", threshold="otsu"), dict(name="mlev")]
measure_on = ["val", "train"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    ksdd2(tmp_path)
    path = tmp_path / "tall.py"
    path.write_text(TEXT.format(root=tmp_path / "KolektorSDD2"))
    return path


def test_a_run_on_tall_surfaces(config: Path, tmp_path: Path) -> None:
    results = run(config, work_dir=tmp_path / "w", device="cpu", quiet=True)
    assert {"miou", "mlev", "miou@train"} <= set(results.arms["one"])
    assert results.photographs.shape[1:] == (3, 60, 24)
    assert results.maps("one").values.shape[-2:] == (60, 24)
    export(tmp_path / "w", tmp_path / "seeds", split="val", device="cpu", quiet=True)
    assert any((tmp_path / "seeds").iterdir())


def test_masks_and_boxes_go_with_the_image() -> None:
    mask = torch.zeros(63, 23, dtype=torch.uint8)
    mask[21:42] = 1
    boxes = torch.tensor([[0.0, 21.0, 23.0, 42.0]])
    image = mask[None].expand(3, 63, 23) * 255
    sample = Sample("a", image, torch.tensor([True]), mask, boxes, torch.tensor([0]))
    geometry = Geometry((30, 46), "squash", (0.5,) * 3, (0.25,) * 3)
    placed = geometry.place(sample)
    assert placed.image.shape == (3, 30, 46)
    assert placed.boxes.tolist() == [[0.0, 10.0, 46.0, 20.0]]
    assert placed.mask is not None
    assert placed.mask.nonzero()[:, 0].unique().tolist() == list(range(10, 20))
    maps, seen = geometry.back(placed.mask[None].float(), (63, 23))
    assert maps.shape == (1, 63, 23)
    assert bool(seen.all())
    assert ((maps[0] > 0.5).float() - mask.float()).abs().mean() < 0.05


@pytest.mark.parametrize("change", ["images.fit=crop", "images.train_size=64"])
def test_a_crop_is_a_square(config: Path, change: str) -> None:
    with pytest.raises(CamForgeError, match=r"images: a crop is a square"):
        run(config, overrides=[change])


def test_a_wrong_size_is_told_in_one_line(config: Path) -> None:
    with pytest.raises(CamForgeError, match=r"images\.size") as caught:
        run(config, overrides=["images.size=4"])
    assert len(str(caught.value).splitlines()) == 1
