"""The few-shot baseline: what its loss is, what it learns, and what it asks of the data."""

import math
from pathlib import Path

import pytest
import torch
from published_layouts import openimages, wsol_cub
from torch import Tensor

import camforge
from camforge.analysis.held_out import held_out
from camforge.api import CamForgeError, SeedLearner
from camforge.host.registry import build

CONFIG = """
name = "few"
dataset = dict(name="wsol", root="{root}/{folder}", metadata="{root}/metadata/{folder}", train="{train}")
images = dict(size=24, fit="squash")
_small = dict(name="small", stem=4, widths=[8, 8], strides=[2, 1], blocks=["plain", "plain"])
trainer = dict(name="saliency", backbone=_small, epochs=2, lr=0.01, flip=True)
extractor = dict(name="pixels", layer="saliency")
arms = dict(few=dict())
metrics = [dict(name="{metric}")]
report = dict(images=0)
"""


def learner() -> SeedLearner:
    torch.manual_seed(1)
    found = build("trainer", {"name": "saliency", "backbone": "small"}).learner(3, pretrained=False)  # type: ignore[attr-defined]
    assert isinstance(found, SeedLearner)
    return found


NESTED = """
_few = trainer
_seeds = dict(trainer=_few, extractor=extractor)
arms = dict(
    seeded=dict(trainer=dict(name="affinity", backbone=_small, seeds=_seeds), extractor="cam"),
    grouped=dict(trainer=dict(name="single", backbone=_small), extractor="cam", fusers=[dict(name="hierarchy")],
        grouper=dict(name="kmeans_hierarchy", sizes=[2], trainer=_few)),
)
"""


def test_the_loss_pixel_by_pixel() -> None:
    one = learner().double().eval()
    images, targets = torch.randn(2, 3, 32, 32, dtype=torch.float64), torch.rand(2, 1, 8, 8, dtype=torch.float64)
    kept: list[Tensor] = []
    one.networks[0].body.saliency.register_forward_hook(lambda _m, _i, out: kept.append(out.detach()))
    (loss,) = one.losses(images, targets).values()
    assert kept[0].shape == (2, 1, 8, 8)
    terms = []
    for target, logit in zip(targets.flatten().tolist(), kept[0].flatten().tolist(), strict=True):
        if abs(target - 0.5) > 0.25:
            share = 1 / (1 + math.exp(-logit))
            terms.append(-math.log(share if target > 0.5 else 1 - share))
    assert 0 < len(terms) < targets.numel()
    assert float(loss.detach()) == pytest.approx(sum(terms) / len(terms), rel=1e-9)


def test_it_finds_objects_of_whichever_class() -> None:
    one = learner().train()
    generator = torch.Generator().manual_seed(2)
    images, objects = torch.rand(8, 3, 32, 32, generator=generator), torch.zeros(8, 1, 32, 32)
    for i in range(8):
        objects[i, :, i : i + 16, 2 * i : 2 * i + 12] = 1
    images = images + 2 * objects
    optimizer = torch.optim.Adam(one.parameters(), 0.01)
    for _ in range(40):
        (loss,) = one.losses(images, objects).values()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    maps = camforge.explain(one.eval().networks[0], images[:2], [0, 2], {"name": "pixels", "layer": "saliency"}).maps
    found, there = maps > 0.5, objects[:2, 0] > 0
    assert (found & there).sum() / (found | there).sum() > 0.7
    other = camforge.explain(one.networks[0], images[:2], [1, 1], {"name": "pixels", "layer": "saliency"}).maps
    assert torch.equal(maps, other)


@pytest.mark.parametrize("layout", [(openimages, "OpenImages", "pxap"), (wsol_cub, "CUB", "maxboxacc")])
def test_a_run_learns_from_masks_or_boxes(layout: tuple, tmp_path: Path) -> None:
    make, folder, metric = layout
    make(tmp_path)
    config = tmp_path / "few.py"
    config.write_text(CONFIG.format(root=tmp_path, folder=folder, train="val", metric=metric))
    results = camforge.run(config, work_dir=tmp_path / "w", device="cpu", quiet=True)
    assert not results.failures
    name = "maxboxacc_v2" if metric == "maxboxacc" else metric
    on_test = held_out(tmp_path / "w", name, {"val": "test"}, device="cpu", quiet=True)
    assert set(on_test.arms) == {"few"}
    config.write_text(CONFIG.format(root=tmp_path, folder=folder, train="train", metric=metric))
    with pytest.raises(CamForgeError, match=r"arms.few.trainer \(saliency\): needs masks or boxes"):
        camforge.run(config, work_dir=tmp_path / "none", device="cpu", quiet=True)


def test_what_it_asks_of_the_data_it_asks_wherever_it_stands(tmp_path: Path) -> None:
    openimages(tmp_path)
    config = tmp_path / "few.py"
    config.write_text(CONFIG.format(root=tmp_path, folder="OpenImages", train="train", metric="pxap") + NESTED)
    with pytest.raises(CamForgeError) as refused:
        camforge.run(config, work_dir=tmp_path / "none", device="cpu", quiet=True)
    for place in ("arms.seeded.trainer.seeds.trainer", "arms.grouped.grouper.trainer"):
        assert f"{place} (saliency): needs masks or boxes" in str(refused.value)
