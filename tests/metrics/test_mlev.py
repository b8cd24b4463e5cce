"""mLEV, its boxes and overlaps."""

import numpy as np
import pytest
import torch
from made import box_map, measured, metric_input, random_metric_input
from scipy import ndimage

from camforge.api import CamForgeError, MetricInput
from camforge_plugins.metrics.common.boxes import box_iou, component_boxes
from camforge_plugins.metrics.common.foreground import foreground
from camforge_plugins.metrics.localization.mlev import MeanLocalizationError


def test_overlap_conventions(vectors):
    vector = vectors["iou_conv"]
    a, b = torch.tensor([vector["a"]]), torch.tensor([vector["b"]])
    assert float(box_iou(a, b)) == pytest.approx(vector["exclusive"], abs=1e-15)
    assert float(box_iou(a, b, inclusive=True)) == pytest.approx(vector["inclusive"], abs=1e-15)
    apart = torch.tensor([[1, 2, 5, 6]]), torch.tensor([[3, 1, 4, 5]])
    assert float(box_iou(*apart, inclusive=True)) == pytest.approx(vector["wsol_test_[1,2,5,6]_[3,1,4,5]"], abs=1e-15)


@pytest.mark.parametrize(("threshold", "key"), [(0.15, "lcc_0.15"), (0.2, "lcc_0.2"), (0.35, "lcc_0.35")])
def test_box_of_the_largest_component(vectors, threshold, key):
    maps = torch.tensor(vectors["wsol_box"]["sc1"])[None]
    boxes, owner = component_boxes(foreground(maps, threshold))
    x0, y0, x1, y1 = vectors["boxes"][key]  # there the last pixel belongs to the box
    assert boxes.tolist() == [[x0, y0, x1 + 1, y1 + 1]]
    assert owner.tolist() == [0]


def test_box_of_the_authors_code(vectors):
    """NL-CCAM's released code gives x, y, x + w, y + h of the component with the largest box at 0.12."""
    maps = torch.tensor(vectors["wsol_box"]["sc1"])[None]
    box, mean = vectors["boxes"]["nlccam_authors_0.12"]
    assert component_boxes(foreground(maps, 0.12))[0].tolist() == [box]
    assert float(maps.double().mean()) == pytest.approx(mean, abs=1e-7)  # that code also returns the map's mean


def test_boxes_of_a_batch():
    """Components that touch the border of a map do not run into the next one; equal components: the first wins."""
    full = torch.ones(3, 4)
    two = box_map([[0, 0, 1, 2], [3, 1, 4, 3]], 3, 4)
    diagonal = torch.eye(3, 4)
    masks = torch.stack([full, torch.zeros(3, 4), two, diagonal, full]).bool()
    boxes, owner = component_boxes(masks)
    assert owner.tolist() == [0, 2, 3, 4]
    assert boxes.tolist() == [[0, 0, 4, 3], [0, 0, 1, 2], [0, 0, 3, 3], [0, 0, 4, 3]]
    every, owner = component_boxes(masks, "every")
    assert owner.tolist() == [0, 2, 2, 3, 4]
    assert every[1:3].tolist() == [[0, 0, 1, 2], [3, 1, 4, 3]]
    assert [len(part) for part in component_boxes(masks[:0])] == [0, 0]


@pytest.mark.parametrize(
    ("reading", "key"),
    [("pair", "pair_mean"), ("image", "image_mean"), ("literal", "eq8_literal_sum_over_classes_div_images")],
)
def test_readings(vectors, reading, key):
    vector, names = vectors["mlev"], ("cat", "dog")
    labels = [[int(name in true) for name in names] for true in vector["gts"]]
    true = {(i, names.index(n)): boxes for i, one in enumerate(vector["gts"]) for n, boxes in one.items()}
    maps = {
        (i, names.index(n)): box_map(boxes, 41, 41) for i, one in enumerate(vector["preds"]) for n, boxes in one.items()
    }
    seen = metric_input(maps, labels, boxes=true)
    numbers = measured(MeanLocalizationError(component="every", reading=reading), seen, names)
    assert numbers == pytest.approx({"mlev": 100 * vector[key], "mlev/cat": 0, "mlev/dog": 100}, abs=1e-12)
    # with one box per pair, image 1 keeps the first of its two components, which is wrong
    assert measured(MeanLocalizationError(), seen, names)["mlev"] == 75


