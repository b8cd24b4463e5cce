"""What is packed comes back, and keeps to its budget."""

import base64
import json
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_report import ARMS, HOSTILE_ID
from torch.nn.functional import interpolate

from camforge.report.data import ReportData
from camforge.report.gallery import FUSED, SIZES, pack_gallery, quantise
from camforge.types import CamForgeError


def unpack(text: str) -> tuple[dict, list[np.ndarray]]:
    """The meaning of the format, byte by byte: cumulative sums of cumulative sums, modulo 256."""
    image = json.loads(text)
    data, start, planes = zlib.decompress(base64.b64decode(image["data"])), 0, []
    sizes = [(image["width"], image["height"])] * image["mask"] + [(w, h) for _, _, w, h in image["maps"]]
    for width, height in sizes:
        raw = np.frombuffer(data[start : start + width * height], np.uint8).reshape(height, width)
        planes.append((raw.astype(np.int64).cumsum(0).cumsum(1) % 256).astype(np.uint8))
        start += width * height
    assert start == len(data)
    return image, planes


def test_mask_and_maps_come_back(report_data: ReportData) -> None:
    packed = pack_gallery(report_data)
    assert packed.sizes == SIZES[0]
    assert packed.sources == (*((arm, FUSED) for arm in ARMS), (ARMS[1], "level 1"))
    image, planes = unpack(packed.images[0])
    original = report_data.gallery[0]
    assert (image["id"], image["labels"], image["boxClasses"]) == (HOSTILE_ID, [0, 1], [0, 1])
    assert image["boxes"] == original.boxes.tolist()
    assert np.array_equal(planes[0], original.mask.numpy())
    for (source, label, _, _), plane in zip(image["maps"], planes[1:], strict=True):
        arm, step = packed.sources[source]
        values = (original.maps[arm] if step == FUSED else original.before_fusion[arm][step])[label]
        values = interpolate(values[None, None].double(), (48, 48), mode="bilinear")[0, 0].numpy()
        assert np.abs(plane - np.maximum(values, 0) / values.max() * 255).max() <= 0.501


def test_a_small_map_without_negatives_stays_small(report_data: ReportData) -> None:
    image, planes = unpack(pack_gallery(report_data).images[3])
    assert [entry[2:] for entry in image["maps"][:-1]] == [[24, 24]] * 6
    values = report_data.gallery[3].maps[ARMS[0]][0].double().numpy()
    assert np.abs(planes[1] - values / values.max() * 255).max() <= 0.501


def test_quantise_shrinks_by_means_and_keeps_the_aspect() -> None:
    values = torch.rand(8, 16)
    means = values.double().reshape(4, 2, 8, 2).mean((1, 3))
    assert (quantise(values, 8).double() - means / means.max() * 255).abs().max() <= 0.501
    assert torch.equal(quantise(-values, 8), torch.zeros(4, 8, dtype=torch.uint8))


def test_a_smaller_budget_takes_smaller_pictures_with_boxes_moved(report_data: ReportData) -> None:
    generous = sum(map(len, pack_gallery(report_data).images))
    assert pack_gallery(report_data, generous).sizes == SIZES[0]
    big = replace(report_data, gallery=tuple(_enlarged(image) for image in report_data.gallery))
    packed = pack_gallery(big, sum(map(len, pack_gallery(big).images)) // 4)
    assert packed.sizes in SIZES[2:]
    image, planes = unpack(packed.images[0])
    assert max(image["width"], image["height"]) == packed.sizes[0]
    assert image["boxes"] == (big.gallery[0].boxes * packed.sizes[0] / 384).double().round(decimals=2).tolist()
    assert set(np.unique(planes[0])) == {0, 1, 2, 255}
    with pytest.raises(CamForgeError, match="4 images do not fit a page"):
        pack_gallery(report_data, 2000)


def _enlarged(image):
    mask = image.mask.repeat_interleave(8, 0).repeat_interleave(8, 1)
    picture = torch.randint(0, 255, (3, 384, 384), dtype=torch.uint8)
    return replace(image, image=picture, mask=mask, boxes=image.boxes * 8)


def test_five_hundred_images_keep_below_30_megabytes(report_data: ReportData) -> None:
    """The size taken is that of a sample of eight; a page of five hundred 224-pixel images is five hundred of these."""
    noisy = [replace(_enlarged(image), before_fusion={}) for image in report_data.gallery]
    packed = pack_gallery(replace(report_data, gallery=tuple(noisy)), 28_000_000 * 4 // 500)
    assert 500 / 4 * sum(map(len, packed.images)) < 28_000_000


def test_a_map_that_is_no_number_is_named(report_data: ReportData) -> None:
    broken = replace(report_data.gallery[1], maps={"plain": {0: torch.tensor([[0.0, float("nan")]])}})
    with pytest.raises(CamForgeError, match="arm 'plain' over image 'two': holds values that are not finite"):
        pack_gallery(replace(report_data, gallery=(broken,)))


def test_no_images_no_mask_no_boxes(report_data: ReportData) -> None:
    assert pack_gallery(replace(report_data, gallery=())).images == ()
    bare = replace(
        report_data.gallery[1], mask=None, boxes=torch.zeros(0, 4), box_classes=torch.zeros(0, dtype=torch.int64)
    )
    image, planes = unpack(pack_gallery(replace(report_data, gallery=(bare,))).images[0])
    assert (image["mask"], image["boxes"], len(planes)) == (False, [], 7)
