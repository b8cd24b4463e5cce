"""mIoU against reference numbers and a slow float64 transcription."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made import box_map, measured, metric_input, random_metric_input

from camforge.api import CamForgeError, MetricInput
from camforge_plugins.metrics.localization.miou import MeanIoU


def label_map_input(vector: dict) -> MetricInput:
    """The vector's predicted label maps as one-hot maps; both images are said to hold both classes."""
    truth, predicted = torch.tensor(vector["gt"], dtype=torch.uint8), torch.tensor(vector["pred"])
    maps = {(i, c): (predicted[i] == 1 + c).float() for i in range(2) for c in range(2)}
    return metric_input(maps, [[1, 1], [1, 1]], truth)


@pytest.mark.parametrize("protocol", ["binary", "argmax"])
def test_label_maps(vectors, protocol):
    vector = vectors["miou"]
    seen = label_map_input(vector)
    without = measured(MeanIoU(protocol=protocol), seen)
    assert without == pytest.approx({"miou": 100 * vector["mIoU_fg_only"], "miou/a": 50, "miou/b": 40}, abs=1e-12)
    numbers = measured(MeanIoU(protocol=protocol, with_background=True), seen)
    assert numbers["miou"] == pytest.approx(100 * vector["mIoU_with_bg"], abs=1e-12)
    singles = [numbers[f"miou/{name}"] / 100 for name in ("background", "a", "b")]
    assert singles == pytest.approx(vector["iou_bg_1_2"], abs=1e-12)


def test_counts_are_those_of_the_confusion_matrix(vectors):
    vector = vectors["miou"]
    confusion = np.array(vector["confusion_rows_gt"])
    hits = confusion.diagonal()
    want = np.stack([hits, confusion.sum(0) - hits, confusion.sum(1) - hits], 1)
    for protocol in ("binary", "argmax"):
        counts = MeanIoU(protocol=protocol, with_background=True).update(label_map_input(vector))
        assert counts[:, :3].tolist() == want.tolist()
        assert (counts.sum(1) == confusion.sum()).all()


@pytest.mark.parametrize("protocol", ["binary", "argmax"])
def test_per_image_over_visible_classes(vectors, protocol):
    vector = vectors["miou"]
    seen = label_map_input(vector)
    for place, with_background in enumerate((True, False)):
        metric = MeanIoU(protocol=protocol, per_image=True, drop_invisible=True, with_background=with_background)
        want = np.mean([image[place] for image in vector["per_image_gtpresent_[withbg,fg]"]])
        assert measured(metric, seen)["miou"] == pytest.approx(100 * want, abs=1e-12)


@pytest.mark.parametrize("protocol", ["binary", "argmax"])
def test_protocols_on_maps(vectors, protocol):
    truth = torch.tensor(vectors["miou"]["gt"], dtype=torch.uint8)
    cams = {(int(k[0]), int(k[2]) - 1): torch.tensor(v) for k, v in vectors["bin_protocol"]["cams"].items()}
    seen = metric_input(cams, [[1, 1], [1, 0]], truth)
    if protocol == "binary":
        want = vectors["bin_protocol"]["T0.15_ge"]
        numbers = measured(MeanIoU(), seen)
        assert numbers == pytest.approx(
            {"miou": 100 * want["mIoU"], "miou/a": 100 * want["iou"]["1"], "miou/b": 100 * want["iou"]["2"]}, abs=1e-12
        )
        counts = MeanIoU().update(seen)
        assert counts[1:, 0].tolist() == list(want["I"].values())
        assert counts[1:, :3].sum(1).tolist() == list(want["U"].values())
        assert vectors["bin_protocol"]["T0.15_gt"] == want  # the one pixel at exactly 0.15 is an ignored one
    else:
        want = vectors["argmax_protocol_bg0.15"]
        assert measured(MeanIoU(protocol="argmax"), seen)["miou"] == pytest.approx(100 * want["miou_fg"], abs=1e-12)
        numbers = measured(MeanIoU(protocol="argmax", with_background=True), seen)
        assert numbers["miou"] == pytest.approx(100 * want["miou_bg"], abs=1e-12)
        assert [numbers[f"miou/{n}"] / 100 for n in ("background", "a", "b")] == pytest.approx(want["iou"], abs=1e-12)
        confusion = np.array(want["conf"])
        counts = MeanIoU(protocol="argmax").update(seen)
        assert counts[:, 0].tolist() == confusion.diagonal().tolist()
        assert (counts[:, 0] + counts[:, 1]).tolist() == confusion.sum(0).tolist()


def slow_miou(seen: MetricInput, threshold: float, minmax: bool) -> float:
    """Pixel by pixel, in float64: binary protocol at a fraction of the maximum."""
    counts = {}
    for image, label, values in seen.pairs():
        cam = values.double().numpy()
        cam = cam - cam.min() if minmax else np.maximum(cam, 0)
        for y, x in np.ndindex(cam.shape):
            truth = int(seen.batch.masks[image, y, x])
            if truth == 255:
                continue
            predicted = cam.max() > 0 and cam[y, x] / cam.max() >= threshold
            both = counts.setdefault(label, [0, 0])
            both[0] += predicted and truth == 1 + label
            both[1] += predicted or truth == 1 + label
    return 100 * float(np.mean([hit / union for hit, union in counts.values()]))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("normalise", ["max", "minmax"])
