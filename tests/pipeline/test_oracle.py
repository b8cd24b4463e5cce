"""The best pairs by the validation masks, against a pixel-by-pixel computation."""

from pathlib import Path

import pytest
import torch

from camforge import CamForgeError, run
from camforge.analysis.finished import Finished
from camforge.analysis.oracle import oracle
from camforge.progress.progress import Progress

PAIRS = """
_pair = dict(name="binary_pair", **dict(_recipe, epochs=1))
_all = dict(name="false_positive_clusters", select="random", clusters=2, min_images=1)
arms = {"baseline": dict(), "pairs": dict(grouper=_all, trainer=_pair, fusers=[dict(name="mean", axis="view")])}
metrics = [dict(name="miou")]
"""


def iou(predicted: list[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """Percent, over (bool map, mask side) of all images of a class; side: 1 inside, 0 outside, -1 ignored."""
    both = either = 0
    for seen, side in predicted:
        for hit, where in zip(seen.flatten().tolist(), side.flatten().tolist(), strict=True):
            if where >= 0:
                both += hit and where == 1
                either += hit or where == 1
    return 100 * both / max(either, 1)


def test_against_pixel_by_pixel(tiny: Path, tmp_path: Path) -> None:
    text = tiny.read_text().replace("train=64", "train=240")
    tiny.write_text(text[: text.index("arms = {")] + PAIRS)
    folder = run(tiny, work_dir=tmp_path / "w", device="cpu", quiet=True).folder
    found = oracle(folder, threshold=0.4, device="cpu", quiet=True)

    fused = Finished.open(folder, "cpu", Progress(quiet=True)).fused_maps("pairs", "val")
    shown: dict[int, list[tuple[list[torch.Tensor], torch.Tensor]]] = {}
    for place in range(len(fused.split)):
        sample = fused.split.sample(place)
        stack = fused.fuser.stack([place], sample.labels[None], sample.labels[None], (32, 32))
        for pair, label in enumerate(stack.classes.tolist()):
            maps = [stack.values[pair, v, 0, 0].clamp(min=0) for v in range(len(fused.fuser.grouping.views_of(label)))]
            maps = [values / values.max() if values.max() > 0 else values for values in maps]
            side = torch.where(sample.mask == 1 + label, 1, 0).where(sample.mask != 255, -1)
            shown.setdefault(label, []).append((maps, side))
    assert len(shown) > 3
    for label, images in shown.items():
        count = len(images[0][0])
        alone = [iou([((m[v] >= 0.4) & (m[v] > 0), side) for m, side in images]) for v in range(count)]
        assert found.alone[label, :count].tolist() == pytest.approx(alone)
        order = sorted(range(count), key=lambda v: -alone[v])
        for k in range(1, count + 1):
            means = [(sum(m[v] for v in order[:k]) / k, side) for m, side in images]
            means = [(values / values.max() if values.max() > 0 else values, side) for values, side in means]
            expected = iou([((values >= 0.4) & (values > 0), side) for values, side in means])
            assert float(found.best[label, k - 1]) == pytest.approx(expected, abs=0.2)  # a value on the threshold
        assert found.partners[label][order[0]] != found.classes[label]
    assert (folder / "oracle.csv").read_text().count("ORACLE, best") == found.best.shape[1]


def test_levels_are_no_pairs(tiny: Path, tmp_path: Path) -> None:
    folder = run(tiny, work_dir=tmp_path / "w", device="cpu", quiet=True).folder
    with pytest.raises(CamForgeError, match="arm 'families': the oracle chooses among pairs of classes"):
        oracle(folder, "families", device="cpu", quiet=True)
