"""Every extractor against a slow transcription of its paper's equation, on odd random networks, in float64."""

import copy
from typing import Any

import cam_oracle as oracle
import numpy as np
import pytest
import torch
from extractor_references import REFERENCES
from torch import Tensor, nn

from camforge import CamForgeError, build
from camforge.api import Network
from camforge.capture import extract_maps
from camforge.capture.rerun import in_chunks
from camforge.testing import ReferencePair
from camforge_plugins.extractors.components import SMALL, eigh, first_component, leading

GRADIENT = ("gradcam", "gradcampp", "xgradcam", "hirescam", "elementwise", "layercam")
LAYERS = ("relu1", "relu2", "relu3", "bn1")
TARGETS = [[0, 3], [2, 4], [1, 0]]


def maps_of(model: nn.Module, images: Tensor, targets=TARGETS, **spec) -> list[Tensor]:
    return extract_maps(model, images, [build("extractor", spec)], targets).maps[0]


def pairs(targets=TARGETS) -> list[tuple[int, int]]:
    return [(image, target) for image, row in enumerate(targets) for target in row]


def close(found: Tensor, expected: list[Tensor], tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(found, torch.stack(expected), atol=tolerance, rtol=tolerance)


SPECS: tuple[dict[str, Any], ...] = (
    *({"name": name, "layers": [layer]} for name in GRADIENT for layer in LAYERS),
    {"name": "smoothgradcampp", "layers": ["relu2"], "samples": 3, "std": 0.5, "seed": 7},
    *(  # more places than channels, and fewer
        {"name": name, "layers": [layer], "center": center}
        for name in ("eigencam", "eigengradcam")
        for layer in ("relu1", "relu3")
        for center in (False, True)
    ),
    *(
        {"name": "kpcacam", "layers": ["relu2"], "kernel": kernel, "gamma": gamma}
        for kernel, gamma in (("sigmoid", None), ("rbf", 0.3), ("poly", 0.2), ("linear", None))
    ),
    {"name": "fem", "layers": ["relu1"], "sigmas": 1.0},
    *(
        {"name": "shapleycam", "layers": [layer], "score": score}
        for layer in ("relu1", "relu3")
        for score in ("rest", "softmax", "logit")
    ),
    *(
        {"name": "finercam", "base": {"name": base, "layers": ["relu2"]}, "gamma": 0.6, "references": 2}
        for base in ("gradcam", "layercam")
    ),
    {"name": "refinecam", "base": {"name": "gradcampp", "layers": ["relu1", "relu3"]}},
    *({"name": "scorecam", "layers": ["relu3"], "output": output} for output in ("logit", "softmax")),
    {"name": "sscam", "layers": ["relu3"], "samples": 2, "std": 0.5, "seed": 3},
    {"name": "iscam", "layers": ["relu3"], "steps": 4},
    *({"name": "ablationcam", "layers": [layer]} for layer in ("relu1", "conv2", "relu2", "bn2", "relu3")),
    *({"name": "bagcams", "layers": [layer], "relu": r} for layer in LAYERS for r in ("guided", "plain")),
    *({"name": "dff", "layers": [layer], "count": 3, "iterations": 20} for layer in ("relu1", "conv2", "relu3")),
    *({"name": "guidedbackprop", "channels": channels} for channels in ("max", "sum")),
    *({"name": "guidedgradcam", "base": {"name": "gradcam", "layers": [layer]}} for layer in ("relu1", "bn1")),
    {"name": "integratedgradcam", "layers": ["relu2"], "steps": 3, "baseline": -0.5},
    *({"name": "polycam", "layers": ["relu1", "relu3"], "variant": variant} for variant in ("plus", "minus", "both")),
    *({"name": "reciprocam", "layers": [layer], "gaussian": g} for layer in ("relu1", "bn2") for g in (False, True)),
    {"name": "rise", "samples": 7, "cells": 3, "share": 0.4, "seed": 2},
    {"name": "drise", "samples": 3, "cells": 4},
    {"name": "occlusion", "patch": 5, "stride": 3, "output": "softmax"},
    {"name": "occlusion", "patch": 30, "fill": 0.5},
    *({"name": "odam", "layers": [layer], "sigma": sigma} for layer in ("relu1", "bn1") for sigma in (0, 0.7)),
    {"name": "fullgrad"},
    *({"name": "ltfullgrad", "truncate": 40, "truncate_over": over} for over in ("channel", "layer")),
)
TOLERANCE = {
    "eigencam": 1e-8,
    "dff": 1e-8,
    "eigengradcam": 1e-8,
    "kpcacam": 1e-7,
    "shapleycam": 1e-7,
}  # finite differences, signs


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: "-".join(map(str, spec.values())))
def test_an_extractor_is_its_equation(oddnet, images, spec: dict[str, Any]) -> None:
    plugin, reference = build("extractor", spec), REFERENCES[spec["name"]]
    targets = [[1]] if spec["name"] in ("sscam", "iscam", "polycam") else TARGETS
    (found,) = maps_of(oddnet, images[: len(targets)], targets, **spec)
    expected = [
        reference(plugin, ReferencePair.of(oddnet, images[image], target))[0] for image, target in pairs(targets)
    ]
    close(found, expected, TOLERANCE.get(spec["name"], 1e-10))


