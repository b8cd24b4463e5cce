"""Numbers of both splits in one run: a table that prints both gets both."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from published_layouts import voc

from camforge import CamForgeError, run
from camforge.pipeline.results import Results

TEXT = """
name = "both"
dataset = dict(name="voc", root="{root}", classes=["cat", "dog"], train="Segmentation/train_aug")
images = dict(size=32)
trainer = dict(
    name="single", backbone=dict(name="small", stem=4, widths=[8, 8], strides=[2, 1], blocks=["plain", "plain"]),
    epochs=1, lr=0.01,
)
extractor = dict(name="gradcam", layers="stages")
fusers = [dict(name="product_with_last")]
arms = dict(one=dict())
metrics = [dict(name="miou"), dict(name="mlev"), dict(name="threshold_sweep")]
measure_on = ["val", "train"]
report = dict(images=2)
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    voc(tmp_path)
    for i, path in enumerate(sorted((tmp_path / "VOCdevkit/VOC2012/JPEGImages").glob("*_[cd][ao][tg]_*.jpg"))):
        pixels = np.random.default_rng(i).integers(0, 255, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)  # every photograph of a cat or dog is its own
    path = tmp_path / "both.py"
    path.write_text(TEXT.format(root=tmp_path / "VOCdevkit"))
    return path


def started(config: Path, *overrides: str) -> Results:
    name = f"w{abs(hash(overrides))}"
    return run(config, overrides=overrides, work_dir=config.parent / name, device="cpu", quiet=True)


@pytest.mark.slow
def test_the_second_numbers_are_those_of_the_training_images(config: Path) -> None:
    masks = "dataset.masks=SegmentationClassAug"
    both = started(config, masks)
    train_alone = started(config, masks, "dataset.val=Segmentation/train_aug", 'measure_on=["val"]')
    for rows, names in ((both.arms, train_alone.arms), (both.controls, train_alone.controls)):
        for arm, numbers in names.items():
            second = {name: value for name, value in rows[arm].items() if "@train" in name}
            assert {name.replace("@train", ""): value for name, value in second.items()} == numbers
    first = {name: value for name, value in both.arms["one"].items() if "@" not in name}
    assert first == started(config, masks, 'measure_on=["val"]').arms["one"]
    assert first["miou"] != both.arms["one"]["miou@train"]
    assert both.arms["one"]["mlev@train/cat"] == train_alone.arms["one"]["mlev/cat"]
    (arm,) = (arm for arm in both.report_data.arms if arm.name == "one")
    assert "mlev@train" in arm.lower_is_better
    assert sum(title.endswith(", train") for title in arm.plots) == len(arm.plots) / 2 > 0


def test_what_the_training_images_lack_is_left_out_there_alone(config: Path) -> None:
    results = started(config)
    assert {"miou", "mlev", "mlev@train"} <= set(results.arms["one"])
    assert "miou@train" not in results.arms["one"]
    assert results.report_data.left_out["miou@train"] == "needs masks, and the train split has none"


def test_the_maps_of_each_layer_are_kept_for_the_page(config: Path) -> None:
    for image in started(config, 'measure_on=["val"]').report_data.gallery:
        before = image.before_fusion["one"]
        assert list(before) == ["stage 1", "stage 2"]
        for label, fused in image.maps["one"].items():
            assert before["stage 1"][label].shape == before["stage 2"][label].shape == fused.shape


@pytest.mark.parametrize("splits", ['["train"]', '["val", "val"]', "[]"])
def test_the_validation_images_are_always_measured(config: Path, splits: str) -> None:
    with pytest.raises(CamForgeError, match=r'measure_on: give \["val"\] or \["val", "train"\]'):
        started(config, f"measure_on={splits}")
