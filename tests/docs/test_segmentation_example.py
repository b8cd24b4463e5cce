"""The example that trains a segmentation network on exported seeds, from a run to its table."""

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch
import torchvision
from PIL import Image

import camforge
from camforge.analysis.export import export
from camforge.api import Sample

EXAMPLE = Path(__file__).parents[2] / "examples/segmentation_from_seeds.py"
CONFIG = """
name = "seeds"
dataset = dict(name="partworld", train=32, val=4, size=32)
images = dict(size=32)
trainer = dict(name="single", backbone="small", epochs=1, batch_size=6)
arms = dict(plain=dict(extractor="layercam"))
metrics = ["miou"]
report = dict(images=0)
"""


@pytest.mark.slow
def test_from_a_run_to_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    (tmp_path / "seeds.py").write_text(CONFIG)
    camforge.run(tmp_path / "seeds.py", work_dir=tmp_path / "work", device="cpu", quiet=True)
    for split in ("train", "val"):
        options = {"split": split, "threshold": 0.5, "background": 0.3, "device": "cpu", "quiet": True}
        export(tmp_path / "work", tmp_path / split, **options)
    asked = ["--size", "32", "--epochs", "1"]
    monkeypatch.setattr(sys, "argv", ["example", str(tmp_path / "train"), str(tmp_path / "val"), *asked])
    found = runpy.run_path(str(EXAMPLE))["main"]()
    seeds, network, told = found.values()
    assert all(0 <= value <= 100 for row in (seeds, network, told) for value in row)
    assert seeds[0] > 4  # more than half of the background alone, a thirteenth
    assert "network, told the classes" in capsys.readouterr().out


def test_weights_of_a_file_are_those_that_learn(tmp_path: Path) -> None:
    segmenter = runpy.run_path(str(EXAMPLE))["segmenter"]
    torch.manual_seed(0)
    body = torchvision.models.mobilenet_v2()
    torch.save({name: value.half() for name, value in body.state_dict().items()}, tmp_path / "mobilenet.pt")
    model = segmenter(6, str(tmp_path / "mobilenet.pt"))
    first = model.backbone.get_submodule("features.0.0").weight
    assert torch.equal(first, body.features[0][0].weight.half().float())


def test_what_the_seeds_saw_is_a_rectangle(tmp_path: Path) -> None:
    """The mask lies under the name that the export gave it, which need not be the image's id."""
    (tmp_path / "manifest.json").write_text(json.dumps({"config": {"dataset": {"name": "partworld"}}}))
    second = camforge.build("dataset", "partworld").open("val").ids[1]
    (tmp_path / "masks.json").write_text(json.dumps({"images": [{"file_name": second, "stem": "second--2"}]}))
    found = runpy.run_path(str(EXAMPLE))["Exported"].open(tmp_path, "val")
    (tmp_path / "masks").mkdir()
    mask = torch.full((6, 8), 255, dtype=torch.uint8)
    mask[1, 3], mask[4, 6] = 0, 2
    Image.fromarray(mask.numpy()).save(tmp_path / "masks/second--2.png")
    seen = found.seen(1)
    assert seen.sum() == 4 * 4
    assert seen[1:5, 3:7].all()


def test_the_mean_iou_pixel_by_pixel() -> None:
    images = camforge.build("dataset", {"name": "partworld", "train": 3, "size": 32}).open("train")
    drawn = torch.randint(0, 13, (3, 2, 32, 32), generator=torch.Generator().manual_seed(0))

    def segment(_sample: Sample, i: int) -> torch.Tensor:
        return drawn[i]

    found = runpy.run_path(str(EXAMPLE))["mean_iou"](segment, images)
    truth = torch.stack([images.load(i).mask for i in range(3)]).long()
    for t in range(2):
        pairs = list(zip(truth.flatten().tolist(), drawn[:, t].flatten().tolist(), strict=True))
        ious = [sum(a == b == c for a, b in pairs) / sum(c in pair for pair in pairs) for c in range(13)]
        assert float(found[t]) == pytest.approx(100 * sum(ious) / 13)
