"""Maps of the tiny network against reference numbers, to 1e-10 in float64 and 1e-6 in float32."""

import copy

import cam_oracle as oracle
import pytest
import torch
from torch import Tensor

from camforge import build
from camforge.api import Network
from camforge.capture import extract_maps

LAYERS = {"l1": ("relu1",), "l2": ("relu2",)}
SINGLE = [(name, layer) for name in ("gradcam", "layercam") for layer in LAYERS]
TRUNCATED = [
    (name, layer, delta, side)
    for name in ("gradcam", "layercam")
    for layer in LAYERS
    for delta in (0, 20, 50)
    for side in ("ge", "gt")
    if (name, side) != ("layercam", "gt")
]


def maps_of(model, x: Tensor, name: str, **options) -> list[Tensor]:
    return extract_maps(model, x, [build("extractor", {"name": name, **options})], 0).maps[0]


def check(model, tiny: dict[str, Tensor], key: str, name: str, **options) -> None:
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-6)):
        (found,) = maps_of(copy.deepcopy(model).to(dtype), tiny["x"].to(dtype), name, **options)
        assert found.dtype == dtype
        torch.testing.assert_close(found[0].double(), tiny[key], atol=tolerance, rtol=0)


def test_cam_is_the_class_weighted_sum_without_bias(tinynet, tiny) -> None:
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-6)):
        (found,) = maps_of(tinynet.to(dtype), tiny["x"].to(dtype), "cam")
        torch.testing.assert_close(found[0].double(), tiny["cam_fc"], atol=tolerance, rtol=0)


@pytest.mark.parametrize(("name", "layer"), SINGLE)
def test_one_layer(tinynet, tiny, name: str, layer: str) -> None:
    check(tinynet, tiny, f"{name}_{layer}", name, layers=LAYERS[layer])


@pytest.mark.parametrize(("name", "layer", "delta", "side"), TRUNCATED)
def test_truncation(tinynet, tiny, name: str, layer: str, delta: int, side: str) -> None:
    options = {"layers": LAYERS[layer], "truncate": delta, "truncate_strict": side == "gt"}
    check(tinynet, tiny, f"lt{name}_{layer}_d{delta}_{side}", name, **options)


def test_layerization_sums_the_upsampled_layers(tinynet, tiny) -> None:
    check(tinynet, tiny, "layerized_gradcam", "gradcam", layers=("relu1", "relu2"), merge="sum")


@pytest.mark.parametrize("delta", [0, 20, 50])
def test_truncation_and_layerization_together(tinynet, tiny, delta: int) -> None:
    options = {"layers": ("relu1", "relu2"), "merge": "sum", "truncate": delta}
    check(tinynet, tiny, f"LTGradCAM_l2_d{delta}_ge", "gradcam", **options)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("delta", [0, 20, 50])
def test_ltgradcam_by_its_own_name(tinynet, tiny, delta: int, strict: bool) -> None:
    side, options = "gt" if strict else "ge", {"truncate": delta, "truncate_strict": strict}
    for key, layer in LAYERS.items():
        check(tinynet, tiny, f"ltgradcam_{key}_d{delta}_{side}", "ltgradcam", layers=layer, **options)
    stages = Network(tinynet, stages=("relu1", "relu2"), head="fc")
    check(stages, tiny, f"LTGradCAM_l2_d{delta}_{side}", "ltgradcam", **options)


@pytest.mark.parametrize("delta", [0, 20, 50])
def test_ltlayercam_by_its_own_name(tinynet, tiny, delta: int) -> None:
    maps = {key: tiny[f"ltlayercam_{key}_d{delta}_ge"] for key in LAYERS}
    for key, layer in LAYERS.items():
        check(tinynet, tiny, f"ltlayercam_{key}_d{delta}_ge", "ltlayercam", layers=layer, truncate=delta)
    both = maps["l1"] + oracle.upsampled(maps["l2"], *maps["l1"].shape)
    stages = Network(tinynet, stages=("relu1", "relu2"), head="fc")
    check(stages, {**tiny, "both": both}, "both", "ltlayercam", truncate=delta)


def test_what_lt_is_without_being_told_more(tinynet, tiny) -> None:
    """All stages, summed, at the 20th percentile."""
    stages = Network(tinynet, stages=("relu1", "relu2"), head="fc")
    check(stages, tiny, "LTGradCAM_l2_d20_ge", "ltgradcam")


@pytest.mark.parametrize("delta", [0, 20, 50])
@pytest.mark.parametrize("over", ["channel", "layer"])
@pytest.mark.parametrize("side", ["ge", "gt"])
def test_truncation_of_a_known_gradient(core, delta: int, over: str, side: str) -> None:
    from camforge.maps import truncate

    gradient = torch.tensor(core["trunc"]["G"], dtype=torch.float64)[None]
    expected = core["trunc"][f"d{delta}_{over}_{side}"]
    found = truncate(gradient, delta / 100, over == "layer", side == "gt")[0]
    assert int((found != 0).sum()) == expected["kept"]
    torch.testing.assert_close(found, torch.tensor(expected["out"], dtype=torch.float64), atol=1e-12, rtol=0)


def test_closed_form_equals_the_backward_pass(tinynet, tiny) -> None:
    (closed,) = maps_of(tinynet, tiny["x"], "gradcam", layers=("relu2",))
    (walked,) = extract_maps(
        tinynet, tiny["x"], [build("extractor", {"name": "gradcam", "layers": ("relu2",)})], [lambda row: row[0]]
    ).maps[0]
    torch.testing.assert_close(closed, walked, atol=1e-14, rtol=0)
