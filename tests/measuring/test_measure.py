"""Metrics of any model in one call."""

import pytest
import torch
from torch import Tensor, nn

import camforge
from camforge import CamForgeError
from camforge.api import MetricInput
from camforge.testing import example_images, example_network
from camforge.types import Batch
from camforge_plugins.metrics.faithfulness.pixel_flipping import PixelFlipping

NAMES = ("cat", "dog", "horse", "cow", "bus")


def test_three_lines() -> None:
    """As a metric tells it that is given explain()'s maps of the same targets."""
    model, images = example_network(5), example_images(3)
    targets, metric = [[1, 4], [0], [2]], {"name": "pixel_flipping", "steps": 4}
    found = camforge.measure(model, images, targets, metrics=metric, classes=NAMES)
    e = camforge.explain(model, images, targets)
    labels = torch.zeros(3, 5, dtype=torch.bool)
    labels[e.images, e.targets] = True
    none = tuple(torch.zeros(0, 4) for _ in range(3)), tuple(torch.zeros(0, dtype=torch.int64) for _ in range(3))
    batch = Batch(("image 0", "image 1", "image 2"), images, labels, None, *none, None)

    class Scores:
        def score(self, some: Tensor) -> Tensor:
            with torch.no_grad():
                return model(some)

    flipping = PixelFlipping(steps=4)
    total = flipping.update(MetricInput(batch, e.maps, e.images, e.targets, None, Scores()))
    want = flipping.compute(total, NAMES)
    assert found == pytest.approx(want, rel=1e-5)
    assert set(found) == {"pixel_flipping", *(f"pixel_flipping/{name}" for name in ("cat", "dog", "horse", "bus"))}


def test_every_metric_without_truth_measures_a_plain_model_and_leaves_it_alone() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    ).train()  # fmt: skip
    before = {name: value.clone() for name, value in model.state_dict().items()}
    metrics = ["max_sensitivity", "relative_output_stability", {"name": "mprt", "steps": 2}, "input_invariance",
               {"name": "infidelity", "squares": 4}, "sparseness", "adcc", "random_logit", "completeness"]  # fmt: skip
    found = camforge.measure(model, torch.randn(3, 3, 24, 24), metrics=metrics, batch_size=2)
    assert {"max_sensitivity", "mprt", "infidelity", "sparseness", "adcc", "random_logit"} <= set(found)
    assert found["input_invariance"] < 1e-4
    assert model.training
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())


def test_truth_of_a_thousand_classes() -> None:
    """Masks and boxes belong to pairs; classes beyond what a byte holds are numbered anew."""
    model, images = example_network(1000), example_images(2)
    masks = torch.zeros(2, 20, 28, dtype=torch.bool)
    masks[:, 5:15, 6:20] = True
    boxes = torch.tensor([[6, 5, 20, 15]]).expand(2, 4)

    def box_itself(_model: nn.Module, _images: Tensor, targets: Tensor) -> Tensor:
        assert targets.tolist() == [999, 3]
        return masks.float()

    metrics = ["miou", "auc", "relevance_mass", "pointing_game", "mlev", {"name": "energy", "truth": "box"}]
    found = camforge.measure(model, images, [999, 3], box_itself, metrics=metrics, masks=masks, boxes=boxes)
    assert found["miou"] == found["auc"] == found["relevance_mass"] == found["pointing_game"] == found["energy"] == 100
    assert found["mlev"] == 0
    assert found["miou/output 999"] == 100


def test_what_is_missing_is_one_line() -> None:
    model, images = example_network(5), example_images(2)
    with pytest.raises(CamForgeError, match="metric 'miou' needs masks, and none were given"):
        camforge.measure(model, images, metrics="miou")
    with pytest.raises(CamForgeError, match=r"3 masks for 2 \(image, target\) pairs"):
        camforge.measure(model, images, metrics="miou", masks=torch.zeros(3, 20, 28))
    with pytest.raises(CamForgeError, match="prepare photographs first"):
        camforge.measure(model, (images * 9).byte(), metrics="adcc")
    metrics = {"name": "threshold_sweep", "choose": "train"}
    with pytest.raises(CamForgeError, match="chooses by training images"):
        camforge.measure(model, images, metrics=metrics, masks=torch.ones(2, 20, 28))
    with pytest.raises(CamForgeError, match="targets are outputs"):
        camforge.measure(model, images, lambda logits: logits.sum(), metrics="adcc")


def test_a_batch_is_only_a_way_to_save_memory() -> None:
    model, images = example_network(5).double(), example_images(5).double()
    metrics = ["avg_sensitivity", "selectivity", "complexity", {"name": "faithfulness_correlation", "runs": 5}]
    whole, parts = (camforge.measure(model, images, 2, metrics=metrics, batch_size=size) for size in (5, 2))
    assert parts == pytest.approx(whole, rel=1e-9)


def test_no_images_are_one_line() -> None:
    with pytest.raises(CamForgeError, match="measure: there are no images"):
        camforge.measure(example_network(5), example_images(2)[:0], metrics="pixel_flipping")


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"batch_size": 0}, "batch_size=0; give a number from 1 on"),
        ({"metrics": []}, "there are no metrics"),
        ({"targets": [[], []]}, "no image has a target"),
        ({"masks": torch.ones(2, 10, 28)}, r"masks are \(2, 10, 28\): give a tensor \(P, 20, 28\)"),
        ({"boxes": [[1, 2, 3]] * 2}, r"boxes of pair 0 have shape \(3,\)"),
        *(
            ({"boxes": torch.tensor([[1, 2, 9, 9], box])}, "of pair 1 has no pixel in images of 28x20")
            for box in ([9, 9, 1, 2], [30, 1, 40, 9], [0.1, 0.1, 0.9, 0.9], [float("nan")] * 4)
        ),
        ({"extractor": ["gradcam", "layercam"]}, "give one extractor"),
        ({"classes": ("cat", "dog")}, "classes: 2 names for 5 outputs"),
        ({"extractor": lambda _model, images, _targets: images[:, :1]}, r"returns \(2, 1, 20, 28\): maps are a tensor"),
        ({"extractor": lambda _model, images, _targets: images[:, 0].numpy()}, "returns ndarray: maps are a tensor"),
        (
            {"metrics": ["sparseness", "sparseness"]},
            "metric 'sparseness' is given twice, and both would report its numbers",
        ),
    ],
)
def test_what_would_give_a_number_of_nothing_is_one_line(given: dict[str, object], line: str) -> None:
    call = {"targets": [1, 2], "metrics": "sparseness"} | given
    with pytest.raises(CamForgeError, match=line):
        camforge.measure(example_network(5), example_images(2), **call)


def test_classes_of_one_name_are_told_apart_by_their_numbers() -> None:
    model, images = example_network(5), example_images(3)
    plain = camforge.measure(model, images, [1, 2, 4], metrics="average_drop")
    found = camforge.measure(
        model, images, [1, 2, 4], metrics="average_drop", classes=("cat", "crane", "crane", "dog", "dog")
    )
    drops = [plain[f"average_drop/output {c}"] for c in (1, 2, 4)]
    assert [found[f"average_drop/{name}"] for name in ("crane (1)", "crane (2)", "dog (4)")] == drops