def test_against_a_slow_transcription(seed, normalise):
    seen = random_metric_input(seed)
    want = slow_miou(seen, 0.3, normalise == "minmax")
    assert measured(MeanIoU(threshold=0.3, normalise=normalise), seen)["miou"] == pytest.approx(want, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("background", [True, False])
def test_argmax_against_a_slow_transcription(seed, background):
    """IRN's evaluation: the background wins a tie, and a class that the label lacks counts where the mask shows it."""
    seen = random_metric_input(seed)
    seen = replace(seen, maps=seen.maps.mul(5).round() / 5)  # ties among classes, and with a score of 0.2
    seen.batch.masks[0, :3, :4] = 2
    counts = np.zeros((4, 4), dtype=int)
    for i in range(len(seen.batch)):
        mine = [(c, v.relu().double().numpy()) for image, c, v in seen.pairs() if image == i]
        for y, x in np.ndindex(12, 12):
            scores = [0.2] + [cam[y, x] / cam.max() for _, cam in mine]
            names = [0] + [1 + c for c, _ in mine]
            truth = int(seen.batch.masks[i, y, x])
            if truth != 255:
                counts[truth, names[int(np.argmax(np.float32(scores)))]] += 1
    hits = counts.diagonal()
    want = (hits / (counts.sum(0) + counts.sum(1) - hits))[0 if background else 1 :]
    numbers = measured(MeanIoU(protocol="argmax", threshold=0.2, with_background=background), seen)
    assert numbers["miou"] == pytest.approx(100 * want.mean(), abs=1e-9)


def test_an_all_zero_map_is_an_empty_mask_at_every_threshold():
    seen = metric_input({(0, 0): torch.zeros(4, 4)}, [[1]], torch.ones(1, 4, 4, dtype=torch.uint8))
    for threshold in (0.0, 0.15, "otsu", "twice_mean"):
        assert measured(MeanIoU(threshold=threshold), seen) == {"miou": 0.0, "miou/a": 0.0}


def test_a_class_that_is_named_but_never_shown():
    """Class b is cropped out: predicted somewhere it counts as 0; predicted nowhere, or dropped, it is left out."""
    masks = torch.zeros(1, 4, 4, dtype=torch.uint8)
    masks[0, :2, :2] = 1
    right = box_map([[0, 0, 2, 2]], 4, 4)
    predicted = metric_input({(0, 0): right, (0, 1): right}, [[1, 1, 0]], masks)
    assert measured(MeanIoU(), predicted) == {"miou": 50.0, "miou/a": 100.0, "miou/b": 0.0}
    assert measured(MeanIoU(drop_invisible=True), predicted) == {"miou": 100.0, "miou/a": 100.0}
    unpredicted = metric_input({(0, 0): right, (0, 1): 0 * right}, [[1, 1, 0]], masks)
    assert measured(MeanIoU(), unpredicted) == {"miou": 100.0, "miou/a": 100.0}


def test_a_map_of_a_class_that_the_image_does_not_hold_is_not_counted():
    masks = torch.zeros(1, 4, 4, dtype=torch.uint8)
    masks[0, :2, :2] = 1
    maps = {(0, 0): box_map([[0, 0, 2, 2]], 4, 4), (0, 1): torch.ones(4, 4)}
    for protocol in ("binary", "argmax"):
        assert measured(MeanIoU(protocol=protocol), metric_input(maps, [[1, 0]], masks))["miou"] == 100.0


def test_a_held_class_without_a_map_predicts_nothing():
    masks = torch.full((1, 4, 4), 2, dtype=torch.uint8)
    seen = metric_input({}, [[0, 1]], masks)
    for protocol in ("binary", "argmax"):
        assert measured(MeanIoU(protocol=protocol), seen) == {"miou": 0.0, "miou/b": 0.0}


def test_a_batch_without_pairs_adds_nothing_to_the_foreground():
    seen = metric_input({}, [[0, 0]], torch.zeros(1, 4, 4, dtype=torch.uint8))
    for protocol in ("binary", "argmax"):
        assert not MeanIoU(protocol=protocol).update(seen)[1:, :3].any()
        with pytest.raises(CamForgeError, match="nothing to compute 'miou' from: no class was given"):
            measured(MeanIoU(protocol=protocol), seen)


def test_wrong_masks_are_named():
    ones = torch.ones(4, 4)
    with pytest.raises(CamForgeError, match="metric 'miou' needs class masks, and image 'image0' has none"):
        MeanIoU().update(metric_input({(0, 0): ones}, [[1]]))
    with pytest.raises(CamForgeError, match=r"masks and maps differ in size: \(5, 4\) and \(4, 4\)"):
        MeanIoU().update(metric_input({(0, 0): ones}, [[1]], torch.zeros(1, 5, 4, dtype=torch.uint8)))
    with pytest.raises(CamForgeError, match=r"a mask holds a value that is not 0\.\.1 or 255"):
        MeanIoU().update(metric_input({(0, 0): ones}, [[1]], torch.full((1, 4, 4), 2, dtype=torch.uint8)))


def test_a_broken_map_is_named():
    broken = torch.ones(4, 4)
    broken[1, 2] = torch.nan
    seen = metric_input(
        {(0, 0): torch.ones(4, 4), (1, 1): broken}, [[1, 0], [0, 1]], torch.zeros(2, 4, 4, dtype=torch.uint8)
    )
    with pytest.raises(CamForgeError, match="metric 'miou': the map of image 'image1', class 1 holds NaN or infinity"):
        MeanIoU().update(seen)


def test_argmax_needs_a_number():
    with pytest.raises(ValueError, match=r"'argmax' needs a number.*got otsu"):
        MeanIoU(protocol="argmax", threshold="otsu")