SPECTRA = {
    "one above the rest": lambda n: torch.cat([torch.rand(n - 1), torch.tensor([3.0])]),
    "no gap": lambda n: torch.linspace(0.99, 1, n),  # a full decomposition takes over
    "low rank": lambda n: torch.cat([torch.zeros(n - 3), torch.tensor([1.0, 1.5, 2.0])]),
}


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_leading_vector_of_a_large_matrix(spectrum: str) -> None:
    n = SMALL + 40
    strengths = torch.stack([SPECTRA[spectrum](n) for _ in range(2)]).double()
    vectors = torch.linalg.qr(torch.randn(2, n, n, dtype=torch.float64)).Q
    gram = vectors * strengths[:, None] @ vectors.mT
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 2e-3 if spectrum == "no gap" else 1e-5)):
        strength, found = leading(gram.to(dtype))
        torch.testing.assert_close(strength.double(), strengths[:, -1], rtol=1e-5, atol=0)
        agreement = (found.double() * vectors[..., -1]).sum(1).abs()
        torch.testing.assert_close(agreement, torch.ones_like(agreement), rtol=tolerance, atol=0)


def test_leading_vector_of_nothing() -> None:
    assert leading(torch.zeros(2, SMALL + 1, SMALL + 1))[0].tolist() == [0, 0]
    assert leading(torch.zeros(0, SMALL + 1, SMALL + 1))[1].shape == (0, SMALL + 1)


@pytest.mark.parametrize("places", [3, 9])  # fewer and more than channels
@pytest.mark.parametrize("shrink", [1e-30, 0.0])
def test_components_of_values_whose_squares_vanish(places: int, shrink: float) -> None:
    values = torch.randn(2, 5, places, 1)
    small = shrink * values
    expected = torch.stack([oracle.eigencam(v, False) for v in small.double()])
    torch.testing.assert_close(first_component(small, center=False).double(), expected, rtol=1e-4, atol=1e-5 * shrink)


@pytest.mark.parametrize("seed", [13, 61, 88, 113])
def test_components_where_the_float32_solver_does_not_converge(seed: int) -> None:
    """MKL's does not for these: channels of all magnitudes, a third of them silent."""
    g = torch.Generator().manual_seed(seed)
    rows = torch.randn(60, 48, generator=g) * 10 ** (-24 * torch.rand(48, generator=g))
    rows[:, torch.rand(48, generator=g) < 0.3] = 0
    strengths, vectors = eigh((rows.T @ rows)[None])
    expected = np.linalg.eigh((rows.double().T @ rows.double()).numpy())
    assert float(strengths[0, -1]) == pytest.approx(expected.eigenvalues[-1], rel=1e-5)
    assert abs(float(vectors[0, :, -1].double() @ torch.tensor(expected.eigenvectors[:, -1]))) == pytest.approx(1)


@pytest.mark.parametrize(
    ("kernel", "slope"), [("sigmoid", 1 - np.tanh(1) ** 2), ("poly", 3.0), ("rbf", 2.0), ("linear", None)]
)
def test_kpcacam_of_features_that_hardly_differ(images, kernel: str, slope: float | None) -> None:
    """There every kernel is a line, and its first component that of a linear PCA; in float32 as well."""
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2)).eval()
    with torch.no_grad():
        model[0].weight *= 1e-7
    (found,) = maps_of(model, images.float(), [[0]] * 3, name="kpcacam", layers=["0"], kernel=kernel)
    with torch.no_grad():
        activations = model[0](images.float()).double()
    for a, values in zip(activations, found.double(), strict=True):
        rows = a.flatten(1).T
        rows = rows - rows.mean(0)
        left, strengths, _ = torch.linalg.svd(rows, full_matrices=False)
        component = left[:, 0] * strengths[0] * (1 if slope is None else (slope / 6) ** 0.5)  # gamma is 1 / channels
        component = component * torch.sign((component * rows.mean(1)).sum())
        torch.testing.assert_close(values.flatten(), component, rtol=0, atol=1e-4 * float(component.abs().max()))


