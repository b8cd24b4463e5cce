"""Settings are chosen on the validation images, measured on others, and those are looked at once."""

import json
from pathlib import Path

import pytest
from published_layouts import openimages

from camforge import CamForgeError, run
from camforge.analysis.held_out import best_settings, held_out

TEXT = """
name = "wsol"
dataset = dict(name="wsol", root="{root}/OpenImages", metadata="{root}/metadata/OpenImages")
images = dict(size=24, fit="squash")
trainer = dict(
    name="single", loss="softmax", backbone=dict(name="small", stem=4, widths=[8, 8], strides=[2, 1],
    blocks=["plain", "plain"]), epochs=1, lr=0.01,
)
extractor = dict(name="gradcam")
arms = {{
    "Grad-CAM": dict(),
    "Layer-CAM | first": dict(extractor=dict(name="layercam", layers=["stage1"])),
    "Layer-CAM | last": dict(extractor=dict(name="layercam")),
}}
metrics = [dict(name="pxap")]
report = dict(images=2)
"""


def test_the_best_setting_of_each_method_goes_to_the_test_images_once(tmp_path: Path) -> None:
    openimages(tmp_path)
    config = tmp_path / "wsol.py"
    config.write_text(TEXT.format(root=tmp_path))
    work = tmp_path / "w"
    on_val = run(config, work_dir=work, device="cpu", quiet=True).arms
    with pytest.raises(CamForgeError, match="no arm has 'pxab'; did you mean 'pxap'"):
        held_out(work, "pxab", {"val": "test"}, device="cpu", quiet=True)
    found = held_out(work, "pxap", {"val": "test"}, device="cpu", quiet=True)
    best = max(("Layer-CAM | first", "Layer-CAM | last"), key=lambda arm: on_val[arm]["pxap"])
    assert set(found.arms) == {"Grad-CAM", best}
    assert "control: centred Gaussian" in found.controls
    overrides = ["dataset.val=test"]
    alone = run(
        config, overrides=overrides, work_dir=tmp_path / "alone", store=work / "store", device="cpu", quiet=True
    )
    assert {arm: alone.arms[arm] for arm in found.arms} == found.arms
    assert json.loads((work / "held_out" / "chosen.json").read_text())["chosen"][best] == on_val[best]["pxap"]
    with pytest.raises(CamForgeError, match="the held-out split is read once"):
        held_out(work, "pxap", {"val": "test"}, device="cpu", quiet=True)


def test_of_errors_the_smallest_and_of_equals_the_first() -> None:
    numbers = {"A | 1": {"e": 3.0}, "A | 2": {"e": 1.0}, "A | 3": {"e": 1.0}, "B": {"e": 9.0}, "C": {"other": 0.0}}
    assert best_settings(numbers, "e", lower=True) == {"A": "A | 2", "B": "B"}
    assert best_settings(numbers, "e", lower=False) == {"A": "A | 1", "B": "B"}
