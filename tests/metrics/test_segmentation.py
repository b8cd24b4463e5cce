"""Precision, recall, F1, pixel accuracy and the threshold sweep."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made import box_map, measured, metric_input, random_metric_input
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from camforge.api import CamForgeError
from camforge_plugins.metrics.localization.miou import MeanIoU
from camforge_plugins.metrics.localization.segmentation import Segmentation
from camforge_plugins.metrics.localization.threshold_sweep import ThresholdSweep


@pytest.mark.parametrize("protocol", ["binary", "argmax"])
def test_reference_numbers(vectors, protocol):
    vector = vectors["miou"]
    truth, predicted = torch.tensor(vector["gt"], dtype=torch.uint8), torch.tensor(vector["pred"])
    maps = {(i, c): (predicted[i] == 1 + c).float() for i in range(2) for c in range(2)}
    numbers = measured(Segmentation(protocol=protocol), metric_input(maps, [[1, 1], [1, 1]], truth))
    micro = vector["micro_fg"]
    want = {"precision": vector["macro_P_fg"], "recall": vector["macro_R_fg"], "f1": vector["macro_F1_fg"],
            "micro_precision": micro["P"], "micro_recall": micro["R"], "micro_f1": micro["F1"]}  # fmt: skip
    assert {name: numbers[name] / 100 for name in want} == pytest.approx(want, abs=1e-12)
    if protocol == "argmax":
        assert numbers["pixel_accuracy"] / 100 == pytest.approx(vector["micro_all_classes_equals_pixel_acc"], abs=1e-12)
    else:  # of 62 pixels 14 + 5 are right for class a and 28 + 3 - 1 for class b
        right = sum(int(((predicted == c) == (truth == c))[truth != 255].sum()) for c in (1, 2))
        assert numbers["pixel_accuracy"] == pytest.approx(100 * right / 62, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_against_scikit_learn(seed):
    """One binary problem per class over the images that hold it."""
    seen = random_metric_input(seed)
    rows = []
    for c in range(3):
        cases = [(i, v.relu().double().numpy()) for i, label, v in seen.pairs() if label == c]
        masks = [seen.batch.masks[i].numpy() for i, _ in cases]
        valid = np.concatenate([m[m != 255] for m in masks])
        predicted = np.concatenate(
            [(cam >= 0.15 * cam.max())[m != 255] for (_, cam), m in zip(cases, masks, strict=True)]
        )
        scores = precision_recall_fscore_support(valid == 1 + c, predicted, average="binary", zero_division=0)[:3]
        rows.append([*scores, accuracy_score(valid == 1 + c, predicted, normalize=False), len(valid)])
    table = np.array(rows, dtype=float)
    numbers = measured(Segmentation(), seen)
    means = [numbers[name] / 100 for name in ("precision", "recall", "f1")]
    assert means == pytest.approx(table[:, :3].mean(0), abs=1e-12)
    assert numbers["pixel_accuracy"] / 100 == pytest.approx(table[:, 3].sum() / table[:, 4].sum(), abs=1e-12)


def test_a_class_that_is_never_predicted_has_precision_0():
    masks = torch.full((1, 4, 4), 1, dtype=torch.uint8)
    numbers = measured(Segmentation(), metric_input({(0, 0): torch.zeros(4, 4)}, [[1]], masks))
    assert numbers["precision"] == numbers["recall"] == numbers["f1"] == numbers["micro_f1"] == 0


@pytest.mark.parametrize("normalise", ["max", "minmax"])
def test_the_sweep_is_miou_at_every_threshold(normalise):
    seen = random_metric_input(3)
    sweep = ThresholdSweep(normalise=normalise)
    total = sweep.update(seen)
    curve = sweep.curve(total)
    for place, threshold in enumerate(sweep.steps().tolist()):
        want = measured(MeanIoU(threshold=threshold, normalise=normalise), seen)["miou"]
        assert float(curve[place]) == pytest.approx(want, abs=1e-12)
    numbers = sweep.compute(total, ("a", "b", "c"))
    assert numbers["best_miou"] == float(curve.max())
    assert measured(MeanIoU(threshold=numbers["best_threshold"], normalise=normalise), seen) == pytest.approx(
        {name.replace("best_", ""): value for name, value in numbers.items() if name != "best_threshold"}, abs=1e-12
    )


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("step", [0.0, 0.1])
def test_the_sweep_of_label_maps_is_miou_at_every_threshold(background, step):
    """Also where values lie on thresholds, and where a mask shows a class that the label lacks."""
    seen = random_metric_input(3)
    if step:
        seen = replace(seen, maps=(seen.maps / step).round() * step)
    seen.batch.masks[0, :3] = 2
    sweep = ThresholdSweep(protocol="argmax", with_background=background)
    values, occurs = sweep.class_curves(sweep.update(seen))
    assert len(values) == 3 + background
    for place, threshold in enumerate(sweep.steps().tolist()):
        want = measured(MeanIoU(threshold=threshold, protocol="argmax", with_background=background), seen)["miou"]
        assert float(values[occurs[:, place], place].mean()) == pytest.approx(want, abs=1e-9)
    names = sweep.compute(sweep.update(seen), ("a", "b", "c"))
    assert ("best_miou/background" in names) == background


def test_the_sweep_at_values_on_the_grid():
    """0.07 in float32 is below 0.07; the mask at 0.07 holds it, as in ``miou``."""
    grid = torch.tensor([[k / 100 for k in range(101)]])
    seen = metric_input({(0, 0): grid}, [[1]], torch.ones(1, 1, 101, dtype=torch.uint8))
    curve = ThresholdSweep().curve(ThresholdSweep().update(seen))
    want = [100 * (101 - max(k, 1)) / 101 for k in range(101)]
    assert curve.tolist() == pytest.approx(want, abs=1e-9)


def test_a_threshold_from_one_split_serves_another():
    """The object is 0.6 of the maximum on the first split, 0.4 on the second: the curve tells what the choice costs."""

    def split(value: float):
        masks = torch.zeros(1, 6, 6, dtype=torch.uint8)
        masks[0, :3] = 1
        cam = value * box_map([[0, 0, 6, 3]], 6, 6) + 0.3 * box_map([[0, 3, 6, 6]], 6, 6)
        cam[0, 0] = 1.0
        return metric_input({(0, 0): cam}, [[1]], masks)

    sweep = ThresholdSweep()
    found = measured(sweep, split(0.6))
    assert found["best_miou"] == 100
    assert found["best_threshold"] == 0.31
    assert measured(MeanIoU(threshold=found["best_threshold"]), split(0.4))["miou"] == 100


def test_nothing_given():
    seen = metric_input({}, [[0]], torch.zeros(1, 4, 4, dtype=torch.uint8))
    for metric in (ThresholdSweep(), Segmentation()):
        with pytest.raises(CamForgeError, match="no class was given"):
            measured(metric, seen)