def slow_errors(seen: MetricInput, every: bool) -> dict[tuple[int, int], int]:
    """Equation 8's f, pair by pair, with scipy's labels: 1 where no predicted box overlaps a true one by > 0.5."""
    errors = {}
    for i, c, values in seen.pairs():
        cam = values.double().relu().numpy()
        parts, count = ndimage.label((cam >= 0.15 * cam.max()) & (cam > 0), structure=np.ones((3, 3)))
        sizes = np.bincount(parts.ravel())[1:]
        chosen = range(count) if every else [int(sizes.argmax())] if count else []
        slices = ndimage.find_objects(parts)
        errors[i, c] = 1
        for y, x in (slices[k] for k in chosen):
            for (x0, y0, x1, y1), owner in zip(seen.batch.boxes[i].tolist(), seen.batch.box_classes[i], strict=True):
                both = max(0, min(x.stop, x1) - max(x.start, x0)) * max(0, min(y.stop, y1) - max(y.start, y0))
                union = (x.stop - x.start) * (y.stop - y.start) + (x1 - x0) * (y1 - y0) - both
                if owner == c and both / union > 0.5:
                    errors[i, c] = 0
    return errors


@pytest.mark.parametrize("every", [True, False])
@pytest.mark.parametrize("seed", [3, 6, 11, 20])
def test_against_a_slow_transcription(seed, every):
    seen = random_metric_input(seed, images=12)
    errors = slow_errors(seen, every)
    images = {i for i, _ in errors}
    want = {
        "pair": np.mean(list(errors.values())),
        "image": np.mean([np.mean([e for (i, _), e in errors.items() if i == image]) for image in images]),
        "literal": sum(errors.values()) / len(images),
    }
    for reading, value in want.items():
        metric = MeanLocalizationError(component="every" if every else "largest", reading=reading)
        assert measured(metric, seen)["mlev"] == pytest.approx(100 * value, abs=1e-9)


def test_image_and_pair_readings_differ():
    maps = {(0, 0): box_map([[0, 0, 4, 4]], 8, 8), (0, 1): box_map([[4, 4, 8, 8]], 8, 8), (1, 0): torch.zeros(8, 8)}
    true = {(0, 0): [[0, 0, 4, 4]], (0, 1): [[4, 4, 8, 8]], (1, 0): [[0, 0, 4, 4]]}
    seen = metric_input(maps, [[1, 1], [1, 0]], boxes=true)
    readings = {r: measured(MeanLocalizationError(reading=r), seen)["mlev"] for r in ("pair", "image", "literal")}
    assert readings == pytest.approx({"pair": 100 / 3, "image": 50, "literal": 50})


def test_an_overlap_of_exactly_one_half_is_an_error():
    for rows, want in ((4, 0.0), (5, 100.0)):  # IoU 4/4 with the upper half, 4/8 with the whole
        seen = metric_input(
            {(0, 0): box_map([[0, 0, 8, 4]], 8, 8)}, [[1]], boxes={(0, 0): [[0, 0, 8, 4 if rows == 4 else 8]]}
        )
        assert measured(MeanLocalizationError(), seen)["mlev"] == want


def test_a_box_of_another_class_or_image_does_not_help():
    maps = {(0, 0): box_map([[0, 0, 4, 4]], 8, 8), (1, 1): box_map([[4, 4, 8, 8]], 8, 8)}
    swapped = {(0, 1): [[0, 0, 4, 4]], (1, 0): [[4, 4, 8, 8]], (0, 0): [[5, 5, 6, 6]], (1, 1): [[0, 0, 1, 1]]}
    seen = metric_input(maps, [[1, 0], [0, 1]], boxes=swapped)
    assert measured(MeanLocalizationError(), seen) == {"mlev": 100.0, "mlev/a": 100.0, "mlev/b": 100.0}


def test_no_boxes_at_all_is_named_when_computing():
    seen = metric_input({(0, 0): torch.ones(8, 8)}, [[1]])
    with pytest.raises(CamForgeError, match="metric 'mlev' needs boxes, and no image that it was given has one"):
        measured(MeanLocalizationError(), seen)


def test_an_image_without_classes_counts_nowhere():
    seen = metric_input({}, [[0]], masks=torch.zeros(1, 8, 8, dtype=torch.uint8))
    assert not MeanLocalizationError().update(seen).any()
