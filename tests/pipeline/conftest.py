"""A whole experiment that takes a second or two."""

from pathlib import Path

import double_backbone
import pytest
import torch

import camforge
from camforge.host.discovery import PluginClass
from camforge.host.registry import registry

TINY = """
name = "tiny"
dataset = dict(name="partworld", size=32, train=64, val=12)
images = dict(size=32)
_recipe = dict(backbone=dict(name="small", stem=4, widths=[8, 8], strides=[2, 1], blocks=["plain", "plain"]),
               epochs=2, lr=0.01, batch_size=32, schedule="constant")
trainer = dict(name="single", **_recipe)
extractor = dict(name="gradcam")
_levels = dict(name="hierarchy", rest="image")
_branches = dict(name="mean", axis="branch", normalise="max")
arms = {
    "baseline": dict(),
    "families": dict(grouper=dict(name="given"), fusers=[_levels]),
    "both": dict(grouper=dict(name="kmeans_hierarchy", sizes=[4], trainer=trainer),
                 trainer=dict(name="two_branch_orthogonal", **_recipe), fusers=[_branches, _levels]),
    "layers": dict(extractor=dict(name="layercam", layers="stages"), fusers=[dict(name="sum", axis="layer")]),
}
metrics = [dict(name="miou"), dict(name="mlev"), dict(name="coverage")]
report = dict(images=3)
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """An experiment file with four arms, four trainings in all."""
    path = tmp_path / "tiny.py"
    path.write_text(TINY)
    return path


@pytest.fixture
def tiny_double(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny experiment in float64, where another batch size or another processor changes no digit that shows."""
    plugin = PluginClass("backbone", double_backbone.SmallDouble, "double", double_backbone.DISTRIBUTION, "1.0")
    monkeypatch.setitem(registry().plugins["backbone"], "small_double", plugin)
    tiny.write_text(tiny.read_text().replace('name="small"', 'name="small_double"'))
    return tiny


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The numbers of an undisturbed run without pictures, by one thread."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "tiny.py").write_text(TINY)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    camforge.run(folder / "tiny.py", overrides=["report.images=0"], work_dir=folder / "w", device="cpu", quiet=True)
    torch.set_num_threads(before)
    return (folder / "w/results.json").read_bytes()
