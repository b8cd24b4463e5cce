"""Maps before and after the network lost its parameters, against slow transcriptions."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from camforge import CamForgeError, run
from camforge.analysis.finished import Finished
from camforge.analysis.sanity import sanity, without
from camforge.pipeline.arms import train_arm
from camforge.progress.progress import Progress
from camforge.similarity import rank_correlation, structural_similarity
from camforge.types import Network

ARMS = """
arms = {
    "baseline": dict(),
    "two": dict(trainer=dict(name="two_branch_orthogonal", **dict(_recipe, epochs=1)), fusers=[_branches]),
    "blind": dict(extractor=dict(name="random")),
}
metrics = [dict(name="miou")]
report = dict(images=1)
"""


def slow_ssim(a: np.ndarray, b: np.ndarray, side: int = 11) -> float:
    """Wang et al. 2004, eq. 13, window by window."""
    a, b = (np.maximum(m, 0) / max(m.max(), 1e-300) for m in (a, b))
    place = np.arange(side) - side // 2
    weights = np.exp(-(place[:, None] ** 2 + place[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    values = []
    for y in range(a.shape[0] - side + 1):
        for x in range(a.shape[1] - side + 1):
            p, q = a[y : y + side, x : x + side], b[y : y + side, x : x + side]
            mp, mq = (weights * p).sum(), (weights * q).sum()
            vp, vq = (weights * (p - mp) ** 2).sum(), (weights * (q - mq) ** 2).sum()
            cov = (weights * (p - mp) * (q - mq)).sum()
            c1, c2 = 0.01**2, 0.03**2
            values.append((2 * mp * mq + c1) * (2 * cov + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    return float(np.mean(values))


def test_likeness_against_scipy_and_loops() -> None:
    a, b = torch.randn(4, 13, 16), torch.randn(4, 13, 16)
    b = b + a
    a[1], b[1] = a[1].relu(), b[1].relu()  # ties
    b[2] = 3 * a[2] ** 3  # the same order
    ranks = [spearmanr(x.flatten(), y.flatten()).statistic for x, y in zip(a, b, strict=True)]
    assert rank_correlation(a, b).tolist() == pytest.approx(ranks, abs=1e-12)
    assert ranks[2] == pytest.approx(1)
    alike = [slow_ssim(x.double().numpy(), y.double().numpy()) for x, y in zip(a, b, strict=True)]
    assert structural_similarity(a, b).tolist() == pytest.approx(alike, abs=1e-9)
    assert structural_similarity(a, 5 * a).tolist() == pytest.approx([1] * 4)


def test_maps_without_order_or_room() -> None:
    flat, other = torch.full((1, 8, 8), 0.3), torch.randn(1, 8, 8)
    assert rank_correlation(flat, other).tolist() == [0]
    want = slow_ssim(flat[0].double().numpy(), other[0].double().numpy(), side=7)
    assert structural_similarity(flat, other).tolist() == pytest.approx([want])


def slow_gradcam(network: nn.Module, layer: nn.Module, image: Tensor, label: int, size: int) -> Tensor:
    """(size, size), by plain autograd, channel by channel."""
    kept: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _m, _i, out: kept.append(out))
    logit = network(image[None])[0, label]
    handle.remove()
    (gradient,) = torch.autograd.grad(logit, kept[-1])
    coarse = sum(float(g.mean()) * a for g, a in zip(gradient[0], kept[-1][0].detach(), strict=True)).relu()
    return nn.functional.interpolate(coarse[None, None], size=(size, size), mode="bilinear")[0, 0]


def reset(network: Network, children: list[str], seed: int) -> None:
    """Initialise the parts anew in place, the last layer first."""
    torch.manual_seed(seed)
    for child in children:
        for module in reversed(list(network.body.get_submodule(child).modules())):
            if isinstance(module, nn.Conv2d | nn.BatchNorm2d | nn.Linear):
                module.reset_parameters()


@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_against_a_slow_transcription(tiny: Path, tmp_path: Path) -> None:
    text = tiny.read_text()
    tiny.write_text(text[: text.index("arms = {")] + ARMS)
    folder = run(tiny, work_dir=tmp_path / "w", device="cpu", quiet=True).folder
    found = sanity(folder, seed=3, device="cpu", quiet=True)
    assert found.steps == ("the head", "and the last stage", "all")
    assert found.arms["blind"]["rank correlation"] == pytest.approx((1, 1, 1))  # it asks no network
    assert found.arms["blind"]["SSIM"] == pytest.approx((1, 1, 1))
    assert all(n < 0.99 for n in found.arms["two"]["rank correlation"])

    finished = Finished.open(folder, "cpu", Progress(quiet=True))
    images = finished.session.val
    for step, lost in enumerate((["fc"], ["fc", "stage2"], ["fc", "stage2", "stage1", "stem"])):
        network = train_arm("baseline", finished.session).models[0].networks[0]
        pairs = [(i, int(c)) for i in range(len(images)) for c in images.sample(i).labels.nonzero()]
        photographs = {i: images.geometry.normalise(images.sample(i).image[None])[0] for i, _ in pairs}
        layer = network.body.get_submodule("stage2")
        before = [slow_gradcam(network, layer, photographs[i], c, 32) for i, c in pairs]
        finished.session.trained.clear()
        reset(network, lost, seed=3)
        after = [slow_gradcam(network, layer, photographs[i], c, 32) for i, c in pairs]
        ranks = [spearmanr(x.flatten(), y.flatten()).statistic for x, y in zip(before, after, strict=True)]
        want = sum(0.0 if math.isnan(r) else r for r in ranks) / len(ranks)
        assert found.arms["baseline"]["rank correlation"][step] == pytest.approx(want, abs=1e-3)
    written = list(csv.reader((folder / "sanity.csv").open()))
    assert written[0] == ["arm", "measure", *found.steps]
    assert [float(n) for n in written[1][2:]] == pytest.approx(found.arms["baseline"]["rank correlation"], abs=1e-4)
    with pytest.raises(CamForgeError, match="no arm 'basline'; did you mean 'baseline'"):
        sanity(folder, ["basline"], device="cpu", quiet=True)


class Scaled(nn.Module):
    """A module with a parameter and no way to draw it anew."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.arange(6.0))


def test_what_is_lost() -> None:
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), Scaled(), nn.Linear(4, 2))
    network = Network(body, ("1", "2"), "3")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    drawn = torch.random.get_rng_state()
    for step, kept in ((0, "012"), (1, "01"), (2, "")):
        after = without(network, step, seed=0).state_dict()
        weights = ("body.0.weight", "body.3.weight")
        same = {name.split(".")[1] for name in weights if torch.equal(before[name], after[name])}
        same |= {"2"} if torch.equal(after["body.2.scale"], before["body.2.scale"]) else set()
        assert same == set(kept) - {"1"}
        assert sorted(after["body.2.scale"].tolist()) == [0, 1, 2, 3, 4, 5]
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert torch.equal(drawn, torch.random.get_rng_state())