def test_hirescam_rectified_layer_by_layer(oddnet, images) -> None:
    spec = {"name": "hirescam", "layers": ["relu2", "bn1"]}
    signed, rectified = maps_of(oddnet, images, **spec), maps_of(oddnet, images, **spec, rectify=True)
    assert all((values < 0).any() for values in signed)
    for before, after in zip(signed, rectified, strict=True):
        assert torch.equal(after, before.clamp(min=0))


def test_scorecam_of_a_dead_channel(gapnet, images) -> None:
    with torch.no_grad():
        gapnet.bn3.weight[2] = 0
        gapnet.bn3.bias[2] = 0
    (found,) = maps_of(gapnet, images[:1], [[1]], name="scorecam", layers=["bn3"])
    pair = ReferencePair.of(gapnet, images[0], 1)
    a, _ = pair.captured("bn3")
    assert a[2].abs().max() == 0
    close(found, [oracle.scorecam(pair.network, images[0], a, lambda row: float(row[1].detach()))])


def test_ablationcam_of_channels_below_the_rounding_of_a_float32_logit(gapnet, images) -> None:
    with torch.no_grad():
        gapnet.head.bias += 1e7
    exact, rounded = (
        maps_of(model, images.to(dtype), name="ablationcam", layers=["relu3"])[0].double()
        for model, dtype in ((gapnet, torch.float64), (copy.deepcopy(gapnet).float(), torch.float32))
    )
    assert exact.amax() > 0
    torch.testing.assert_close(rounded, exact, rtol=1e-4, atol=1e-5 * float(exact.amax()))


@pytest.mark.parametrize("name", ["ablationcam", "scorecam"])
def test_one_row_at_a_time_gives_the_same(oddnet, images, monkeypatch, name: str) -> None:
    wide = maps_of(oddnet, images, name=name, layers=["relu2"])[0]
    monkeypatch.setattr("camforge.capture.rerun.in_chunks", lambda first, last, _, run: in_chunks(first, last, 1, run))
    torch.testing.assert_close(maps_of(oddnet, images, name=name, layers=["relu2"])[0], wide)


@pytest.mark.parametrize("name", ["ablationcam", "scorecam"])
def test_further_targets_of_an_image_run_nothing_again(oddnet, images, name: str) -> None:
    runs: list[int] = []
    maps_of(oddnet, images, [[0], [1], [2]], name=name, layers=["relu2"])  # finds out where the maps lie, once
    oddnet.register_forward_hook(lambda _m, _i, out: runs.append(len(out)))
    maps_of(oddnet, images, [[0], [1], [2]], name=name, layers=["relu2"])  # finds out where the layer's places lie
    runs.clear()
    maps_of(oddnet, images, [[0], [1], [2]], name=name, layers=["relu2"])
    once = sum(runs)
    runs.clear()
    maps_of(oddnet, images, [[0, 1, 2], [1, 4], [2]], name=name, layers=["relu2"])
    assert sum(runs) == once > len(images)


@pytest.mark.parametrize(("rank", "place"), [(1, 0), (3, 2), (-1, 4), (-3, 2)])
def test_one_rank_alone_is_that_classs_cam(gapnet, images, rank: int, place: int) -> None:
    (found,) = maps_of(gapnet, images, [[0]] * 3, name="ccam", combine="rank", rank=rank)
    order = gapnet(images).argsort(1, descending=True)
    targets = [[int(order[i, place])] for i in range(3)]
    close(found, list(maps_of(gapnet, images, targets, name="cam")[0]))


def test_a_rank_beyond_the_classes_or_without_its_combination(gapnet, images) -> None:
    with pytest.raises(CamForgeError, match="rank 6 exceeds the 5 classes"):
        maps_of(gapnet, images, [[0]] * 3, name="ccam", combine="rank", rank=6)
    for wrong in ({"rank": 1}, {"combine": "rank"}, {"combine": "rank", "rank": 0}):
        with pytest.raises(CamForgeError, match='belongs to combine="rank"'):
            build("extractor", {"name": "ccam", **wrong})


