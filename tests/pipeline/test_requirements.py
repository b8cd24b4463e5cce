"""A metric that the data cannot serve is left out before anything is trained, and the others are computed."""

import json
from pathlib import Path

import published_layouts
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from camforge import CamForgeError, run
from camforge.cli import app

FOLDER = """
name = "requirements"
dataset = dict(name="image_folder", root="{root}")
images = dict(size=32)
trainer = dict(name="single", backbone=dict(name="small", stem=4, widths=[8], strides=[2], blocks=["plain"]), epochs=1)
extractor = dict(name="gradcam")
arms = dict(one=dict())
metrics = [{metrics}]
report = dict(images=1)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of four photographs in each split, and no truth at all."""
    for split in ("train", "val"):
        for label in ("cat", "dog"):
            (tmp_path / "data" / split / label).mkdir(parents=True)
            for i in range(4):
                pixels = torch.randint(0, 256, (40, 32, 3), dtype=torch.uint8)
                Image.fromarray(pixels.numpy()).save(tmp_path / "data" / split / label / f"{split}{i}.png")
    return tmp_path


def config(folder: Path, *metrics: str) -> Path:
    named = ", ".join(f"dict(name={name!r})" for name in metrics)
    path = folder / "config.py"
    path.write_text(FOLDER.format(root=folder / "data", metrics=named))
    return path


def test_the_other_metrics_are_computed(folder: Path) -> None:
    results = run(config(folder, "miou", "average_drop", "mlev"), work_dir=folder / "w", device="cpu", quiet=True)
    assert set(results.arms["one"]) >= {"average_drop"}
    assert not any(name.startswith(("miou", "mlev")) for name in results.arms["one"])
    left_out = {
        "miou": "needs masks, and the val split has none",
        "mlev": "needs boxes, and the val split has none",
    }
    assert json.loads((folder / "w/results.json").read_text())["left_out"] == left_out
    page, log = results.report.read_text(), (folder / "w/run.log").read_text()
    for name, reason in left_out.items():
        assert f"No column for {name}: it {reason}." in page
        assert f"no {name}: it {reason}" in log


def test_where_no_metric_is_left_nothing_is_trained(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a network was trained")

    path = config(folder, "miou", "coverage")
    monkeypatch.setattr("camforge.training.loop.train", never)
    with pytest.raises(CamForgeError, match=r"(?s)'miou': needs masks.*'coverage': needs masks and parts"):
        run(path, work_dir=folder / "w", device="cpu", quiet=True)


@pytest.mark.parametrize("metrics", [["miou"], ["miou", "threshold_sweep"]])
def test_where_no_metric_is_left_no_training_image_is_read(folder: Path, metrics: list[str]) -> None:
    path = config(folder, *metrics)
    options = ["metrics.1.choose=train"] if len(metrics) > 1 else []
    with pytest.raises(CamForgeError, match="needs masks, and the val split has none"):
        run(path, overrides=options, work_dir=folder / "w", device="cpu", quiet=True)
    said = (folder / "w/run.log").read_text()
    assert "8 val images" in said
    assert "train images" not in said


def test_a_metric_whose_truth_some_image_lacks_is_left_out(tmp_path: Path) -> None:
    published_layouts.voc(tmp_path / "data")
    (tmp_path / "data/VOCdevkit/VOC2012/SegmentationClassAug/train_aug_cat_2.png").unlink()
    path = config(tmp_path, "threshold_sweep", "miou", "mlev")
    options = [
        "metrics.0.choose=train", "dataset.name=voc", "dataset.train=Segmentation/train_aug",
        "dataset.masks=SegmentationClassAug", "dataset.classes=[cat, dog]",
    ]  # fmt: skip
    results = run(path, overrides=options, work_dir=tmp_path / "w", device="cpu", quiet=True)
    assert {name.partition("/")[0] for name in results.arms["one"]} == {"miou", "mlev"}
    reason = "needs masks, and 1 of 12 images of the train split have none, such as train_aug_cat_2"
    assert json.loads((tmp_path / "w/results.json").read_text())["left_out"] == {"threshold_sweep": reason}


def test_config_check_reads_the_data_where_asked(folder: Path) -> None:
    path = config(folder, "miou", "average_drop")
    (folder / "data/val/dog/val3.png").write_bytes(b"no picture")
    asked = CliRunner().invoke(app, ["config", "check", str(path), "--set", "fusers=[{name: hierarchy}]", "--data"])
    assert asked.exit_code == 0, asked.output
    assert "note: no column for miou: it needs masks, and the val split has none" in asked.output
    assert "note: val: 1 images are left out" in asked.output
    assert "note: arms.one: fuser 'hierarchy' has one view alone: grouper 'none' makes no more" in asked.output
    assert "no mistakes" in asked.output


def test_mistakes_of_the_file_and_of_the_data_stand_in_one_report(folder: Path) -> None:
    path = config(folder, "coverage")
    options = ["--set", "arms.one.grouper={name: kmeans_hierarchy, sizes: [7]}", "--data"]
    error = CliRunner().invoke(app, ["config", "check", str(path), *options]).exception
    assert isinstance(error, CamForgeError)
    assert "makes several views: add a fuser with axis='view'" in str(error)
    assert "arms.one.grouper (kmeans_hierarchy): " in str(error)
    assert "metric 'coverage': needs masks and parts, and the val split has none" in str(error)