@pytest.mark.parametrize("eta", [0, 1, 2, 3])
@pytest.mark.parametrize("classes", [5, 20])
def test_polynomial_combination(core, classes: int, eta: int) -> None:
    found = build("extractor", {"name": "ccam", "eta": eta}).combination(classes)
    torch.testing.assert_close(found, torch.tensor(core[f"g_poly_K{classes}"][str(eta)], dtype=torch.float64))


@pytest.mark.parametrize("key", ["K20_i1_j10", "K20_i1_j0", "K20_i0_j1", "K5_i1_j2"])
def test_top_and_bottom_combination(core, key: str) -> None:
    classes, top, bottom = (int(part[1:]) for part in key.split("_"))
    ccam = build("extractor", {"name": "ccam", "combine": "top_bottom", "top": top, "bottom": bottom})
    assert ccam.combination(classes).tolist() == core["g_topbot"][key]


def _four_classes(core) -> tuple[nn.Module, Tensor]:
    """The features themselves as images: a convolution that passes them on, pooled, one linear layer."""
    given = core["ccam"]
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 4))
    model = nn.Sequential(nn.Conv2d(2, 2, 1, bias=False), *pooled).double()
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(2)[:, :, None, None])
        model[3].weight.copy_(torch.tensor(given["W"]))
        model[3].bias.copy_(torch.tensor(given["b"]))
    return model, torch.tensor(given["f"], dtype=torch.float64)[None]


def test_ccam_of_four_classes(core) -> None:
    body, image = _four_classes(core)
    model = Network(body, stages=("0",), head="3")
    torch.testing.assert_close(model(image)[0], torch.tensor(core["ccam"]["logits"], dtype=torch.float64))
    specs = {
        "quadratic": {"eta": 2},
        "top1bottom1": {"combine": "top_bottom", "top": 1, "bottom": 1},
        "top1bottom2": {"combine": "top_bottom", "top": 1, "bottom": 2},
    }
    for key, options in specs.items():
        (found,) = maps_of(model, image, [[3]], name="ccam", **options)
        torch.testing.assert_close(found[0], torch.tensor(core["ccam"][key], dtype=torch.float64))


def test_ccam_anchors(gapnet, images) -> None:
    model = Network(gapnet, stages=("relu3",), head="head")
    options = {"name": "ccam", "combine": "top_bottom", "top": 1, "bottom": 1}
    (cams,) = maps_of(model, images, [list(range(5))] * 3, name="cam")
    cams = cams.unflatten(0, (3, 5))
    order = model(images).argsort(1, descending=True)
    (ranking,) = maps_of(model, images, [[t] for t in range(3)], **options)
    (first,) = maps_of(model, images, [[t] for t in range(3)], anchor="target_first", **options)
    for i in range(3):
        others = [k for k in order[i].tolist() if k != i]
        torch.testing.assert_close(ranking[i], cams[i, order[i, 0]] - cams[i, order[i, -1]])
        torch.testing.assert_close(first[i], cams[i, i] - cams[i, others[-1]])


def test_wrong_combinations_are_errors(gapnet, images) -> None:
    model = Network(gapnet, stages=("relu3",), head="head")
    with pytest.raises(CamForgeError, match="top 3 and bottom 3 together exceed the 5 classes"):
        maps_of(model, images, name="ccam", combine="top_bottom", top=3, bottom=3)
    with pytest.raises(CamForgeError, match="needs top and bottom"):
        build("extractor", {"name": "ccam", "combine": "top_bottom"})
    with pytest.raises(CamForgeError, match="needs two outputs"):
        build("extractor", "ccam").combination(1)
    with pytest.raises(CamForgeError, match="reads no gradients"):
        build("extractor", {"name": "finercam", "base": "eigencam"})


def test_cam_without_a_linear_head_is_an_error(oddnet, images) -> None:
    model = Network(oddnet, stages=("relu2",), head="head")
    for name in ("cam", "ccam"):
        with pytest.raises(CamForgeError, match=r"'body\.relu2' is not followed by just"):
            maps_of(model, images, name=name)


def test_random_maps_belong_to_image_and_target(oddnet, images) -> None:
    (found,) = maps_of(oddnet, images, name="random", layers=["relu1"])
    (alone,) = maps_of(oddnet, images[1:2], [[4]], name="random", layers=["relu1"])
    (other,) = maps_of(oddnet, images[1:2], [[4]], name="random", layers=["relu1"], seed=1)
    torch.testing.assert_close(alone[0], found[3])
    assert found.unique(dim=0).shape[0] == 6
    assert not torch.equal(alone, other)
    assert 0 <= found.min() < 0.1 < 0.9 < found.max() < 1
